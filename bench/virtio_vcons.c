/* SPDX-License-Identifier: MIT */
/*
 * virtio: W4. Ports of a virtio-console in use, from a guest's buffers through guest/virtqueue.c, core's device and
 * a line into memory, and every byte compared there.
 *
 *     threads TOTAL BUFFER PORTS FEATURES CPU CPU    the driver's thread writes to one of PORTS open ports, copying into buffers of
 *                                        BUFFER bytes; the hypervisor's serves the queue when it is notified and takes
 *                                        what stands in the line. Doorbell and interrupt are eventfds, as irqfd and
 *                                        ioeventfd have them. FEATURES: event or flags. Prints MB/s.
 *     turns TOTAL BUFFER PORTS           one thread for both sides; all open ports have their turn, a buffer each. Prints
 *                                        nanoseconds of processor a KiB.
 */
#include "../guest/virtqueue.h"
#include "bench.h"
#include <pthread.h>
#include <sys/eventfd.h>
#include <vcons/line.h>
#include <vcons/virtio_console.h>

enum {
    QUEUE = 64,     /* VC_VIRTIO_QUEUE */
    IN_FLIGHT = 16, /* buffers of the port that prints: 64 KiB of 4 */
    LINE = 256 << 10,
    QUEUE_BYTES = 2048,
    MESSAGES = 32,
    MESSAGE_BYTES = 128,
};
#define GPA UINT64_C(0x100000000)

static struct vc_virtio_console device;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the device's */
static uint32_t n_ports, buffer_bytes;
static uint8_t *ram;
static uint64_t ram_bytes, total, sent, received, kicks, interrupts, bad;
static uint8_t *stream, *taken;
static struct vc_source source;
static struct vc_sink sink;
static bool later, threads;
static int doorbell, line_irq;

static struct virtqueue *queues; /* the driver's */

/* ---- The hypervisor. ---- */

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    (void)ctx, (void)write;
    return gpa >= GPA && gpa - GPA < ram_bytes && n <= ram_bytes - (gpa - GPA) ? ram + (gpa - GPA) : NULL;
}
static void ring_bell(int fd) { require(write(fd, &(uint64_t){1}, 8) == 8); }
static void sleep_on(int fd)
{
    uint64_t n;

    require(read(fd, &n, 8) == 8);
}
static void irq(void *ctx, bool level)
{
    (void)ctx;
    if (!level)
        return;
    interrupts++;
    if (threads)
        ring_bell(line_irq);
}
static uint32_t out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    uint32_t done;
    bool kick = false;

    (void)ctx, (void)port;
    require(vc_source_put(&source, bytes, n, &done, &kick) == VC_OK);
    return done;
}
static void emergency(void *ctx, uint32_t port, uint8_t byte) { (void)ctx, (void)port, (void)byte; }
static void input_room(void *ctx, uint32_t port) { (void)ctx, (void)port; }
static void guest_open(void *ctx, uint32_t port, bool open) { (void)ctx, (void)port, (void)open; }
static void broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    (void)ctx, (void)port, (void)reason, bad++;
}
static void put_off(void *ctx) { (void)ctx, later = true; }

static void open_line(void)
{
    static const uint8_t id[VC_LINE_ID_BYTES] = {1};
    size_t bytes = vc_line_bytes(LINE, 4096);
    void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

    require(memory != NULL);
    memset(memory, 0, bytes);
    require(vc_line_format(memory, LINE, 4096, id) == VC_OK && vc_source_open(&source, memory, bytes) == VC_OK &&
            vc_sink_open(&sink, memory, bytes) == VC_OK);
}

static void take_line(void)
{
    struct vc_span spans[2];
    uint32_t n;

    require(vc_sink_peek(&sink, spans, &n) == VC_OK);
    for (int i = 0; i < 2; i++) {
        require(received + spans[i].n <= total);
        memcpy(taken + received, spans[i].bytes, spans[i].n);
        received += spans[i].n;
    }
    vc_sink_commit(&sink, n);
}

/* Until the queue is empty: what the line could not take is offered again. */
static void serve(uint32_t port)
{
    uint64_t before;

    pthread_mutex_lock(&lock);
    vc_virtio_mmio_notify(&device.mmio, VIRTIO_CONSOLE_TX(port));
    pthread_mutex_unlock(&lock);
    do {
        before = received;
        take_line();
        pthread_mutex_lock(&lock);
        if (later) {
            later = false;
            vc_virtio_console_serve(&device);
        }
        if (received > before)
            vc_virtio_console_output_room(&device, port);
        pthread_mutex_unlock(&lock);
    } while (received > before);
}

static uint64_t device_ns;
static int device_cpu;

static void *hypervisor(void *unused)
{
    uint64_t began;

    pin_to(device_cpu);
    began = thread_cpu_ns();
    while (received < total) {
        sleep_on(doorbell);
        serve(0);
    }
    device_ns = thread_cpu_ns() - began;
    return unused;
}

/* ---- The driver. ---- */

