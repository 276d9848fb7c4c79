/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue between two threads, driver and device, that sleep on eventfds: each chain is seen as it was lent, and comes back as
 * it was used, and no wakeup is lost: each side sleeps without a time limit, so that a lost one stops the test. With the event
 * index, without it, and from a queue of one descriptor, where each side waits for the other all the time.
 */
#include "stress.h"
#include <string.h>
#include <sys/eventfd.h>
#include <vcons/virtqueue.h>

#include "../../guest/virtqueue.h"

enum { SIZE_MAX_HERE = 8, GPA = 0x10000, BUFFERS_AT = 0x2000, MEMORY = 0x4000 };

struct message { /* of one chain: asked for, and answered */
    uint32_t asked, answer;
};
struct run {
    struct virtqueue driver;
    struct vc_virtqueue device;
    uint8_t *memory;
    uint32_t total, size;
    int kick, irq;
};

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct run *r = ctx;

    (void)write;
    return gpa >= GPA && gpa - GPA <= MEMORY - n ? r->memory + (gpa - GPA) : NULL;
}
static const struct vc_virtio_env env = {.at = at};

static void tell(int fd) { require(write(fd, &(uint64_t){1}, 8) == 8); }
static void wait_for(int fd)
{
    uint64_t n;

    require(read(fd, &n, sizeof n) == sizeof n);
}

static uint32_t answer_to(uint32_t asked) { return asked * UINT32_C(2654435761) + 1; }

/* Message i lies in a slot that is its own until it came back. */
static struct message *slot_of(struct run *r, uint32_t slot)
{
    return (struct message *)(void *)(r->memory + BUFFERS_AT) + slot;
}

static bool lend(struct run *r, uint32_t slot, uint32_t asked)
{
    uint64_t gpa = GPA + BUFFERS_AT + sizeof(struct message) * slot;
    struct virtqueue_buffer buffers[2] = {{gpa, 4}, {gpa + 4, 4}};
    struct virtq_desc *table = (struct virtq_desc *)(void *)(r->memory + BUFFERS_AT + 0x1000) + 2 * slot;

    slot_of(r, slot)->asked = asked;
    return virtqueue_lend_table(&r->driver, buffers, 1, 1, table, GPA + BUFFERS_AT + 0x1000 + 32 * slot,
                                slot_of(r, slot)) == VC_OK;
}

static void *drive(void *arg)
{
    struct run *r = arg;
    uint64_t seed = 21;
    uint32_t lent = 0, back = 0;

    while (back < r->total) {
        uint32_t want = 1 + random_below(&seed, r->size), written;
        void *token;

        virtqueue_quiet(&r->driver);
        while (lent < r->total && lent - back < r->size && want-- > 0) {
            require(lend(r, lent % r->size, lent));
            lent++;
        }
        random_delay(&seed);
        if (virtqueue_show(&r->driver))
            tell(r->kick);
        random_delay(&seed);
        for (;;) {
            require(virtqueue_get(&r->driver, &token, &written) == VC_OK);
            if (token != NULL) {
                require(token == slot_of(r, back % r->size) && written == 4);
                require(slot_of(r, back % r->size)->answer == answer_to(back));
                back++;
            } else if (back == lent || lent - back < r->size / 2) {
                break;
            } else if (!virtqueue_listen(&r->driver)) {
                wait_for(r->irq);
            }
        }
    }
    return NULL;
}

static void *serve(void *arg)
{
    struct run *r = arg;
    static struct vc_chain chain;
    uint64_t seed = 22;
    uint32_t seen = 0;

    while (seen < r->total) {
        uint32_t batch = 1 + random_below(&seed, 4), asked, answer;
        bool there = true;

        while (batch-- > 0 && there) {
            require(vc_virtqueue_peek(&r->device, &env, r, &chain, &there) == VC_OK);
            if (!there)
                break;
            require(chain.n_readable == 1 && chain.readable == 4 && chain.n_writable == 1 && chain.writable == 4);
            memcpy(&asked, chain.segments[0].at, 4);
            require(asked == seen);
            answer = answer_to(asked);
            memcpy(chain.segments[1].at, &answer, 4);
            vc_virtqueue_take(&r->device, &chain, 4);
            seen++;
        }
        random_delay(&seed);
        if (vc_virtqueue_publish(&r->device))
            tell(r->irq);
        if (!there && seen < r->total && !vc_virtqueue_arm(&r->device))
            wait_for(r->kick);
    }
    return NULL;
}

static void run(uint32_t total, uint32_t size, bool event_idx)
{
    static struct run r;
    pthread_t driver, device;

    memset(&r, 0, sizeof r);
    r.memory = aligned_alloc(4096, MEMORY);
    r.total = total;
    r.size = size;
    r.kick = eventfd(0, EFD_CLOEXEC);
    r.irq = eventfd(0, EFD_CLOEXEC);
    require(r.memory != NULL && r.kick >= 0 && r.irq >= 0);
    memset(r.memory, 0, MEMORY);
    require(virtqueue_init(&r.driver, size, event_idx, r.memory, GPA) == VC_OK);
    r.device = (struct vc_virtqueue){
        .desc = r.driver.desc, .driver = r.driver.driver, .device = r.driver.device, .size = size};
    require(vc_virtqueue_start(&r.device, &env, &r, SIZE_MAX_HERE) == VC_OK);
    r.device.indirect = true;
    r.device.event_idx = event_idx;
    require(pthread_create(&driver, NULL, drive, &r) == 0 && pthread_create(&device, NULL, serve, &r) == 0);
    require(pthread_join(driver, NULL) == 0 && pthread_join(device, NULL) == 0);
    close(r.kick);
    close(r.irq);
    free(r.memory);
}

int main(int argc, char **argv)
{
    uint32_t total = argc > 1 ? (uint32_t)atoi(argv[1]) : 30000;

    for (int event_idx = 0; event_idx < 2; event_idx++) {
        run(total, 1, event_idx != 0);
        run(total, 2, event_idx != 0);
        run(total, SIZE_MAX_HERE, event_idx != 0);
    }
    return 0;
}
