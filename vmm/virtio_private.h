/* SPDX-License-Identifier: MIT */
/* virtio_private.h: one device, for domain_virtio.c, which has them all. Devices without ports have nothing but a lock. */
#ifndef VCONS_VMM_VIRTIO_PRIVATE_H
#define VCONS_VMM_VIRTIO_PRIVATE_H
#include "virtio_device.h"

/* -1: no memory; free takes what there is. */
int virtio_device_init(struct virtio_device *v, struct domain *d, uint32_t number);
void virtio_device_free(struct virtio_device *v);
void virtio_device_open(struct virtio_device *v);
void virtio_device_close(struct virtio_device *v);
/* What was put off. */
void virtio_device_serve(struct virtio_device *v);
void virtio_device_access(struct virtio_device *v, uint64_t offset, uint32_t width, uint64_t *value, bool write);
/* The loop is to serve it soon. Any thread. */
void virtio_ask_for_a_look(struct virtio_device *v);

#endif
