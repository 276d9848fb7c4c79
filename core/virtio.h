/* SPDX-License-Identifier: MIT */
/* virtio.h: what the files of the virtio transport and its devices share. Private to core/. */
#ifndef CORE_VIRTIO_H
#define CORE_VIRTIO_H
#include <vcons/virtio_mmio.h>

struct vc_reader;
struct vc_writer;

/* The interrupt line as it must be, told if that is a change. */
void vc_virtio_settle(struct vc_virtio_mmio *m);
bool vc_virtio_features_legal(const struct vc_virtio_mmio *m);

#endif
