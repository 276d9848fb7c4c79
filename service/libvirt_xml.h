/* SPDX-License-Identifier: MIT */
/*
 * libvirt_xml.h: where a domain's console is, by what libvirt writes of a domain that runs, /run/libvirt/qemu/NAME.xml.
 *
 * Spec:  libvirt's formatdomain, "Consoles, serial, parallel & channel devices": <console type='pty'> and <serial type='pty'>, each
 *        with <source path='/dev/pts/N'/>. The first of them counts: libvirt writes a domain's first serial port as its first console too.
 * Owner: nothing is kept.
 * Lock:  none.
 * Trust: the file is libvirt's own, but is read as any text: elements and attributes are found, nothing is expanded.
 */
#ifndef VCONS_SERVICE_LIBVIRT_XML_H
#define VCONS_SERVICE_LIBVIRT_XML_H
#include <stddef.h>

#define LIBVIRT_PATH_BYTES 128u

/* NULL, and its path; else why there is none. text ends with a NUL. */
const char *libvirt_xml_console(const char *text, char path[LIBVIRT_PATH_BYTES]);

#endif
