/* SPDX-License-Identifier: MIT */
/*
 * imagebuilder.h: ImageBuilder's configuration, a file of shell variables that says which files a tree's modules are.
 *
 * Spec:  ImageBuilder's README.md, scripts/uboot-script-gen: domain number N, from 0, is the node /chosen/domUN, and reg of a module has
 *        the address that the script chose and the exact size of the file. Paths are relative to its option -d; here to
 *        where the configuration is.
 * Owner: imagebuilder_finish frees what imagebuilder_read found.
 * Trust: the file may hold anything. It is read as data: NAME=VALUE and NAME[N]=VALUE, with quotes. A value in which a shell
 *        would fill in something is refused where it is needed, and nothing else is taken from the environment.
 */
#ifndef VMM_DOM0LESS_IMAGEBUILDER_H
#define VMM_DOM0LESS_IMAGEBUILDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct problem;
struct vmm_config;

#define IMAGEBUILDER_DOMAINS_MAX 1024u
#define IMAGEBUILDER_NO_INDEX    UINT32_MAX

struct imagebuilder_value {
    char *name, *text;
    uint32_t index; /* IMAGEBUILDER_NO_INDEX: none */
    unsigned line;
    bool filled_in; /* a shell would: text is not what it stands for */
};

struct imagebuilder {
    const char *file; /* the caller's */
    struct imagebuilder_value *values;
    size_t n_values, n_allocated;
    uint64_t memory_start, memory_end; /* 0 and UINT64_MAX if it does not say */
    uint32_t n_domains;
};

/* 0; -1: the problem says FILE:LINE: why, and there is nothing to finish. */
int imagebuilder_read(struct imagebuilder *b, const char *file, struct problem *problem);
void imagebuilder_finish(struct imagebuilder *b);
/* A value: 0, *text NULL where there is none or an empty one; *number stays as it was then. -1: a shell would fill it in, or it is
 * no number up to most. */
int imagebuilder_text(const struct imagebuilder *b, const char *name, uint32_t index, const char **text,
                      struct problem *problem);
int imagebuilder_number(const struct imagebuilder *b, const char *name, uint32_t index, uint64_t most, uint64_t *number,
                        struct problem *problem);
/* Variable key of the domain whose node has this name: *file is it, or NULL: it has none, or is no node of ImageBuilder's. */
int imagebuilder_file(const struct imagebuilder *b, const char *domain, const char *key, const char **file,
                      struct problem *problem);
/* The nodes that its script has U-Boot make, as a tree: *fdt is the caller's to free. What it cannot say is noted. */
int imagebuilder_tree(const struct imagebuilder *b, struct vmm_config *config, void **fdt, size_t *bytes,
                      struct problem *problem);

#endif