static uint64_t gpa_of_queue(uint32_t i) { return GPA + (uint64_t)QUEUE_BYTES * i; }
static uint64_t buffers_at(void) { return gpa_of_queue(VIRTIO_CONSOLE_QUEUES(n_ports)); }
static uint64_t messages_at(void) { return buffers_at() + (uint64_t)buffer_bytes * IN_FLIGHT; }

static uint32_t reg(uint32_t offset)
{
    uint32_t value;

    require(vc_virtio_mmio_read(&device.mmio, offset, 4, &value));
    return value;
}
static void set(uint32_t offset, uint32_t value) { require(vc_virtio_mmio_write(&device.mmio, offset, 4, value)); }

static void acknowledge(void)
{
    pthread_mutex_lock(&lock);
    set(VIRTIO_MMIO_INTERRUPT_ACK, reg(VIRTIO_MMIO_INTERRUPT_STATUS));
    pthread_mutex_unlock(&lock);
}

static void show(uint32_t queue)
{
    if (!virtqueue_show(&queues[queue]))
        return;
    kicks++;
    if (threads)
        ring_bell(doorbell);
    else
        set(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void set_queue(uint32_t i, bool event_idx)
{
    struct virtqueue *q = &queues[i];

    require(virtqueue_bytes(QUEUE) <= QUEUE_BYTES &&
            virtqueue_init(q, QUEUE, event_idx, ram + (gpa_of_queue(i) - GPA), gpa_of_queue(i)) == VC_OK);
    set(VIRTIO_MMIO_QUEUE_SEL, i);
    set(VIRTIO_MMIO_QUEUE_SIZE, QUEUE);
    set(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)q->desc);
    set(VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(q->desc >> 32));
    set(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)q->driver);
    set(VIRTIO_MMIO_QUEUE_DRIVER_HIGH, (uint32_t)(q->driver >> 32));
    set(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)q->device);
    set(VIRTIO_MMIO_QUEUE_DEVICE_HIGH, (uint32_t)(q->device >> 32));
    set(VIRTIO_MMIO_QUEUE_READY, 1);
    require(reg(VIRTIO_MMIO_QUEUE_READY) == 1);
}

/* Messages that came are not looked at: this driver knows its ports. */
static void hear(void)
{
    struct virtqueue *q = &queues[VIRTIO_CONSOLE_CONTROL_RX];
    void *token;
    uint32_t written;

    while (virtqueue_get(q, &token, &written) == VC_OK && token != NULL) {
        struct virtqueue_buffer b = {messages_at() + (uint64_t)((uint8_t *)token - ram), MESSAGE_BYTES};

        require(virtqueue_lend(q, &b, 0, 1, token) == VC_OK);
        virtqueue_listen(q);
    }
    show(VIRTIO_CONSOLE_CONTROL_RX);
}

static void say(uint32_t port, uint16_t event)
{
    struct virtio_console_control m = {port, event, 1};
    struct virtqueue *q = &queues[VIRTIO_CONSOLE_CONTROL_TX];
    struct virtqueue_buffer b = {messages_at() + MESSAGES * MESSAGE_BYTES, sizeof m};
    void *token;
    uint32_t written;

    memcpy(ram + (b.gpa - GPA), &m, sizeof m);
    require(virtqueue_lend(q, &b, 1, 0, &queues) == VC_OK);
    show(VIRTIO_CONSOLE_CONTROL_TX);
    require(virtqueue_get(q, &token, &written) == VC_OK && token != NULL);
    hear();
}

static void open_ports(void)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct virtqueue_buffer b = {messages_at() + i * MESSAGE_BYTES, MESSAGE_BYTES};

        require(virtqueue_lend(&queues[VIRTIO_CONSOLE_CONTROL_RX], &b, 0, 1, ram + i * MESSAGE_BYTES) == VC_OK);
    }
    show(VIRTIO_CONSOLE_CONTROL_RX);
    say(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY);
    for (uint32_t i = 0; i < n_ports; i++)
        say(i, VIRTIO_CONSOLE_PORT_READY);
    for (uint32_t i = 0; i < n_ports; i++)
        say(i, VIRTIO_CONSOLE_PORT_OPEN);
    for (uint32_t i = 0; i < n_ports; i++)
        require(vc_virtio_console_guest_open(&device, i));
}

static void boot(bool event_idx)
{
    uint64_t features = VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE) |
                        VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT) |
                        (event_idx ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0);

    for (uint32_t status = 1; status <= 3; status += 2)
        set(VIRTIO_MMIO_STATUS, status);
    for (uint32_t i = 0; i < 2; i++) {
        set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
        set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
    }
    set(VIRTIO_MMIO_STATUS, 0xb);
    require(reg(VIRTIO_MMIO_STATUS) == 0xb);
    for (uint32_t i = 0; i < VIRTIO_CONSOLE_QUEUES(n_ports); i++)
        set_queue(i, event_idx);
    set(VIRTIO_MMIO_STATUS, 0xf);
    open_ports();
}

