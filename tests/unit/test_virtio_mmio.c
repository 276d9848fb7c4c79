/* SPDX-License-Identifier: MIT */
/* The registers of virtio's MMIO transport, a row for each rule of VIRTIO 1.2, 4.2.2, 2.1 and 3.1, by a console device. */
#include "unit.h"

#include "virtio_rig.h"

enum verb { STOP, WR, RD, NO };
struct access {
    enum verb verb;
    uint64_t offset;
    uint32_t width, value;
};
/* clang-format off */
#define W(o, v)      {WR, VIRTIO_MMIO_##o, 4, v}
#define R(o, v)      {RD, VIRTIO_MMIO_##o, 4, v}
#define WN(o, w, v)  {WR, o, w, v}
#define RN(o, w, v)  {RD, o, w, v}
#define REFUSED(o, w) {NO, o, w, 0}
/* A queue as it should be, up to what is left out of these. */
#define SEL(i)       W(QUEUE_SEL, i)
#define PLACED       W(QUEUE_DESC_LOW, RAM), W(QUEUE_DRIVER_LOW, RAM + 0x1000), W(QUEUE_DEVICE_LOW, RAM + 0x2000)
#define SET(i)       SEL(i), W(QUEUE_SIZE, 16), PLACED, W(QUEUE_READY, 1), R(QUEUE_READY, 1)
#define FEATURES(lo, hi) W(STATUS, 1), W(STATUS, 3), W(DRIVER_FEATURES_SEL, 0), W(DRIVER_FEATURES, lo), \
                         W(DRIVER_FEATURES_SEL, 1), W(DRIVER_FEATURES, hi)
#define ACCEPTED     FEATURES(2, 1), W(STATUS, 0xb), R(STATUS, 0xb) /* MULTIPORT */
#define LIST(...)    {__VA_ARGS__}
/* clang-format on */

