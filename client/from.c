/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "from.h"
#include "when.h"

json_t *from_parse(const char *text)
{
    uint64_t ns;
    char *end;

    if (strcmp(text, "start") == 0 || strcmp(text, "now") == 0)
        return json_string(text);
    if (strcmp(text, "boot") == 0)
        return json_pack("{s:i}", "boot", -1);
    if (isdigit((unsigned char)text[0]) && text[strspn(text, "0123456789")] == '\0') {
        errno = 0;
        ns = strtoull(text, &end, 10);
        return errno == 0 && ns <= INT64_MAX ? json_pack("{s:I}", "offset", (json_int_t)ns) : NULL;
    }
    return when_parse(text, when_now(), &ns) ? json_pack("{s:I}", "time_ns", (json_int_t)ns) : NULL;
}
