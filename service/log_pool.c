/* SPDX-License-Identifier: MIT */
/* Slots of memory for what the disk refuses. */
#include "log_memory.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int log_pool_open(struct log_pool *p, uint64_t bytes)
{
    uint64_t n = bytes / LOG_SLOT_BYTES;

    *p = (struct log_pool){.n_slots = n < LOG_NO_SLOT ? (uint32_t)n : LOG_NO_SLOT - 1};
    if (p->n_slots > 0) {
        void *at = mmap(NULL, (size_t)p->n_slots * LOG_SLOT_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        p->free = calloc(p->n_slots, sizeof *p->free);
        p->at = at == MAP_FAILED ? NULL : at;
    }
    if (p->n_slots > 0 && (p->at == NULL || p->free == NULL)) {
        log_pool_close(p);
        return -ENOMEM;
    }
    return -pthread_mutex_init(&p->lock, NULL);
}

void log_pool_close(struct log_pool *p)
{
    if (p->at != NULL) {
        munmap(p->at, (size_t)p->n_slots * LOG_SLOT_BYTES);
        pthread_mutex_destroy(&p->lock);
    }
    free(p->free);
    *p = (struct log_pool){0};
}

uint8_t *log_slot_at(const struct log_pool *p, uint16_t slot) { return p->at + (size_t)slot * LOG_SLOT_BYTES; }

uint16_t log_slot_take(struct log_pool *p)
{
    if (p->n_free > 0)
        return p->free[--p->n_free];
    return p->n_fresh < p->n_slots ? (uint16_t)p->n_fresh++ : LOG_NO_SLOT;
}

void log_slot_give(struct log_pool *p, uint16_t slot)
{
    (void)madvise(log_slot_at(p, slot), LOG_SLOT_BYTES, MADV_DONTNEED);
    p->free[p->n_free++] = slot;
}
