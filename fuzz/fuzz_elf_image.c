/* SPDX-License-Identifier: MIT */
/*
 * A kernel image of any bytes behind a header that is good as far as it must be: parsed, and loaded into a memory whose
 * size the first byte chooses. The table in tests/unit/test_elf_image.c has the bad magic numbers.
 */
#include "../vmm/elf_image.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void make_plausible(uint8_t *image)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    Elf64_Ehdr h;

    memcpy(&h, image, sizeof h);
    memcpy(h.e_ident, ident, sizeof ident);
    h.e_type = ET_EXEC;
    h.e_machine = EM_X86_64;
    h.e_version = EV_CURRENT;
    h.e_phentsize = sizeof(Elf64_Phdr);
    h.e_phoff %= 256;
    h.e_phnum = h.e_phnum % 4 + 1;
    memcpy(image, &h, sizeof h);
}

static void load(const struct elf *elf, size_t memory_bytes)
{
    uint8_t *memory = calloc(1, memory_bytes + 1);

    if (memory == NULL)
        return;
    if (elf_load(elf, memory, memory_bytes, 1) == NULL && memory[0] != 0)
        abort(); /* the loader's own byte */
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *image;
    struct elf elf;

    if (n < 1 + sizeof(Elf64_Ehdr))
        return 0;
    image = malloc(n - 1); /* its own, so that one byte behind it is seen */
    if (image == NULL)
        return 0;
    memcpy(image, bytes + 1, n - 1);
    make_plausible(image);
    if (elf_parse(&elf, image, n - 1) == NULL)
        load(&elf, (size_t)bytes[0] * 512);
    free(image);
    return 0;
}
