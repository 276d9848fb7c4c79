/* SPDX-License-Identifier: MIT */
/*
 * A bzImage of any bytes behind a header that is good as far as it must be; the first byte chooses the way of packing, so
 * that no time goes by with guessing magic numbers.
 */
#include "../vmm/kvm/x86_64/bzimage.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { SETUP = 2 * 512, LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const uint8_t magic[4][6] = {
        {0x1f, 0x8b, 8}, {0xfd, '7', 'z', 'X', 'Z', 0}, {0x28, 0xb5, 0x2f, 0xfd}, {0x02, 0x21, 0x4c, 0x18}};
    static const size_t magic_bytes[4] = {3, 6, 4, 4};
    uint8_t *file, *kernel = NULL;
    unsigned way = n > 0 ? bytes[0] & 3 : 0;
    size_t kernel_bytes = 0;
    uint32_t length;

    if (n < 2)
        return 0;
    length = (uint32_t)(magic_bytes[way] + n - 1);
    file = calloc(1, SETUP + length); /* its own, so that one byte behind it is seen */
    if (file == NULL)
        return 0;
    file[0x1f1] = 1;
    memcpy(file + 0x1fe, "\x55\xaa", 2);
    memcpy(file + 0x202, "HdrS\x0f\x02", 6);
    memcpy(file + 0x24c, &length, sizeof length);
    memcpy(file + SETUP, magic[way], magic_bytes[way]);
    memcpy(file + SETUP + magic_bytes[way], bytes + 1, n - 1);
    if (bytes[0] & 0x80) /* the header, too */
        memcpy(file + 0x1f1, bytes + 1, n - 1 < 0x5f ? n - 1 : 0x5f);
    if (bzimage_unpack(file, SETUP + length, LIMIT, &kernel, &kernel_bytes) == NULL) {
        if (kernel == NULL || kernel_bytes > LIMIT)
            abort();
        free(kernel);
    } else if (kernel != NULL) {
        abort();
    }
    free(file);
    return 0;
}
