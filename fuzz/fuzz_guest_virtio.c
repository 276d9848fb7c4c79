/* SPDX-License-Identifier: MIT */
/* The guest's virtio-console driver on a device that does what it likes. */
#include "../tests/unit/hostile_virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hostile_run(data, size);
    return 0;
}
