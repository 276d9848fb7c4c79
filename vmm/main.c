/* SPDX-License-Identifier: MIT */
#include "host/file.h"
#include "host/message.h"
#include "host/paths.h"
#include "vmm.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_ENGINE = 7 };

static const char usage[] =
    "usage: vcons-vmm [--check|--list] [--link PATH] [--name NAME] [--engine E] [--detached] [--trace "
    "hypercalls[=FILE]] "
    "CONFIG\n"
    "       vcons-vmm [options] --device-tree TREE [--module ADDR=FILE]... [--imagebuilder FILE]\n"
    "       vcons-vmm [options] --imagebuilder FILE\n"
    "       vcons-vmm [options] --restore FILE [--restore-as NAME]\n"
    "       vcons-vmm [options] -k KERNEL [-i RAMDISK] [-a CMDLINE] [-m MIB] [--console TYPE[,TYPE]...]\n"
    "Runs the domains of CONFIG, or those below /chosen of a device tree for Xen. --check only says whether it is "
    "right,\n"
    "--list also what it has. --trace writes a line for each hypercall, and their counts at the end, to FILE or to\n"
    "standard error.\n";

struct arguments {
    struct vmm_config_options options;
    const char *link;
    const char *trace; /* a file; empty: standard error; NULL: nobody asked */
    bool check, detached;
    const char **modules; /* --module, in their order */
};

/* hypercalls, or hypercalls=FILE */
static int parse_trace(struct arguments *a, const char *what)
{
    static const char word[] = "hypercalls";
    size_t n = sizeof word - 1;

    if (strncmp(what, word, n) != 0 || (what[n] != '\0' && (what[n] != '=' || what[n + 1] == '\0')))
        return -1;
    a->trace = what[n] == '=' ? what + n + 1 : "";
    return 0;
}

static int open_trace(struct vmm *vmm, const char *path, struct problem *problem)
{
    if (path == NULL)
        vmm->trace_fd = -1;
    else if (path[0] == '\0')
        vmm->trace_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        vmm->trace_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (path != NULL && vmm->trace_fd < 0)
        return problem_set(problem, -1, "--trace: %s: %s", path[0] != '\0' ? path : "standard error", strerror(errno));
    return 0;
}

static int parse_arguments(struct arguments *a, int argc, char **argv)
{
    static const struct option words[] = {{"check", no_argument, NULL, 'C'},
                                          {"link", required_argument, NULL, 'L'},
                                          {"name", required_argument, NULL, 'N'},
                                          {"engine", required_argument, NULL, 'E'},
                                          {"detached", no_argument, NULL, 'D'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"trace", required_argument, NULL, 'T'},
                                          {"restore", required_argument, NULL, 'R'},
                                          {"console", required_argument, NULL, 'O'},
                                          {"restore-as", required_argument, NULL, 'A'},
                                          {"device-tree", required_argument, NULL, 'd'},
                                          {"imagebuilder", required_argument, NULL, 'I'},
                                          {"module", required_argument, NULL, 'M'},
                                          {"list", no_argument, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
    bool tree;
    int word;

    a->modules = calloc((size_t)argc, sizeof *a->modules);
    if (a->modules == NULL)
        return -1;
    a->options.modules = a->modules;
    while ((word = getopt_long(argc, argv, "k:i:a:m:h", words, NULL)) != -1) {
        switch (word) {
        case 'C': a->check = true; break;
        case 'L': a->link = optarg; break;
        case 'N': a->options.name = optarg; break;
        case 'E': a->options.engine = optarg; break;
        case 'R': a->options.restore = optarg; break;
        case 'A': a->options.restore_as = optarg; break;
        case 'D': a->detached = true; break;
        case 'd': a->options.device_tree = optarg; break;
        case 'I': a->options.imagebuilder = optarg; break;
        case 'M': a->modules[a->options.n_modules++] = optarg; break;
        case 'l': a->check = a->options.list = true; break;
        case 'T':
            if (parse_trace(a, optarg) != 0)
                return -1;
            break;
        case 'k': a->options.kernel = optarg; break;
        case 'i': a->options.ramdisk = optarg; break;
        case 'a': a->options.cmdline = optarg; break;
        case 'm': a->options.memory = optarg; break;
        case 'O': a->options.consoles = optarg; break;
        case 'V': puts("vcons-vmm " VCONS_VERSION); exit(0);
        case 'h': fputs(usage, stdout); exit(0);
        default: return -1;
        }
    }
    a->options.file = argv[optind];
    if (a->options.consoles != NULL && a->options.kernel == NULL)
        return -1; /* a file names its own */
    if (a->options.n_modules > 0 && a->options.device_tree == NULL)
        return -1; /* a module is the tree's */
    tree = a->options.device_tree != NULL || a->options.imagebuilder != NULL;
    if (argc - optind > 1 ||
        (a->options.file != NULL) + (a->options.kernel != NULL) + (a->options.restore != NULL) + tree != 1)
        return -1;
    return 0;
}

/* Five descriptors a console, and those of KVM: the default of 1024 is for other programs. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int default_link(char path[PATHS_SOCKET_BYTES], struct problem *problem)
{
    struct paths paths;

    if (paths_find(PATHS_USER, &paths, problem) != 0 || paths_socket(path, paths.runtime, PATHS_LINK, problem) != 0)
        return -1;
    return 0;
}

static int run(struct vmm *vmm, const struct arguments *a)
{
    char link[PATHS_SOCKET_BYTES];
    struct problem problem;
    int status = -1;

    vmm->detached = a->detached;
    if (a->detached)
        vmm->config.on_terminal = false;
    if (open_trace(vmm, a->trace, &problem) != 0) {
        message("%s", problem.text);
        return 1;
    }
    if ((a->link != NULL || default_link(link, &problem) == 0) &&
        vmm_init(vmm, a->link != NULL ? a->link : link, &problem) == 0)
        status = vmm_run(vmm, &problem);
    vmm_finish(vmm);
    if (vmm->trace_fd >= 0)
        close(vmm->trace_fd);
    if (status < 0) {
        message("%s", problem.text);
        return 1;
    }
    return status;
}

/* What is asked for and not given is told once: to who asks for the list, and to who runs it. */
static void tell_notes(const struct vmm_config *config)
{
    for (size_t i = 0; i < config->n_notes && i < CONFIG_NOTES_MAX; i++)
        if (config->notes != NULL && config->notes[i] != NULL)
            message("%s", config->notes[i]);
    if (config->n_notes > CONFIG_NOTES_MAX)
        message("%s: %zu more like these", config->file, config->n_notes - CONFIG_NOTES_MAX);
}

static int start(struct vmm *vmm, const struct arguments *a)
{
    if (vmm_config_read(&vmm->config, &a->options) != 0)
        return vmm->config.unusable ? EXIT_ENGINE : EXIT_USAGE;
    if (!a->check || a->options.list)
        tell_notes(&vmm->config);
    if (a->options.list)
        config_list(&vmm->config, stdout);
    return a->check ? 0 : run(vmm, a);
}

int main(int argc, char **argv)
{
    static struct vmm vmm; /* large: it holds the buffers of the hypervisor's console */
    struct arguments arguments = {0};
    int status;

    file_standard();
    message_program("vcons-vmm");
    if (parse_arguments(&arguments, argc, argv) != 0) {
        fputs(usage, stderr);
        status = EXIT_USAGE;
    } else {
        raise_limits();
        status = start(&vmm, &arguments);
        vmm_config_finish(&vmm.config);
    }
    free(arguments.modules);
    return status;
}
