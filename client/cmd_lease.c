/* SPDX-License-Identifier: MIT */
/* vcons lease: a console's write token for one user for a time. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conn.h"
#include "host/name.h"
#include "when.h"

#define NS_A_SECOND 1000000000ull

static void moment(double seconds, char out[32])
{
    time_t at = (time_t)seconds;
    struct tm tm;

    out[0] = '\0';
    if (localtime_r(&at, &tm) != NULL)
        strftime(out, 32, "%F %H:%M:%S", &tm);
}

static int ask(const struct options *options, json_t *request)
{
    json_t *ok = NULL;
    int status = conn_request(options, request, &ok);
    const json_t *until = json_object_get(ok, "until");
    char text[32];

    if (status == EXIT_DONE && json_is_number(until)) {
        moment(json_number_value(until), text);
        printf("until %s\n", text);
    }
    json_decref(ok);
    return status;
}

static const struct command *const self = &command_lease;

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"for", required_argument, NULL, 'f'},
                                          {"note", required_argument, NULL, 'n'},
                                          {"end", no_argument, NULL, 'e'},
                                          {"steal", no_argument, NULL, 's'},
                                          {0}};
    const char *span = NULL, *note = "";
    bool ends = false, steal = false;
    uint64_t ns = 0;
    struct problem p;
    struct name name;
    int option;

    while ((option = options_next(options, self, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        span = option == 'f' ? optarg : span;
        note = option == 'n' ? optarg : note;
        ends |= option == 'e';
        steal |= option == 's';
    }
    if (arguments_check(self, argc, 1, 1) != 0)
        return EXIT_USAGE;
    if (name_split(argv[optind], &name, &p) != 0)
        return usage_error(self, "%s", p.text);
    if (ends == (span != NULL))
        return usage_error(self, "how long? expected --for SPAN, or --end");
    if (span != NULL && (!when_span(span, &ns) || ns < NS_A_SECOND || ns > VC_CONTROL_LEASE_MAX_S * NS_A_SECOND))
        return usage_error(self, "--for '%s': expected such as 90, 20min or '1h 30min', at most 30 days", span);
    if (strlen(note) >= VC_CONTROL_NOTE_BYTES)
        return usage_error(self, "--note: at most %u bytes", VC_CONTROL_NOTE_BYTES - 1);
    return ask(options, json_pack("{s:s,s:s,s:I,s:s,s:b}", "op", "lease", "console", argv[optind], "for_s",
                                  (json_int_t)(ns / NS_A_SECOND), "note", note, "steal", steal));
}

const struct command command_lease = {
    .name = "lease",
    .usage = "--for SPAN [--note TEXT] [--steal] NAME | --end [--steal] NAME",
    .about = "Keep a console's write token to yourself for a time",
    .help = "  --for SPAN           how long: 90 (seconds), 20min, '1h 30min'; at most 30 days\n"
            "  --note TEXT          why: everybody who attaches sees it\n"
            "  --end                it is over\n"
            "  --steal              also if another user types there or has a lease\n",
    .run = run,
};
