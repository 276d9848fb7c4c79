/* SPDX-License-Identifier: MIT */
#include "xenconsoled.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

static const char usage[] =
    "vconsd --xenconsoled [-h] [-V] [-v] [-i] [--log=none|guest|hv|all] [--log-dir=DIR] [--pid-file=PATH]\n"
    "       [-t, --timestamp=none|guest|hv|all] [-o, --overflow-data=discard|keep] [--replace-escape] [--replace]\n"
    "       [--run-as USER]\n"
    "\n"
    "The console service in place of Xen's xenconsoled, with its options; by the name xenconsoled it is this without "
    "the first.\n"
    "  --replace  end a xenconsoled that runs, once it has logged what it took, and go on where it was\n"
    "  --run-as   once Xen's devices are open be that user, in place of vcons, if there is one\n"
    "See vconsd(8).\n";

bool xenconsoled_asked(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL, *name = slash != NULL ? slash + 1 : argv[0];

    return (argc > 1 && strcmp(argv[1], "--xenconsoled") == 0) || (argc > 0 && strcmp(name, "xenconsoled") == 0);
}

static int which(const char *option, const char *word, bool *guests, bool *hypervisor)
{
    if (service_config_of(word[0] != '\0' ? word : "none", guests, hypervisor))
        return 0;
    message("--%s=%s: expected none, guest, hv or all", option, word);
    return 2;
}

/* Nothing overflows here, and nothing that is kept stops a guest: both words say what we do. */
static int overflow(const char *word)
{
    if (strcmp(word, "discard") == 0 || strcmp(word, "keep") == 0)
        return 0;
    message("--overflow-data=%s: expected discard or keep", word);
    return 2;
}

static int directory(struct copy_rules *text, const char *path)
{
    if (path[0] != '/' || strlen(path) >= sizeof text->directory) {
        message("--log-dir=%s: expected an absolute path of at most %zu bytes", path, sizeof text->directory - 1);
        return 2;
    }
    snprintf(text->directory, sizeof text->directory, "%s", path);
    return 0;
}

static int take(struct xenconsoled *x, int c)
{
    struct copy_rules *text = &x->text;

    switch (c) {
    case 'l': return which("log", optarg, &text->guests, &text->hypervisor);
    case 't': return which("timestamp", optarg, &text->times_guests, &text->times_hypervisor);
    case 'r': return directory(text, optarg);
    case 'o': return overflow(optarg);
    case 'p': x->pid_file = optarg; return 0;
    case 'i': x->interactive = true; return 0;
    case 'e': text->replace_escape = true; return 0;
    case 'E': x->replace = true; return 0;
    case 'R': x->run_as = optarg; return 0;
    case 'v': x->verbose = true; return 0;
    case 'h': fputs(usage, stdout); exit(0);
    case 'V': puts("vconsd " VCONSD_VERSION); exit(0);
    default: fputs(usage, stderr); return 2;
    }
}

int xenconsoled_parse(struct xenconsoled *x, int argc, char **argv)
{
    static const struct option options[] = {{"help", 0, NULL, 'h'},          {"version", 0, NULL, 'V'},
                                            {"verbose", 0, NULL, 'v'},       {"interactive", 0, NULL, 'i'},
                                            {"log", 1, NULL, 'l'},           {"log-dir", 1, NULL, 'r'},
                                            {"pid-file", 1, NULL, 'p'},      {"timestamp", 1, NULL, 't'},
                                            {"overflow-data", 1, NULL, 'o'}, {"replace-escape", 0, NULL, 'e'},
                                            {"xenconsoled", 0, NULL, 'x'},   {"replace", 0, NULL, 'E'},
                                            {"run-as", 1, NULL, 'R'},        {NULL, 0, NULL, 0}};
    int c, status = 0;

    *x = (struct xenconsoled){.wanted = true, .pid_file = XENCONSOLED_PID_FILE};
    (void)directory(&x->text, XENCONSOLED_LOG_DIR);
    while (status == 0 && (c = getopt_long(argc, argv, "hVvit:o:", options, NULL)) != -1)
        status = c == 'x' ? 0 : take(x, c);
    if (status == 0 && optind < argc) {
        message("%s: no argument is expected", argv[optind]);
        status = 2;
    }
    if (!x->text.guests && !x->text.hypervisor)
        x->text.directory[0] = '\0';
    return status;
}

int xenconsoled_claim(const char *pid_file, int *fd, struct problem *p)
{
    char pid[32];
    ssize_t n;

    *fd = open(pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return problem_set(p, -errno, "%s: %s", pid_file, strerror(errno));
    if (lockf(*fd, F_TLOCK, 0) != 0) {
        n = pread(*fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return problem_set(p, -EBUSY, "%s: held by pid %s, which serves the consoles of this dom0", pid_file, pid);
    }
    n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(*fd, 0) != 0 || pwrite(*fd, pid, (size_t)n, 0) != n)
        return problem_set(p, -EIO, "%s: %s", pid_file, strerror(errno));
    return 0;
}
