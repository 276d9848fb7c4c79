/* SPDX-License-Identifier: MIT */
/* An arm64 Image of any bytes: bare, or what gzip is said to have packed. The magic numbers are there if the first byte says so. */
#include "../vmm/kvm/arm64/image.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { LIMIT = 1 << 20, MAGIC_AT = 0x38 };

static void look(const uint8_t *file, size_t n)
{
    struct arm64_image image;

    if (arm64_image_parse(&image, file, n) != NULL)
        return;
    if (image.bytes != file || image.n != n || image.span < n || image.text_offset + image.span > UINT64_C(1) << 30)
        abort();
}

static void unpack(const uint8_t *file, size_t n)
{
    uint8_t *kernel = NULL;
    size_t kernel_bytes = 0;

    arm64_image_check_packed(file, n);
    if (arm64_image_unpack(file, n, LIMIT, &kernel, &kernel_bytes) != NULL) {
        if (kernel != NULL)
            abort();
        return;
    }
    if (kernel_bytes > LIMIT)
        abort();
    look(kernel, kernel_bytes);
    free(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *file;

    if (n < 2)
        return 0;
    file = malloc(n - 1); /* its own, so that one byte behind it is seen */
    if (file == NULL)
        return 0;
    memcpy(file, bytes + 1, n - 1);
    if ((bytes[0] & 1) != 0 && n - 1 >= MAGIC_AT + 4)
        memcpy(file + MAGIC_AT, "ARM\x64", 4);
    if ((bytes[0] & 2) != 0 && n - 1 >= 3)
        memcpy(file, "\x1f\x8b\x08", 3);
    look(file, n - 1);
    unpack(file, n - 1);
    free(file);
    return 0;
}
