/* SPDX-License-Identifier: MIT */
/* Where a domain's console is, in what libvirt 9 writes of one that runs (cut to what matters), and in what is none of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libvirt_xml.h"

#define HEAD                                                                                                           \
    "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit <console type='pty'><source "                        \
    "path='/dev/pts/9'/>\n-->\n"                                                                                       \
    "<domstatus state='running' reason='booted' pid='4711'>\n  <monitor path='/var/lib/libvirt/qemu/m.sock' "          \
    "type='unix'/>\n"                                                                                                  \
    "  <domain type='kvm' id='3'>\n    <name>web</name>\n    <devices>\n      <disk type='file' device='disk'>\n"      \
    "        <source file='/var/lib/x.img'/>\n      </disk>\n"
#define TAIL "    </devices>\n  </domain>\n</domstatus>\n"

static const struct {
    const char *name, *text, *path; /* NULL: there is none */
} rows[] = {
    {"a serial port and its console",
     HEAD
     "<serial type='pty'>\n<source path='/dev/pts/4'/>\n<target type='isa-serial' port='0'><model name='isa-serial'/>"
     "</target>\n<alias name='serial0'/></serial>\n<console type='pty' tty='/dev/pts/4'>\n<source path='/dev/pts/4'/>\n"
     "<target type='serial' port='0'/></console>" TAIL,
     "/dev/pts/4"},
    {"a virtio console alone",
     HEAD "<console type=\"pty\" tty=\"/dev/pts/12\"><source path=\"/dev/pts/12\"/></console>" TAIL, "/dev/pts/12"},
    {"a socket before it",
     HEAD
     "<serial type='unix'><source mode='bind' path='/run/s'/></serial><console type='pty'><source path='/dev/pts/1'/>"
     "</console>" TAIL,
     "/dev/pts/1"},
    {"a socket alone", HEAD "<serial type='unix'><source mode='bind' path='/run/s'/></serial>" TAIL, NULL},
    {"a source of something else behind it",
     HEAD "<console type='pty'><target/></console><channel type='unix'><source path='/run/c'/></channel>" TAIL, NULL},
    {"a domain that has not begun", HEAD "<console type='pty'><target type='serial'/></console>" TAIL, NULL},
    {"no console", HEAD TAIL, NULL},
    {"a path that is none", HEAD "<console type='pty'><source path='pts/1'/></console>" TAIL, NULL},
    {"an entity in it", HEAD "<console type='pty'><source path='/dev/&amp;'/></console>" TAIL, NULL},
    {"nothing", "", NULL},
    {"a file that ends in a name", "<console type='pty'><sour", NULL},
    {"a file that ends in an attribute", "<console type='pty'><source path='/dev/pts/1", NULL},
    {"a comment without end", "<!-- <console type='pty'><source path='/dev/pts/1'/>", NULL},
};

static void consoles_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[LIBVIRT_PATH_BYTES] = "";
        const char *why = libvirt_xml_console(rows[i].text, path);

        if ((why == NULL) != (rows[i].path != NULL) || (why == NULL && strcmp(path, rows[i].path) != 0))
            fail_msg("%s: %s %s", rows[i].name, path, why != NULL ? why : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(consoles_are_found)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
