/* SPDX-License-Identifier: MIT */
/*
 * tiny_virtio_test.h: tables of what must hold of a virtio-console, each row named by its sentence.
 *
 * Spec:  VIRTIO 1.2, 2.1, 2.7, 4.2.2, 5.3.
 * Owner: the devices are tiny's (tiny_virtio.h).
 * Lock:  vCPU 0. Trust: no register is waited for without bound, so that each row ends on any device.
 */
#ifndef GUEST_TINY_VIRTIO_TEST_H
#define GUEST_TINY_VIRTIO_TEST_H
#include "tiny.h"

struct virtio_test {
    struct tiny *t;
    struct virtio_console *c;
    bool own; /* it has the console that tells of it */
};
struct virtio_check {
    const char *what;
    bool (*holds)(const struct virtio_test *test);
    bool anew; /* without the driver of the device: not of our own console's */
};

/* All rows of each device; then "NAME: N ok, M failed". */
void virtio_run_checks(struct tiny_console *c, const char *name, const struct virtio_check *rows, size_t n_rows);
uint32_t virtio_test_get(const struct virtio_test *test, enum virtio_mmio_register at);
void virtio_test_set(const struct virtio_test *test, enum virtio_mmio_register at, uint32_t value);
/* Until it holds; false: it does not, for a minute. */
bool virtio_test_soon(const struct virtio_test *test, bool (*holds)(const struct virtio_test *test));
/* Rows: the driver leaves the device, which is reset then; it begins anew, and all ports are as they were. */
bool virtio_test_leave(const struct virtio_test *test);
bool virtio_test_return(const struct virtio_test *test);

#endif
