/* SPDX-License-Identifier: MIT */
#include "host/message.h"
#include "vcpu.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/save.h>

#define VERSION    1u
#define VCPU_BYTES 88u

static void write_vcpu(struct vc_writer *w, const struct process_vcpu *v)
{
    vc_write_u32(w, atomic_load(&v->up));
    vc_write_u32(w, v->served);
    vc_write_u64(w, (uint64_t)v->result);
    vc_write_u64(w, v->page->nr);
    for (unsigned i = 0; i < 6; i++)
        vc_write_u64(w, v->page->args[i]);
    vc_write_u64(w, v->page->stack);
    vc_write_u64(w, v->page->go_on);
}

int process_vcpus_save(const struct process_vcpu *vcpus, uint32_t n, void **bytes, size_t *n_bytes,
                       struct problem *problem)
{
    size_t size = 8 + n * (size_t)VCPU_BYTES;
    struct vc_writer w;

    for (uint32_t i = 0; i < n; i++)
        if (vcpus[i].page->go_on == 0)
            return problem_set(problem, -1, "its kernel says not where it would go on: expected one that can be saved");
    *bytes = malloc(size);
    if (*bytes == NULL)
        return problem_set(problem, -1, "no memory");
    vc_writer_init(&w, *bytes, size);
    vc_write_u32(&w, VERSION);
    vc_write_u32(&w, n);
    for (uint32_t i = 0; i < n; i++)
        write_vcpu(&w, &vcpus[i]);
    *n_bytes = w.n;
    return 0;
}

static void read_vcpu(struct vc_reader *r, struct process_vcpu *v)
{
    struct vc_call_page *page = v->page;
    uint32_t up = vc_read_u32(r), served = vc_read_u32(r);

    process_vcpu_reset(v);
    r->bad = r->bad || up > 1 || served > 1;
    atomic_store(&v->up, up == 1);
    v->served = served == 1;
    v->ready = true;
    v->result = (int64_t)vc_read_u64(r);
    page->nr = vc_read_u64(r);
    for (unsigned i = 0; i < 6; i++)
        page->args[i] = vc_read_u64(r);
    page->stack = vc_read_u64(r);
    page->go_on = vc_read_u64(r);
    page->restored = 1;
    vc_store_release(&page->state, VC_CALL_POSTED);
}

int process_vcpus_restore(struct process_vcpu *vcpus, uint32_t n, const void *bytes, size_t n_bytes,
                          struct problem *problem)
{
    struct vc_reader r;

    vc_reader_init(&r, bytes, n_bytes);
    if (vc_read_u32(&r) != VERSION || vc_read_u32(&r) != n)
        return problem_set(problem, -1, "damaged: it holds no %u vCPUs of the process engine", n);
    for (uint32_t i = 0; i < n; i++)
        read_vcpu(&r, &vcpus[i]);
    return vc_reader_done(&r) ? 0 : problem_set(problem, -1, "damaged: its vCPUs are none of the process engine");
}