static const struct {
    const char *name;
    struct access steps[48];
} rows[] = {
    {"what it is", {R(MAGIC_VALUE, 0x74726976), R(VERSION_VALUE, 2), R(DEVICE_ID, 3), R(VENDOR_ID, 0x534e4356)}},
    {"reset state",
     {R(STATUS, 0), R(INTERRUPT_STATUS, 0), R(QUEUE_READY, 0), R(CONFIG_GENERATION, 0), R(QUEUE_SIZE_MAX, 64)}},
    {"features: SIZE, MULTIPORT, EMERG_WRITE, indirect, event index, version 1, and no more",
     {R(DEVICE_FEATURES, 0x30000007), W(DEVICE_FEATURES_SEL, 1), R(DEVICE_FEATURES, 1), W(DEVICE_FEATURES_SEL, 2),
      R(DEVICE_FEATURES, 0), W(DEVICE_FEATURES_SEL, 0xffffffff), R(DEVICE_FEATURES, 0), W(DEVICE_FEATURES_SEL, 0),
      R(DEVICE_FEATURES, 0x30000007)}},
    {"no shared memory: all ones",
     {R(SHM_LEN_LOW, 0xffffffff), R(SHM_LEN_HIGH, 0xffffffff), R(SHM_BASE_LOW, 0xffffffff),
      R(SHM_BASE_HIGH, 0xffffffff)}},
    {"what is written only reads 0",
     {R(QUEUE_SIZE, 0), R(QUEUE_NOTIFY, 0), R(QUEUE_SEL, 0), R(INTERRUPT_ACK, 0), R(DRIVER_FEATURES, 0),
      R(QUEUE_DESC_LOW, 0), R(DEVICE_FEATURES_SEL, 0)}},
    {"what is read only ignores writes",
     {W(MAGIC_VALUE, 0), W(VERSION_VALUE, 1), W(DEVICE_ID, 1), W(DEVICE_FEATURES, 0), W(QUEUE_SIZE_MAX, 1),
      W(INTERRUPT_STATUS, 3), W(CONFIG_GENERATION, 9), R(MAGIC_VALUE, 0x74726976), R(VERSION_VALUE, 2), R(DEVICE_ID, 3),
      R(DEVICE_FEATURES, 0x30000007), R(QUEUE_SIZE_MAX, 64), R(INTERRUPT_STATUS, 0), R(CONFIG_GENERATION, 0)}},
    {"what is not there reads 0 and ignores writes, legacy and queue reset too",
     {WN(0x28, 4, 4096), WN(0x3c, 4, 4096), WN(0x40, 4, 1), WN(0xc0, 4, 1), RN(0x28, 4, 0), RN(0x3c, 4, 0),
      RN(0x40, 4, 0), RN(0xc0, 4, 0), RN(0xf8, 4, 0), R(STATUS, 0)}},
    {"registers by 4 bytes, aligned: 4.2.2.2",
     {REFUSED(0, 1), REFUSED(0, 2), REFUSED(0, 8), REFUSED(1, 4), REFUSED(2, 2), REFUSED(0xfd, 4), REFUSED(0x70, 1)}},
    {"the configuration by 1, 2, 4 bytes",
     {RN(0x104, 4, 4), RN(0x104, 2, 4), RN(0x104, 1, 4), RN(0x105, 1, 0), RN(0x108, 4, 0), RN(0x10c, 4, 0),
      RN(0x10a, 4, 0), RN(0x1fc, 4, 0), REFUSED(0x100, 8), REFUSED(0x100, 3), REFUSED(0x100, 0)}},
    {"past its place", {REFUSED(0x1fd, 4), REFUSED(0x200, 4), REFUSED(0x200, 1), REFUSED(UINT64_MAX, 4)}},

    {"status: as the driver goes on", {ACCEPTED, W(STATUS, 0xf), R(STATUS, 0xf)}},
    {"status: bits are not taken back", {W(STATUS, 3), W(STATUS, 1), R(STATUS, 3), W(STATUS, 0x80), R(STATUS, 0x83)}},
    {"status: but by reset", {ACCEPTED, W(STATUS, 0xf), W(STATUS, 0), R(STATUS, 0)}},
    {"status: the driver cannot ask for a reset, nor set what is nothing",
     {W(STATUS, 0x40), R(STATUS, 0), W(STATUS, 0xffffff30), R(STATUS, 0)}},
    {"DRIVER_OK without FEATURES_OK", {W(STATUS, 7), R(STATUS, 3), W(STATUS, 0xf), R(STATUS, 3)}},
    {"FEATURES_OK without VERSION_1", {FEATURES(2, 0), W(STATUS, 0xb), R(STATUS, 3)}},
    {"… with what was not offered", {FEATURES(0x40, 1), W(STATUS, 0xb), R(STATUS, 3)}},
    {"… with what was not offered, above 32", {FEATURES(2, 3), W(STATUS, 0xb), R(STATUS, 3)}},
    {"… with what nobody has",
     {FEATURES(2, 1), W(DRIVER_FEATURES_SEL, 2), W(DRIVER_FEATURES, 1), W(STATUS, 0xb), R(STATUS, 3)}},
    {"… and nothing of what nobody has is fine",
     {FEATURES(2, 1), W(DRIVER_FEATURES_SEL, 2), W(DRIVER_FEATURES, 0), W(STATUS, 0xb), R(STATUS, 0xb)}},
    {"… and with fewer, after it did not come off",
     {FEATURES(0x42, 1), W(STATUS, 0xb), R(STATUS, 3), W(DRIVER_FEATURES_SEL, 0), W(DRIVER_FEATURES, 2), W(STATUS, 0xb),
      R(STATUS, 0xb)}},
    {"features after FEATURES_OK are ignored: queues stay those of MULTIPORT",
     {ACCEPTED, W(DRIVER_FEATURES_SEL, 0), W(DRIVER_FEATURES, 0), SEL(2), R(QUEUE_SIZE_MAX, 64)}},

    {"queues: two without MULTIPORT",
     {FEATURES(0, 1), W(STATUS, 0xb), SEL(1), R(QUEUE_SIZE_MAX, 64), SEL(2), R(QUEUE_SIZE_MAX, 0)}},
    {"queues: two before features are", {SEL(1), R(QUEUE_SIZE_MAX, 64), SEL(2), R(QUEUE_SIZE_MAX, 0)}},
    {"queues: two for each port and two for control",
     {ACCEPTED, SEL(9), R(QUEUE_SIZE_MAX, 64), SEL(10), R(QUEUE_SIZE_MAX, 0), SEL(0xffffffff), R(QUEUE_SIZE_MAX, 0)}},
    {"a queue that is not there cannot be set up",
     {ACCEPTED, SEL(10), W(QUEUE_SIZE, 16), PLACED, W(QUEUE_READY, 1), R(QUEUE_READY, 0), R(STATUS, 0xb)}},
    {"ready, stopped, and ready again", {ACCEPTED, SET(0), W(QUEUE_READY, 0), R(QUEUE_READY, 0), SET(0)}},
    {"enabled twice: nothing new", {ACCEPTED, SET(0), W(QUEUE_READY, 1), R(QUEUE_READY, 1), R(STATUS, 0xb)}},
    {"neither 0 nor 1",
     {ACCEPTED, SEL(0), W(QUEUE_SIZE, 16), PLACED, W(QUEUE_READY, 2), R(QUEUE_READY, 0), SET(0), W(QUEUE_READY, 3),
      R(QUEUE_READY, 1), R(STATUS, 0xb)}},
    {"size 0", {ACCEPTED, SEL(0), PLACED, W(QUEUE_READY, 1), R(QUEUE_READY, 0), R(STATUS, 0x4b)}},
    {"size above the maximum",
     {ACCEPTED, SEL(0), W(QUEUE_SIZE, 128), PLACED, W(QUEUE_READY, 1), R(QUEUE_READY, 0), R(STATUS, 0x4b)}},
    {"size no power of two",
     {ACCEPTED, SEL(0), W(QUEUE_SIZE, 12), PLACED, W(QUEUE_READY, 1), R(QUEUE_READY, 0), R(STATUS, 0x4b)}},
    {"rings nowhere",
     {ACCEPTED, SEL(0), W(QUEUE_SIZE, 16), PLACED, W(QUEUE_DESC_HIGH, 1), W(QUEUE_READY, 1), R(QUEUE_READY, 0),
      R(STATUS, 0x4b), R(INTERRUPT_STATUS, 0)}},
    {"… and set right after that: it is ready, but the device still wants its reset",
     {ACCEPTED, SEL(0), W(QUEUE_READY, 1), R(STATUS, 0x4b), SET(0), R(STATUS, 0x4b), W(STATUS, 0), R(STATUS, 0)}},
    {"a reset forgets all of a queue",
     {ACCEPTED, SET(0), W(STATUS, 0), R(QUEUE_READY, 0), ACCEPTED, SEL(0), W(QUEUE_READY, 1), R(QUEUE_READY, 0),
      R(STATUS, 0x4b)}},
    {"while it is ready its size and rings are what they were: the stop shows them",
     {ACCEPTED, SET(0), W(QUEUE_SIZE, 3), W(QUEUE_DESC_LOW, 1), W(QUEUE_DRIVER_LOW, 1), W(QUEUE_DEVICE_LOW, 1),
      W(QUEUE_DESC_HIGH, 1), W(QUEUE_DRIVER_HIGH, 1), W(QUEUE_DEVICE_HIGH, 1), W(QUEUE_READY, 0), W(QUEUE_READY, 1),
      R(QUEUE_READY, 1), R(STATUS, 0xb)}},
    {"R30: after DRIVER_OK no queue is stopped, started or changed",
     {ACCEPTED, SET(0), W(STATUS, 0xf), W(QUEUE_READY, 0), R(QUEUE_READY, 1), SEL(1), W(QUEUE_SIZE, 16), PLACED,
      W(QUEUE_READY, 1), R(QUEUE_READY, 0), W(QUEUE_SIZE, 0), R(STATUS, 0xf)}},
    {"notified of what is not ready, not there, or too early",
     {W(QUEUE_NOTIFY, 0), ACCEPTED, SET(0), W(QUEUE_NOTIFY, 0), W(STATUS, 0xf), W(QUEUE_NOTIFY, 1), W(QUEUE_NOTIFY, 10),
      W(QUEUE_NOTIFY, 0x80000000), W(QUEUE_NOTIFY, 0xffffffff), R(STATUS, 0xf), R(INTERRUPT_STATUS, 0)}},
};

