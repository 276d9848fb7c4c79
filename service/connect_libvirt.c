/* SPDX-License-Identifier: MIT */
/* Sources that libvirt knows by name: "libvirt:DOMAIN", whose pseudo-terminal has another number after each start. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connector.h"
#include "host/file.h"
#include "libvirt_xml.h"

#define STATUS       "/run/libvirt/qemu" /* of libvirtd and virtqemud for the system */
#define STATUS_BYTES (1024u * 1024)

static int read_status(const char *domain, char *text, struct problem *p)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, STATUS "/%s.xml", domain);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return problem_set(p, -errno, "%s", errno == ENOENT ? "libvirt runs no domain of that name" : strerror(errno));
    n = file_read(fd, text, STATUS_BYTES);
    close(fd);
    if (n < 0)
        return problem_set(p, (int)n, "%s: %s", path, strerror((int)-n));
    text[n] = '\0';
    return 0;
}

static int find(const char *domain, char path[LIBVIRT_PATH_BYTES], struct problem *p)
{
    char *text = malloc(STATUS_BYTES + 1);
    const char *why = NULL;
    int error = text != NULL ? read_status(domain, text, p) : problem_set(p, -ENOMEM, "no memory");

    if (error == 0)
        why = libvirt_xml_console(text, path);
    free(text);
    return why != NULL ? problem_set(p, -ENOENT, "%s: %s", domain, why) : error;
}

/* The name is looked up each time: a pseudo-terminal that went is somebody else's at once. */
static int begin(struct connector *k, struct problem *p)
{
    char path[LIBVIRT_PATH_BYTES];
    int error = find(k->place.where, path, p);

    if (error == 0)
        error = connect_lock(k, path, p); /* one reader, be it us or `virsh console` */
    return error ? error : connect_open_pty(path, p);
}

static void adopted(struct connector *k)
{
    char path[LIBVIRT_PATH_BYTES];
    struct problem p;

    if (find(k->place.where, path, &p) == 0)
        connect_lock_again(k, path);
}

const struct connect_way connect_libvirt = {
    .type = "libvirt", .tty = true, .sizes = true, .begin = begin, .adopted = adopted, .released = connect_unlock};
