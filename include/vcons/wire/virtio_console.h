/* SPDX-License-Identifier: MIT */
/*
 * wire/virtio_console.h: the console device of virtio: its configuration, its queues, and the messages of its control queues.
 *
 * Spec: VIRTIO 1.2, 5.3.
 */
#ifndef VCONS_WIRE_VIRTIO_CONSOLE_H
#define VCONS_WIRE_VIRTIO_CONSOLE_H
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_ID_CONSOLE 3u

enum virtio_console_feature { /* numbers of bits: 5.3.3 */
                              VIRTIO_CONSOLE_F_SIZE = 0,
                              VIRTIO_CONSOLE_F_MULTIPORT = 1,
                              VIRTIO_CONSOLE_F_EMERG_WRITE = 2,
};

struct virtio_console_config { /* 5.3.4 */
    uint16_t cols, rows;       /* of port 0, with SIZE */
    uint32_t max_nr_ports;     /* with MULTIPORT */
    uint32_t emerg_wr;         /* written: its low byte is printed, whatever was negotiated */
};
_Static_assert(sizeof(struct virtio_console_config) == 12, "wire layout");
_Static_assert(offsetof(struct virtio_console_config, rows) == 2, "wire layout");
_Static_assert(offsetof(struct virtio_console_config, max_nr_ports) == 4, "wire layout");
_Static_assert(offsetof(struct virtio_console_config, emerg_wr) == 8, "wire layout");

/* 5.3.2: queues come in pairs, of port 0, of control, of port 1, 2, …; in each the first is towards the driver. */
enum virtio_console_queue {
    VIRTIO_CONSOLE_RX0 = 0,
    VIRTIO_CONSOLE_TX0 = 1,
    VIRTIO_CONSOLE_CONTROL_RX = 2,
    VIRTIO_CONSOLE_CONTROL_TX = 3,
};
#define VIRTIO_CONSOLE_RX(port)      ((port) == 0 ? 0u : 2u * (uint32_t)(port) + 2)
#define VIRTIO_CONSOLE_TX(port)      (VIRTIO_CONSOLE_RX(port) + 1)
#define VIRTIO_CONSOLE_QUEUES(ports) (2u * ((uint32_t)(ports) + 1)) /* with MULTIPORT; 2 without */

/* 5.3.6.2. From the device: ADD, REMOVE, CONSOLE_PORT, RESIZE, NAME; from the driver: DEVICE_READY, PORT_READY; both: OPEN. */
enum virtio_console_event {
    VIRTIO_CONSOLE_DEVICE_READY = 0,
    VIRTIO_CONSOLE_PORT_ADD = 1,
    VIRTIO_CONSOLE_PORT_REMOVE = 2,
    VIRTIO_CONSOLE_PORT_READY = 3,
    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
    VIRTIO_CONSOLE_RESIZE = 5,
    VIRTIO_CONSOLE_PORT_OPEN = 6,
    VIRTIO_CONSOLE_PORT_NAME = 7, /* the name's bytes follow */
};
struct virtio_console_control {
    uint32_t id; /* the port's */
    uint16_t event, value;
};
struct virtio_console_resize { /* follows a RESIZE; Linux took rows for the first until 6.15, and 6.1 until 6.1.160 */
    uint16_t cols, rows;
};
_Static_assert(sizeof(struct virtio_console_control) == 8, "wire layout");
_Static_assert(offsetof(struct virtio_console_control, event) == 4, "wire layout");
_Static_assert(offsetof(struct virtio_console_control, value) == 6, "wire layout");
_Static_assert(sizeof(struct virtio_console_resize) == 4, "wire layout");
_Static_assert(offsetof(struct virtio_console_resize, rows) == 2, "wire layout");

#endif
