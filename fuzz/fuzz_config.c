/* SPDX-License-Identifier: MIT */
/*
 * The checks that a configuration passes before libconfuse sees it: they end, stay inside the text, keep its lines, and what they
 * let through has no control character, no ${ to be filled in outside of quotes that keep it, and no open block.
 */
#include "fuzz.h"
#include <string.h>

#include "host/config.h"

static size_t lines(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += text[i] == '\n';
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem p = {""};
    char *text = malloc(size + 1), word[64];
    size_t at = 0, before;

    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    before = lines(text, size);
    if (config_check("it", text, size, &p) == 0) {
        require(lines(text, size) == before && strlen(text) == size);
        while (config_word(text, &at, word))
            require(at <= size && strlen(word) > 0);
    } else {
        require(strncmp(p.text, "it:", 3) == 0);
    }
    free(text);
    return 0;
}
