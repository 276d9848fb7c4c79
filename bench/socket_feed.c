/* SPDX-License-Identifier: MIT */
/*
 * socket_feed: N consoles that say what they have to say as fast as it is taken, and echo what is typed to them. Arguments:
 * "sockets", "ptys", "fifos" or "pipes"; the directory where they are, or the file with the pipes' numbers; N, the bytes of a piece, which is what one write takes. Says
 * "listening", then "connected" when each has somebody, and then does what standard input says:
 *
 *     flood PIECES         every console says so many, one write each at a time; "drained" once the last byte was taken
 *     load RATE BUT        all but that console, so many bytes a second in all (0: as fast as they are taken) until the next
 *                          line; then "quiet", with what they said in how many seconds
 *
 * Or: check PIECE, and on standard input lines "CONSOLE PIECES FILE", one or several files of a console in their order:
 * together they are so many pieces, and nothing else.
 */
#include "feed.h"
#include <sys/resource.h>

static void flood(uint64_t pieces)
{
    uint32_t left = n_feeds;

    for (uint32_t c = 0; c < n_feeds; c++)
        feeds[c].to_say = feeds[c].said + pieces;
    while (left > 0) {
        bool said = false;

        left = 0;
        for (uint32_t c = 0; c < n_feeds; c++) {
            left += feeds[c].said < feeds[c].to_say;
            if (feeds[c].said < feeds[c].to_say && !feeds[c].waits) {
                (void)feed_say(c);
                said = true;
            }
        }
        (void)feed_wait(said || left == 0 ? 0 : -1, false);
    }
    feed_drain();
}

/* Bytes that are due at this rate; all there are if there is none. */
static uint64_t due(uint64_t rate, uint64_t began)
{
    return rate > 0 ? (now_ns() - began) / 1000 * rate / 1000000 : UINT64_MAX;
}

static void load(uint64_t rate, uint32_t but)
{
    uint64_t said = 0, began = now_ns(), took;
    uint32_t c = 0, full = 0;

    while (feed_wait(full >= n_feeds || said >= due(rate, began) ? 1 : 0, true)) {
        uint32_t burst = 0;

        for (full = 0; said < due(rate, began) && burst++ < 64 && full < n_feeds; c = (c + 1) % n_feeds)
            if (c == but || feeds[c].waits)
                full++;
            else
                said += feed_say(c);
    }
    took = now_ns() - began;
    printf("{\"event\": \"quiet\", \"said\": %lu, \"seconds\": %.6f}\n", said, (double)took / 1e9);
    fflush(stdout);
}

static int obey(void)
{
    char line[64];
    uint64_t amount;
    uint32_t but;

    setvbuf(stdin, NULL, _IONBF, 0); /* epoll must see what stands behind a line */
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "flood %lu", &amount) == 1)
            flood(amount);
        else if (sscanf(line, "load %lu %u", &amount, &but) == 2)
            load(amount, but);
        else
            require(*line == '\n' || strcmp(line, "quiet\n") == 0);
        while (feed_wait(-1, true)) {
        }
    }
    return 0;
}

static enum feed_kind kind_of(const char *word)
{
    static const char *const words[] = {
        [FEED_SOCKETS] = "sockets", [FEED_PTYS] = "ptys", [FEED_PIPES] = "pipes", [FEED_FIFOS] = "fifos"};
    enum feed_kind kind = FEED_SOCKETS;

    while (strcmp(words[kind], word) != 0)
        require(++kind <= FEED_FIFOS);
    return kind;
}

static uint32_t number(const char *text) { return (uint32_t)strtoul(text, NULL, 10); }

int main(int argc, char **argv)
{
    struct rlimit most;
    uint32_t piece_bytes;

    require(argc >= 3);
    require(getrlimit(RLIMIT_NOFILE, &most) == 0);
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0);
    piece_bytes = number(argv[argc - 1]);
    require(piece_bytes > PIECE_HEAD && piece_bytes <= PIECE_MOST);
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return feed_check(piece_bytes);
    require(argc == 5);
    feed_open(kind_of(argv[1]), argv[2], number(argv[3]), piece_bytes);
    while (feed_wait(-1, true)) {
    }
    return obey();
}
