/* SPDX-License-Identifier: MIT */
/*
 * error.h: what functions of core return when they cannot do what was asked.
 *
 * Spec:  ours. Xen's errno numbers, which guests see, are in wire/xen.h; the two never mix.
 * Lock:  none.
 */
#ifndef VCONS_ERROR_H
#define VCONS_ERROR_H

enum vc_error {
    VC_OK = 0,
    VC_EPEER = -1,  /* the other side of shared memory broke the protocol: this console is broken until reset */
    VC_EINVAL = -2, /* the caller's argument is out of range */
    VC_ENOSPC = -3, /* no room, or no number left */
    VC_ENOENT = -4, /* no such thing */
    VC_EBUSY = -5,  /* already there, or in use */
    VC_EFAULT = -6, /* a guest address that does not lie in its memory */
    VC_EPERM = -7,  /* this caller may not */
};

#endif
