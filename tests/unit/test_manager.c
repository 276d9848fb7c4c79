/* SPDX-License-Identifier: MIT */
/* The watchdog's sign of life: given as long as the append thread goes round or sleeps, kept back once it stands still. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"

#define HALF_MS 5

static int told; /* the manager's end */

/* Let the loop's timer fire so often, at its own times; how many signs of life came of it. */
static unsigned signs(struct service *s, unsigned looks)
{
    char text[256];
    unsigned n = 0;

    for (unsigned i = 0; i < looks; i++) {
        usleep(2 * HALF_MS * 1000);
        uv_run(&s->loop, UV_RUN_NOWAIT);
    }
    while (recv(told, text, sizeof text - 1, MSG_DONTWAIT) > 0)
        n++;
    return n;
}

static void stands_still(void **state)
{
    static struct service s;
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    told = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "vcons-test-manager-%d", (int)getpid());
    assert_int_equal(
        bind(told, (struct sockaddr *)&at, (socklen_t)(sizeof at.sun_family + 1 + strlen(at.sun_path + 1))), 0);
    at.sun_path[0] = '@';
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    setenv("WATCHDOG_USEC", "10000", 1);
    manager_open(&s.manager);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_int_equal(uv_loop_init(&s.loop), 0);
    s.append.turn = 2;
    assert_int_equal(manager_ready(&s), 0);
    uv_ref((uv_handle_t *)&s.manager.watchdog); /* or the loop has nothing to live for */
    assert_int_equal(signs(&s, 3), 1 + 3);      /* READY, and it sleeps */
    s.append.turn = 3;
    assert_int_equal(signs(&s, 1), 1); /* it has begun something */
    assert_int_equal(signs(&s, 3), 0); /* and is still at it */
    s.append.turn = 5;
    assert_int_equal(signs(&s, 1), 1);
    manager_close(&s.manager);
    uv_close((uv_handle_t *)&s.manager.watchdog, NULL);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s.loop), 0);
    close(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stands_still)};

    message_limit(MESSAGE_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
