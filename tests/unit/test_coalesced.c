/* SPDX-License-Identifier: MIT */
/* KVM's ring of recorded writes, with a kernel's hand that is ours: what is handed over, in which order, and to whom. */
#include "unit.h"
#include "vmm/kvm/coalesced.h"
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/uart.h>

#define PORT  0x3f8u
#define OTHER 0x2f8u

static const struct engine_device com1 = {.space = ENGINE_PORTS, .address = PORT, .bytes = 8, .line = 4};
static const struct engine_device com2 = {.space = ENGINE_PORTS, .address = OTHER, .bytes = 8, .line = 3};

struct rig {
    struct kvm_coalesced c;
    uint32_t room; /* writes that the device takes yet */
    unsigned calls;
    uint32_t n, largest; /* of got, and of a call */
    struct vc_uart_write got[1024];
};

static uint32_t take(void *ctx, const struct vc_uart_write *writes, uint32_t n)
{
    struct rig *r = ctx;
    uint32_t taken = n < r->room ? n : r->room;

    r->calls++;
    r->largest = n > r->largest ? n : r->largest;
    for (uint32_t i = 0; i < taken; i++)
        r->got[r->n++] = writes[i];
    r->room -= taken;
    return taken;
}

/* A zone that is on, as begin leaves it: the ioctl itself is tests/kvm's. */
static int make(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    kvm_coalesced_init(&r->c);
    r->c.ring = aligned_alloc(4096, 4096);
    memset(r->c.ring, 0, 4096);
    r->c.owner = &com1;
    r->c.on = true;
    r->c.zone = (struct kvm_coalesced_mmio_zone){.addr = PORT, .size = 1, .pio = 1};
    r->room = UINT32_MAX;
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct rig *r = *state;

    free(r->c.ring);
    kvm_coalesced_detach(&r->c);
    kvm_coalesced_finish(&r->c);
    free(r);
    return 0;
}

static void record_at(struct rig *r, uint64_t address, uint32_t width, uint32_t pio, uint64_t value)
{
    struct kvm_coalesced_mmio_ring *ring = r->c.ring;
    struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->last];

    memset(entry, 0xee, sizeof *entry);
    entry->phys_addr = address;
    entry->len = width;
    entry->pio = pio;
    memcpy(entry->data, &value, sizeof value);
    ring->last = (ring->last + 1) % KVM_COALESCED_PLACES;
}

static void record(struct rig *r, uint8_t byte) { record_at(r, PORT, 1, 1, byte); }

static bool taken(struct rig *r) { return kvm_coalesced_take(&r->c, &com1, take, r); }

static void in_order_wherever_the_ring_begins(void **state)
{
    struct rig *r = *state;

    for (uint32_t first = 0; first < KVM_COALESCED_PLACES; first++)
        for (uint32_t n = 0; n < KVM_COALESCED_PLACES; n += n < 3 || n > 165 ? 1 : 27) {
            r->c.ring->first = r->c.ring->last = first;
            r->n = 0;
            for (uint32_t i = 0; i < n; i++)
                record(r, (uint8_t)i);
            assert_true(taken(r));
            assert_int_equal(r->n, n);
            for (uint32_t i = 0; i < n; i++)
                if (r->got[i].offset != 0 || r->got[i].width != 1 || r->got[i].value != (uint8_t)i)
                    fail_msg("from %u on, %u: write %u is 0x%x", first, n, i, r->got[i].value);
            assert_int_equal(r->c.ring->first, r->c.ring->last);
        }
    assert_true(r->largest <= VC_UART_BATCH);
}

static void what_is_not_taken_comes_again(void **state)
{
    struct rig *r = *state;

    for (uint32_t i = 0; i < 169; i++)
        record(r, (uint8_t)i);
    for (uint32_t n = 0; n < 169; n++) { /* one each time */
        r->room = 1;
        assert_int_equal(taken(r), n == 168);
        assert_int_equal(r->n, n + 1);
        assert_int_equal(r->got[n].value, n);
    }
    r->calls = 0;
    assert_true(taken(r));
    assert_int_equal(r->calls, 0); /* nothing is not handed over */
}

static void others_get_nothing(void **state)
{
    struct rig *r = *state;

    record(r, 'a');
    assert_true(kvm_coalesced_take(&r->c, &com2, take, r));
    assert_false(kvm_coalesced_zone(&r->c, &com2, 1, true)); /* one zone at a time */
    assert_true(kvm_coalesced_zone(&r->c, &com2, 1, false)); /* and it is not com2's to end */
    assert_true(r->c.on);
    assert_int_equal(r->n, 0);
    assert_true(kvm_coalesced_zone(&r->c, &com1, 1, false));
    assert_false(r->c.on);
    assert_ptr_equal(r->c.owner, &com1); /* until its last write is taken */
    r->room = 0;
    assert_false(taken(r));
    assert_ptr_equal(r->c.owner, &com1);
    r->room = 1;
    assert_true(taken(r));
    assert_null(r->c.owner);
    assert_int_equal(r->n, 1);
}

