/* SPDX-License-Identifier: MIT */
/*
 * ring: W3. A guest's thread writes messages into the out ring of a Xen console page, a backend's thread takes them; each
 * notifies the other by eventfd after every change of an index, as Xen's protocol wants it, and sleeps when it has nothing
 * to do. Arguments: total bytes, message bytes, CPU of the writer, CPU of the reader (-1: anywhere).
 */
#include "ring.h"
#include "bench.h"
#include <pthread.h>
#include <sys/eventfd.h>

static struct xencons_interface page;
static uint8_t *sent, *received;
static uint64_t total, message, kicks;
static int to_reader, to_writer, reader_cpu;
static uint64_t reader_ns;

static void notify(int fd) { require(write(fd, &(uint64_t){1}, 8) == 8); }
static void sleep_on(int fd)
{
    uint64_t n;

    require(read(fd, &n, 8) == 8);
}

static void *reader(void *unused)
{
    uint64_t had = 0, began;

    pin_to(reader_cpu);
    began = thread_cpu_ns();
    while (had < total) {
        uint32_t n = out_take(received + had);

        had += n;
        if (n > 0)
            notify(to_writer);
        else
            sleep_on(to_reader);
    }
    reader_ns = thread_cpu_ns() - began;
    return unused;
}

static void writer(void)
{
    for (uint64_t done = 0; done < total;) {
        uint64_t end = done + message < total ? done + message : total;

        while (done < end) {
            uint32_t n = out_put(sent + done, (uint32_t)(end - done));

            done += n;
            if (n > 0) {
                notify(to_reader);
                kicks++;
            } else {
                sleep_on(to_writer);
            }
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t began, writer_ns, ns;
    pthread_t thread;

    require(argc == 5);
    total = strtoull(argv[1], NULL, 10);
    message = strtoull(argv[2], NULL, 10);
    reader_cpu = atoi(argv[4]);
    sent = malloc(total);
    received = malloc(total + XENCONS_OUT_SIZE);
    require(sent != NULL && received != NULL && message > 0);
    for (uint64_t i = 0; i < total; i++)
        sent[i] = stream_byte(i);
    memset(received, 0, total + XENCONS_OUT_SIZE);
    to_reader = eventfd(0, EFD_CLOEXEC);
    to_writer = eventfd(0, EFD_CLOEXEC);
    ends_open(&page);
    pin_to(atoi(argv[3]));
    began = now_ns();
    writer_ns = thread_cpu_ns();
    require(pthread_create(&thread, NULL, reader, NULL) == 0);
    writer();
    writer_ns = thread_cpu_ns() - writer_ns;
    require(pthread_join(thread, NULL) == 0);
    ns = now_ns() - began;
    require(memcmp(sent, received, total) == 0);
    printf("{\"value\": %.3f, \"cpu_ns\": %llu, \"kicks_per_kib\": %.3f}\n", (double)total * 1000 / (double)ns,
           (unsigned long long)(writer_ns + reader_ns), (double)kicks * 1024 / (double)total);
    return 0;
}
