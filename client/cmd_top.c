/* SPDX-License-Identifier: MIT */
#include "live.h"

static int run(struct options *options, int argc, char **argv)
{
    static const enum listing_cell columns[] = {LISTING_NAME,    LISTING_STATE,  LISTING_RATE, LISTING_SIZE,
                                                LISTING_VIEWERS, LISTING_WRITER, LISTING_LAST};
    static const struct live live = {
        .columns = columns, .n_columns = sizeof columns / sizeof columns[0], .busiest_first = true};
    int option;

    while ((option = options_next(options, &command_top, argc, argv, ":h", NULL)) != OPTION_END)
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_top, argc, 0, 0) != 0)
        return EXIT_USAGE;
    return live_run(options, &live);
}

const struct command command_top = {
    .name = "top",
    .usage = "",
    .about = "Show the busiest consoles on the whole terminal; q leaves",
    .help = "  q leaves; j and k, the arrow and page keys move\n",
    .run = run,
};
