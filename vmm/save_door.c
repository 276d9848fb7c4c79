/* SPDX-License-Identifier: MIT */
/* Input that waits for a guest while it is saved: it goes with it, or stays if it is not saved after all. */
#include "save_private.h"
#include "vmm.h"
#include <stdlib.h>
#include <string.h>

#define STEP_BYTES 4096u

uint32_t door_kept(struct door *door, uint8_t *bytes, uint32_t n)
{
    uint32_t left = door->n_kept - door->at_kept;

    n = n < left ? n : left;
    if (n == 0)
        return 0;
    memcpy(bytes, door->kept + door->at_kept, n);
    door->at_kept += n;
    if (door->at_kept == door->n_kept)
        door_drop_kept(door);
    return n;
}

void door_drop_kept(struct door *door)
{
    free(door->kept);
    door->kept = NULL;
    door->n_kept = door->at_kept = 0;
}

int door_keep(struct door *door, const void *bytes, uint32_t n)
{
    uint32_t left = door->n_kept - door->at_kept;
    uint8_t *all;

    if (n == 0)
        return 0;
    all = malloc(left + (size_t)n);
    if (all == NULL)
        return -1;
    if (left > 0)
        memcpy(all, door->kept + door->at_kept, left);
    memcpy(all + left, bytes, n);
    free(door->kept);
    door->kept = all;
    door->at_kept = 0;
    door->n_kept = left + n;
    return 0;
}

int door_keep_first(struct door *door, const void *bytes, uint32_t n)
{
    uint32_t left = door->n_kept - door->at_kept;
    uint8_t *later = door->kept, *from = later != NULL ? later + door->at_kept : NULL;
    int result;

    door->kept = NULL;
    door->n_kept = door->at_kept = 0;
    result = door_keep(door, bytes, n);
    if (result == 0)
        result = door_keep(door, from, left);
    free(later);
    return result;
}

/* From the line, past events that mean nothing to a PV console; then what was typed at the terminal. */
static uint32_t next_input(struct door *door, uint8_t *bytes, uint32_t n)
{
    struct vc_line_event ignored;
    uint32_t got;

    do
        got = console_get(&door->console, bytes, n);
    while (got == 0 && console_event(&door->console, &ignored));
    if (got == 0 && door->number == 0)
        got = vc_focus_read(&door->domain->vmm->focus, &door->domain->focus, bytes, n);
    return got;
}

int save_take_input(struct door *door)
{
    uint8_t bytes[STEP_BYTES];
    uint32_t got, all = 0;

    /* The line's ring and the terminal's, once: a service that goes on typing meanwhile types for the next one. */
    while (all < VC_LINE_IN_DEFAULT + VC_FOCUS_TYPED_BYTES && (got = next_input(door, bytes, sizeof bytes)) > 0) {
        if (door_keep(door, bytes, got) != 0)
            return -1;
        all += got;
    }
    return 0;
}
