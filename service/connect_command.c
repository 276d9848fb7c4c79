/* SPDX-License-Identifier: MIT */
/* Sources that are commands: "command:TEXT", run by a process that may do so (starter.h). */
#include <errno.h>
#include <stdio.h>

#include "connector.h"
#include "service.h"

static int begin(struct connector *k, struct problem *p)
{
    k->asked = starter_request(k->service, STARTER_RUN, k->place.where);
    if (k->asked == 0)
        return problem_set(p, -EAGAIN, "the process that runs commands does not answer");
    return -EINPROGRESS;
}

static void answered(struct connector *k, const struct starter_answer *answer, int fd)
{
    struct problem p;

    if (answer->what == STARTER_EXITED) {
        snprintf(k->farewell, sizeof k->farewell, "%s", answer->text);
        if (k->source == NULL && connector_wanted(k))
            snprintf(k->reason, sizeof k->reason, "%s", answer->text);
    } else if (fd >= 0) {
        k->farewell[0] = '\0';
        connector_connected(k, fd);
    } else {
        problem_set(&p, 0, "cannot be run: %s", answer->text);
        connector_failed(k, &p);
    }
}

/* Its serial stays: how it ended may be told later. */
static void released(struct connector *k)
{
    if (k->asked != 0)
        starter_end(k->service, k->asked);
}

const struct connect_way connect_command = {
    .type = "command", .tty = true, .sizes = true, .begin = begin, .answered = answered, .released = released};
