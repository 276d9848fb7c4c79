/* SPDX-License-Identifier: MIT */
/* T6 (uart_in_step.h): the PL011 against its model, and its SBSA subset. */
#include "unit.h"
#include <setjmp.h>

#include "pl011_model.h"
#include "uart_in_step.h"

/* Mostly registers that are, in widths that are. */
static struct vc_uart_write any_access(uint64_t *random)
{
    static const uint32_t offsets[] = {0,    0,    0,    0,    0,    4,    0x18, 0x20, 0x24, 0x28,
                                       0x2c, 0x30, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x44, 0x48, 0xfe8};
    struct vc_uart_write a = {.offset = offsets[random_below(random, N_ROWS(offsets))],
                              .width = 1u << random_below(random, 3)};

    if (random_below(random, 20) == 0)
        a.offset = random_below(random, 3) == 0 ? random_next(random) : random_below(random, 0x1010);
    if (random_below(random, 20) == 0)
        a.width = random_below(random, 9);
    a.value = (uint32_t)random_next(random);
    if (a.offset == UARTCR && random_below(random, 4) != 0)
        a.value = (a.value & 0xcc00) | 0x301 | (random_below(random, 6) == 0 ? 0x80 : 0);
    else if (a.offset == UARTLCR_H && random_below(random, 4) != 0)
        a.value = 0x70;
    else if ((a.offset == UARTIBRD || a.offset == UARTFBRD) && random_below(random, 2) != 0)
        a.value &= 0x1f;
    return a;
}

static void *create(enum vc_pl011_type type, struct uart_rig *rig)
{
    struct vc_pl011 *u = malloc(sizeof *u);

    vc_pl011_init(u, type, &rig_env, rig);
    return u;
}
static void *create_full(struct uart_rig *rig) { return create(VC_PL011_FULL, rig); }
static void *create_sbsa(struct uart_rig *rig) { return create(VC_PL011_SBSA, rig); }

UART_FUNCTIONS(twin, model, model)
static const struct uart_verbs twin_verbs = {UART_VERBS(twin, 4)};
static bool level(const void *model) { return model_level(model); }
static void restored(void *model) { model_restored(model); }
static const uint64_t quiet[] = {UARTRSR, UARTFR, UARTIMSC, UARTRIS, UARTMIS};

static void test_in_step(void **state)
{
    struct in_step_kind kind = {.device = &pl011_verbs,
                                .model = &twin_verbs,
                                .any_access = any_access,
                                .quiet = quiet,
                                .n_quiet = N_ROWS(quiet),
                                .level = level,
                                .restored = restored};

    (void)state;
    for (uint32_t i = 0; i < in_step_runs(); i++) {
        bool sbsa = i % 4 == 3;
        struct model m;

        kind.create = sbsa ? create_sbsa : create_full;
        model_init(&m, sbsa);
        in_step_run(&kind, &m, &m.world, in_step_seed(i));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_step)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
