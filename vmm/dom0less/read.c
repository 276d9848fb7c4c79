/* SPDX-License-Identifier: MIT */
/* From a file to a tree in memory: a blob as it is, a source through dtc. */
#include "dom0less.h"
#include "imagebuilder.h"
#include "slurp.h"
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_DTC = 127 };

static bool is_source(const char *file, const char *bytes, size_t n)
{
    const char *end = strrchr(file, '.');

    if (n >= sizeof(fdt32_t) && fdt32_ld((const fdt32_t *)bytes) == FDT_MAGIC)
        return false;
    return strncmp(bytes, "/dts-v1/", 8) == 0 || (end != NULL && strcmp(end, ".dts") == 0);
}

/* Child: what it writes is bounded, whatever the source includes. */
static _Noreturn void become_dtc(const char *file, int out, int err)
{
    static const struct rlimit limit = {2 * DOM0LESS_TREE_BYTES, 2 * DOM0LESS_TREE_BYTES};

    setrlimit(RLIMIT_FSIZE, &limit);
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
        execlp("dtc", "dtc", "-q", "-I", "dts", "-O", "dtb", "--", file, (char *)NULL);
    _exit(errno == ENOENT ? NO_DTC : 1);
}

/* The first line of what it said. */
static int say_why(const char *file, int status, int err, struct problem *problem)
{
    char *text = NULL;
    size_t n;
    int result;

    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_DTC)
        return problem_set(
            problem, -1,
            "%s: a source is read by dtc, which is not in PATH: install device-tree-compiler, or give a .dtb", file);
    if (lseek(err, 0, SEEK_SET) != 0 || slurp_fd(err, "dtc", DOM0LESS_TREE_BYTES * 2, &text, &n, problem) != 0)
        return problem_set(problem, -1, "%s: dtc failed", file);
    text[strcspn(text, "\n")] = '\0';
    result = problem_set(problem, -1, "%s: dtc: %s", file, text[0] != '\0' ? text : "was killed");
    free(text);
    return result;
}

static int compile(const char *file, char **bytes, size_t *n, struct problem *problem)
{
    int out = memfd_create("dtb", MFD_CLOEXEC), err = memfd_create("dtc", MFD_CLOEXEC), status = -1, result;
    pid_t pid = out >= 0 && err >= 0 ? fork() : -1;

    if (pid == 0)
        become_dtc(file, out, err);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        result = problem_set(problem, -1, "%s: dtc: %s", file, strerror(errno));
    else if (status != 0)
        result = say_why(file, status, err, problem);
    else
        result = lseek(out, 0, SEEK_SET) == 0 ? slurp_fd(out, file, DOM0LESS_TREE_BYTES, bytes, n, problem) : -1;
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
    return result;
}

static int read_tree(const char *file, char **bytes, size_t *n, struct problem *problem)
{
    if (slurp(file, DOM0LESS_TREE_BYTES, bytes, n, problem) != 0)
        return -1;
    if (!is_source(file, *bytes, *n))
        return 0;
    free(*bytes);
    *bytes = NULL;
    return compile(file, bytes, n, problem);
}

/* ImageBuilder's configuration in the place of the tree that its script would have U-Boot make of it. */
static int make_tree(struct vmm_config *config, const char *file, char **bytes, size_t *n, struct problem *problem)
{
    struct imagebuilder b;
    void *fdt = NULL;
    int result;

    if (imagebuilder_read(&b, file, problem) != 0)
        return -1;
    result = imagebuilder_tree(&b, config, &fdt, n, problem);
    imagebuilder_finish(&b);
    *bytes = fdt;
    return result;
}

int dom0less_read(struct vmm_config *config, const struct vmm_config_options *options, struct problem *problem)
{
    const char *file = options->device_tree != NULL ? options->device_tree : options->imagebuilder;
    char *bytes = NULL;
    size_t n = 0;
    int result;

    if (options->device_tree != NULL)
        result = read_tree(file, &bytes, &n, problem);
    else
        result = make_tree(config, file, &bytes, &n, problem);
    if (result == 0)
        result = dom0less_take(config, options, file, bytes, n, problem);
    free(bytes);
    return result;
}