static void registers(void **state)
{
    static struct virtio_rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
        for (const struct access *a = rows[i].steps; a->verb != STOP; a++) {
            uint32_t value = 0xdead;
            bool taken = a->verb == WR ? vc_virtio_mmio_write(&g.c->mmio, a->offset, a->width, a->value)
                                       : vc_virtio_mmio_read(&g.c->mmio, a->offset, a->width, &value);

            if (taken == (a->verb == NO) || (a->verb == RD && value != a->value) || (a->verb == NO && value != 0))
                fail_msg("%s: step %d, 0x%llx: taken %d, 0x%x", rows[i].name, (int)(a - rows[i].steps),
                         (unsigned long long)a->offset, taken, value);
            if (a->verb == NO && vc_virtio_mmio_write(&g.c->mmio, a->offset, a->width, 0))
                fail_msg("%s: step %d: written", rows[i].name, (int)(a - rows[i].steps));
        }
        if (g.wrong != 0)
            fail_msg("%s: env was asked what it may not be", rows[i].name);
        rig_finish(&g);
    }
}

/* Each configuration of what a device may be made of. */
static void made_of(void **state)
{
    static const struct {
        const char *name;
        uint32_t ports;
        uint64_t withheld;
        int error;
        uint32_t features;
    } devices[] = {
        {"no ports", 0, 0, VC_EINVAL, 0},
        {"one", 1, 0, VC_OK, 0x30000007},
        {"as many as there may be", 511, 0, VC_OK, 0x30000007},
        {"one more", 512, 0, VC_EINVAL, 0},
        {"an old device: no MULTIPORT", 1, 2, VC_OK, 0x30000005},
        {"version 1 cannot be withheld", 1, UINT64_MAX, VC_OK, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(devices); i++) {
        struct vc_virtio_console_config config = {.ports = devices[i].ports, .withheld = devices[i].withheld};
        size_t bytes = vc_virtio_console_bytes(devices[i].ports);
        void *memory = malloc(bytes > 0 ? bytes : 1);
        static struct vc_virtio_console c;
        static struct virtio_rig g;
        uint32_t low = 0, high = 0;
        int error = vc_virtio_console_init(&c, &config, &rig_env, &g, memory);

        if (error == VC_OK) {
            vc_virtio_mmio_read(&c.mmio, VIRTIO_MMIO_DEVICE_FEATURES, 4, &low);
            vc_virtio_mmio_write(&c.mmio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, 1);
            vc_virtio_mmio_read(&c.mmio, VIRTIO_MMIO_DEVICE_FEATURES, 4, &high);
        }
        if (error != devices[i].error || (bytes > 0) != (error == VC_OK) || low != devices[i].features ||
            high != (error == VC_OK))
            fail_msg("%s: %d, features %x %x", devices[i].name, error, high, low);
        free(memory);
    }
}

static void the_interrupt_line(void **state)
{
    static struct virtio_rig g;
    struct vc_virtio_port_config port = {.console = true, .host_open = true};

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    assert_int_equal(vc_virtio_console_add(g.c, 0, &port), VC_OK);
    rig_boot(&g, RIG_F(VIRTIO_F_VERSION_1) | RIG_F(VIRTIO_CONSOLE_F_SIZE));
    assert_false(g.irq);
    rig_lend(&g, VIRTIO_CONSOLE_TX0, "a", 1);
    assert_true(g.irq);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_USED);
    vc_virtio_console_resize(g.c, 0, 80, 25);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
    rig_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_USED);
    assert_true(g.irq); /* the other cause is still there */
    rig_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, 0);
    assert_true(g.irq);
    rig_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, 0xffffffff);
    assert_false(g.irq);
    rig_lend(&g, VIRTIO_CONSOLE_TX0, "a", 1);
    rig_write(&g, VIRTIO_MMIO_STATUS, 0);
    assert_false(g.irq);
    assert_int_equal(g.wrong, 0);
    rig_finish(&g);
}

/* 4.2.2.1: who reads the generation, the configuration, and the generation again knows whether it is one picture. */
static void the_generation_follows_the_configuration(void **state)
{
    static struct virtio_rig g;
    struct vc_virtio_port_config port = {.console = true, .cols = 80, .rows = 25};
    uint32_t before, after;

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    before = rig_read(&g, VIRTIO_MMIO_CONFIG_GENERATION);
    vc_virtio_console_add(g.c, 0, &port);
    after = rig_read(&g, VIRTIO_MMIO_CONFIG_GENERATION);
    assert_int_not_equal(before, after);
    vc_virtio_console_resize(g.c, 0, 80, 25);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_CONFIG_GENERATION), after);
    vc_virtio_console_resize(g.c, 0, 81, 25);
    before = rig_read(&g, VIRTIO_MMIO_CONFIG_GENERATION);
    assert_int_not_equal(before, after);
    vc_virtio_console_remove(g.c, 0);
    assert_int_not_equal(rig_read(&g, VIRTIO_MMIO_CONFIG_GENERATION), before);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_CONFIG), 0);
    rig_finish(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers),
        cmocka_unit_test(made_of),
        cmocka_unit_test(the_interrupt_line),
        cmocka_unit_test(the_generation_follows_the_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
