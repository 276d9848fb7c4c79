/* SPDX-License-Identifier: MIT */
/*
 * A saved XenStore, with a guest's ring, that is anything at all. What is refused leaves nothing; what is taken serves the guest's
 * page, whatever stands in that, and saved again it is taken again, and stays what it is.
 */
#include "../vmm/xenstore/ring.h"
#include "fuzz.h"

enum { GUEST = 3, SAVED_MAX = 1 << 20 };

static uint8_t first[SAVED_MAX], second[SAVED_MAX];

struct world {
    struct store *store;
    struct store_ring ring;
    struct xenstore_domain_interface page;
};

static void on_notify(void *ctx) { require(ctx != NULL); }
static const struct store_ring_env env = {.notify = on_notify, .work = on_notify};

static bool restore(struct world *w, const uint8_t *bytes, size_t n)
{
    struct vc_reader r;

    vc_reader_init(&r, bytes, n);
    w->store = store_create(NULL);
    require(w->store != NULL && store_introduce(w->store, GUEST));
    return store_restore(w->store, GUEST, &r) && store_ring_restore(&w->ring, w->store, GUEST, &w->page, &env, w, &r) &&
           vc_reader_done(&r);
}

static void drop(struct world *w)
{
    store_ring_detach(&w->ring);
    memset(&w->ring, 0, sizeof w->ring);
    store_destroy(w->store);
}

static size_t save(const struct world *w, uint8_t *bytes)
{
    struct vc_writer writer;

    vc_writer_init(&writer, bytes, SAVED_MAX);
    store_save(w->store, &writer);
    store_ring_save(&w->ring, &writer);
    require(vc_writer_ok(&writer) && writer.n <= store_save_bytes(w->store) + STORE_RING_SAVE_BYTES);
    return writer.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct xenstore_domain_interface page;
    size_t n;

    memset(&w, 0, sizeof w);
    memcpy(&w.page, data, size < sizeof w.page ? size : sizeof w.page); /* the guest's, anything too */
    if (restore(&w, data, size)) {
        n = save(&w, first);
        page = w.page;
        drop(&w);
        require(restore(&w, first, n) && save(&w, second) == n && memcmp(first, second, n) == 0);
        require(memcmp(page.req, w.page.req, sizeof page.req) == 0);
        while (store_ring_serve(&w.ring))
            continue;
        (void)store_write(w.store, "/local/domain/3/x", "x", 1);
    }
    drop(&w);
    return 0;
}