/* Lengths and addresses are the guest's. */
static void what_is_outside_the_zone_is_no_write_of_it(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t width, pio;
    } rows[] = {{PORT + 1, 1, 1}, {PORT - 1, 1, 1}, {PORT, 2, 1},       {PORT, UINT32_MAX, 1}, {PORT, 1, 0},
                {PORT, 1, 2},     {0, 1, 1},        {UINT64_MAX, 1, 1}, {PORT, 8, 1},          {OTHER, 1, 1}};
    struct rig *r = *state;

    for (size_t i = 0; i < N_ROWS(rows); i++) {
        record_at(r, rows[i].address, rows[i].width, rows[i].pio, UINT64_MAX);
        record(r, 'x');
        assert_true(taken(r));
        assert_int_equal(r->got[r->n - 2].offset, UINT64_MAX); /* refused by any device, and done with */
        assert_int_equal(r->got[r->n - 1].value, 'x');
    }
}

static void a_register_of_four_bytes(void **state)
{
    static const struct engine_device pl011 = {.space = ENGINE_MEMORY, .address = 0x9000000, .bytes = 4096, .line = 1};
    static const struct {
        uint32_t offset, width, value;
    } rows[] = {{0, 1, 0x11}, {0, 2, 0x2211}, {0, 4, 0x44332211}, {3, 1, 0x11}, {2, 2, 0x2211}};
    struct rig *r = *state;

    r->c.owner = &pl011;
    r->c.zone = (struct kvm_coalesced_mmio_zone){.addr = pl011.address, .size = 4};
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        record_at(r, pl011.address + rows[i].offset, rows[i].width, 0, UINT64_C(0x8877665544332211));
        assert_true(kvm_coalesced_take(&r->c, &pl011, take, r));
        assert_int_equal(r->got[i].offset, rows[i].offset);
        assert_int_equal(r->got[i].width, rows[i].width);
        assert_int_equal(r->got[i].value, rows[i].value); /* no byte of those that the guest did not write */
    }
    record_at(r, pl011.address, 8, 0, 0);
    assert_true(kvm_coalesced_take(&r->c, &pl011, take, r));
    assert_int_equal(r->got[N_ROWS(rows)].offset, UINT64_MAX);
}

static void indices_that_are_none(void **state)
{
    static const uint32_t rows[][2] = {
        {KVM_COALESCED_PLACES, 0}, {0, KVM_COALESCED_PLACES}, {UINT32_MAX, UINT32_MAX}, {5, 4096}};
    struct rig *r = *state;

    for (size_t i = 0; i < N_ROWS(rows); i++) {
        r->c.ring->first = rows[i][0];
        r->c.ring->last = rows[i][1];
        assert_true(taken(r));
        assert_int_equal(r->calls, 0);
    }
}

static void without_a_ring_nothing_is_recorded(void **state)
{
    struct rig *r = *state;
    struct kvm_coalesced none;

    kvm_coalesced_init(&none);
    assert_false(kvm_coalesced_zone(&none, &com1, 1, true));
    assert_true(kvm_coalesced_zone(&none, &com1, 1, false));
    assert_true(kvm_coalesced_take(&none, &com1, take, r));
    kvm_coalesced_finish(&none);
    assert_int_equal(r->calls, 0);
}

/* A KVM that has the ring, but not for ports; and one that refuses the zone: vm is none here. */
static void a_zone_that_is_refused(void **state)
{
    static const struct engine_device memory = {.space = ENGINE_MEMORY, .address = 0x9000000, .bytes = 4096, .line = 1};
    struct rig *r = *state;

    r->c.owner = NULL;
    r->c.on = false;
    assert_false(kvm_coalesced_zone(&r->c, &com1, 1, true));
    assert_false(kvm_coalesced_zone(&r->c, &memory, 4, true));
    assert_null(r->c.owner);
    assert_false(r->c.on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_wherever_the_ring_begins, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_not_taken_comes_again, make, unmake),
        cmocka_unit_test_setup_teardown(others_get_nothing, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_outside_the_zone_is_no_write_of_it, make, unmake),
        cmocka_unit_test_setup_teardown(a_register_of_four_bytes, make, unmake),
        cmocka_unit_test_setup_teardown(indices_that_are_none, make, unmake),
        cmocka_unit_test_setup_teardown(without_a_ring_nothing_is_recorded, make, unmake),
        cmocka_unit_test_setup_teardown(a_zone_that_is_refused, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
