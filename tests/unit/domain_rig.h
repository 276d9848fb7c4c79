/* SPDX-License-Identifier: MIT */
/* domain_rig.h: what of the hypervisor's process a domain needs, and a domain in it that runs on a test's engine. */
#ifndef VCONS_TESTS_DOMAIN_RIG_H
#define VCONS_TESTS_DOMAIN_RIG_H
#include "vmm/domain_door.h"
#include "vmm/vmm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <vcons/wire/callpage.h>

#include <cmocka.h>

#define RAM (UINT64_C(8) << 20) /* the domain's, from VC_CALL_RAM_BASE */

/* Tests look by themselves. */
static inline void domain_rig_woken(void *ctx) { (void)ctx; }

/* d and vmm are zeroed. The doors are there, and not open. */
static inline void domain_rig_start(struct domain *d, struct vmm *vmm, struct domain_config *config,
                                    const struct engine_ops *ops, void *engine)
{
    struct problem problem;

    uv_loop_init(&vmm->loop);
    assert_int_equal(waker_init(&vmm->wake, &vmm->loop, domain_rig_woken, vmm), 0);
    show_init(&vmm->show, vmm);
    vmm->trace_fd = -1;
    assert_int_equal(console_kicks_init(&vmm->kicks, &problem), 0);
    memcpy(config->name, "rig", sizeof "rig");
    config->vcpus = 1;
    config->memory_bytes = RAM;
    d->vmm = vmm;
    d->config = config;
    d->id = 5;
    d->ops = ops;
    d->engine = engine;
    d->state = DOMAIN_RUNNING;
    assert_int_equal(memory_create(&d->memory, RAM, VC_CALL_RAM_BASE, &problem), 0);
    assert_int_equal(guest_init(d, &problem), 0);
    assert_int_equal(doors_init(d, &problem), 0);
    assert_int_equal(guest_open(d, &problem), 0);
}

static inline void domain_rig_end(struct domain *d)
{
    struct vmm *vmm = d->vmm;

    doors_close(d, true);
    doors_finish(d);
    guest_finish(d);
    show_finish(&vmm->show);
    waker_finish(&vmm->wake);
    while (uv_run(&vmm->loop, UV_RUN_NOWAIT) != 0)
        continue;
    guest_reset(d);
    doors_free(d);
    guest_free(d);
    console_kicks_finish(&vmm->kicks);
    uv_loop_close(&vmm->loop);
    memory_destroy(&d->memory);
}

/* The service comes: c is taken by sink, and only then is a guest held. */
static inline void domain_rig_attach(struct console *c, struct vc_sink *sink)
{
    if (c->memory.geometry == VC_LINK_GEOMETRY_XEN)
        assert_int_equal(vc_sink_open_ring(sink, c->memory.base, c->memory.bytes), VC_OK);
    else
        assert_int_equal(vc_sink_open(sink, c->memory.base, c->memory.bytes), VC_OK);
    console_lock(c);
    console_attached(c);
    console_unlock(c);
}

#endif