/* The next piece of the stream, copied into buffer i of the port that prints. */
static void lend(struct virtqueue *q, uint32_t i)
{
    uint32_t n = total - sent < buffer_bytes ? (uint32_t)(total - sent) : buffer_bytes;
    struct virtqueue_buffer b = {buffers_at() + (uint64_t)buffer_bytes * i, n};
    uint8_t *bytes = ram + (b.gpa - GPA);

    memcpy(bytes, stream + sent, n);
    sent += n;
    require(virtqueue_lend(q, &b, 1, 0, bytes) == VC_OK);
}

/* Which buffers came back are free to be filled. */
static uint32_t get_back(struct virtqueue *q)
{
    void *token;
    uint32_t written, n = 0;

    while (virtqueue_get(q, &token, &written) == VC_OK && token != NULL)
        n++;
    require(!q->broken);
    return n;
}

static void print_on_one_port(void)
{
    struct virtqueue *q = &queues[VIRTIO_CONSOLE_TX(0)];
    uint32_t next = 0, in_flight = 0;

    virtqueue_quiet(q);
    while (sent < total) {
        in_flight -= get_back(q); /* in the order in which they were lent: so does core's device */
        if (in_flight < IN_FLIGHT) {
            lend(q, next++ % IN_FLIGHT);
            in_flight++;
            show(VIRTIO_CONSOLE_TX(0));
        } else if (!virtqueue_listen(q)) {
            sleep_on(line_irq);
            acknowledge();
            virtqueue_quiet(q);
        }
    }
}

static void print_on_all_ports(void)
{
    for (uint32_t port = 0; sent < total; port = (port + 1) % n_ports) {
        struct virtqueue *q = &queues[VIRTIO_CONSOLE_TX(port)];

        virtqueue_quiet(q);
        lend(q, port % IN_FLIGHT);
        show(VIRTIO_CONSOLE_TX(port));
        require(get_back(q) == 1);
        take_line();
    }
}

/* ---- The rounds. ---- */

static void prepare(void)
{
    static const struct vc_virtio_console_env env = {{at, irq},  out,    emergency, input_room,
                                                     guest_open, broken, put_off,   NULL};
    struct vc_virtio_console_config config = {.ports = n_ports};
    struct vc_virtio_port_config port = {.name = "port", .console = true, .host_open = true};
    void *memory = calloc(1, vc_virtio_console_bytes(n_ports));

    queues = calloc(VIRTIO_CONSOLE_QUEUES(n_ports), sizeof *queues);
    stream = malloc(total);
    taken = malloc(total);
    ram_bytes = messages_at() + (MESSAGES + 1) * MESSAGE_BYTES - GPA;
    ram = aligned_alloc(4096, (ram_bytes + 4095) / 4096 * 4096);
    require(memory != NULL && queues != NULL && stream != NULL && taken != NULL && ram != NULL);
    memset(ram, 0, ram_bytes);
    memset(taken, 0, total);
    for (uint64_t i = 0; i < total; i++)
        stream[i] = stream_byte(i);
    open_line();
    require(vc_virtio_console_init(&device, &config, &env, NULL, memory) == VC_OK);
    for (uint32_t i = 0; i < n_ports; i++)
        require(vc_virtio_console_add(&device, i, &port) == VC_OK);
}

static void run_threads(char **argv)
{
    uint64_t began, driver_ns, ns;
    pthread_t thread;

    boot(strcmp(argv[0], "event") == 0);
    threads = true;
    device_cpu = atoi(argv[2]);
    doorbell = eventfd(0, EFD_CLOEXEC);
    line_irq = eventfd(0, EFD_CLOEXEC);
    acknowledge();
    kicks = interrupts = 0;
    pin_to(atoi(argv[1]));
    began = now_ns();
    driver_ns = thread_cpu_ns();
    require(pthread_create(&thread, NULL, hypervisor, NULL) == 0);
    print_on_one_port();
    driver_ns = thread_cpu_ns() - driver_ns;
    require(pthread_join(thread, NULL) == 0);
    ns = now_ns() - began;
    printf("{\"value\": %.3f, \"cpu_ns\": %llu, ", (double)total * 1000 / (double)ns,
           (unsigned long long)(driver_ns + device_ns));
}

static void run_turns(void)
{
    uint64_t began;

    boot(true);
    kicks = interrupts = 0;
    began = thread_cpu_ns();
    print_on_all_ports();
    printf("{\"value\": %.3f, ", (double)(thread_cpu_ns() - began) * 1024 / (double)total);
}

int main(int argc, char **argv)
{
    bool turns = argc == 5 && strcmp(argv[1], "turns") == 0;

    require(turns || (argc == 8 && strcmp(argv[1], "threads") == 0));
    total = strtoull(argv[2], NULL, 10);
    buffer_bytes = (uint32_t)atoi(argv[3]);
    n_ports = (uint32_t)atoi(argv[4]);
    require(total > 0 && buffer_bytes > 0);
    prepare();
    if (turns)
        run_turns();
    else
        run_threads(argv + 5);
    require(bad == 0 && received == total && memcmp(stream, taken, total) == 0);
    printf("\"kicks_per_kib\": %.3f, \"interrupts_per_kib\": %.3f}\n", (double)kicks * 1024 / (double)total,
           (double)interrupts * 1024 / (double)total);
    return 0;
}
