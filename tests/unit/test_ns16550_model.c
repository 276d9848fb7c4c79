/* SPDX-License-Identifier: MIT */
/* As T6 (uart_in_step.h): the 16550A against its model. */
#include "unit.h"
#include <setjmp.h>

#include "ns16550_model.h"
#include "uart_in_step.h"

/* Mostly registers that are, and values that leave something to see. */
static struct vc_uart_write any_access(uint64_t *random)
{
    static const uint32_t offsets[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7};
    struct vc_uart_write a = {.offset = offsets[random_below(random, N_ROWS(offsets))], .width = 1};

    if (random_below(random, 30) == 0)
        a.offset = random_below(random, 3) == 0 ? random_next(random) : random_below(random, 10);
    if (random_below(random, 30) == 0)
        a.width = random_below(random, 9);
    a.value = (uint32_t)random_next(random);
    if (a.offset == UART_LCR && random_below(random, 4) != 0)
        a.value &= 0x3f;
    else if (a.offset == UART_MCR && random_below(random, 3) != 0)
        a.value &= 0x0f;
    else if (a.offset == UART_IIR && random_below(random, 3) != 0)
        a.value = (a.value & 0xf8) | 1;
    return a;
}

static void *create(struct uart_rig *rig)
{
    struct vc_16550 *u = malloc(sizeof *u);

    vc_16550_init(u, &rig_env, rig);
    return u;
}

UART_FUNCTIONS(twin, model, model)
static const struct uart_verbs twin_verbs = {UART_VERBS(twin, 1)};
static bool level(const void *model) { return model_level(model); }
static void restored(void *model) { model_restored(model); }
static const uint64_t quiet[] = {UART_LCR, UART_MCR, UART_SCR};
static const struct in_step_kind kind = {.device = &ns16550_verbs,
                                         .model = &twin_verbs,
                                         .create = create,
                                         .any_access = any_access,
                                         .quiet = quiet,
                                         .n_quiet = N_ROWS(quiet),
                                         .level = level,
                                         .restored = restored};

static void test_in_step(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < in_step_runs(); i++) {
        struct model m;

        model_init(&m);
        in_step_run(&kind, &m, &m.world, in_step_seed(i));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_step)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
