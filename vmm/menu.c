/* SPDX-License-Identifier: MIT */
/* Single keys while the hypervisor has the focus, as in Xen. */
#include "vmm.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define CTRL_C 0x03

void vmm_print(struct vmm *vmm, const char *format, ...)
{
    char words[512], text[sizeof words + 16];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(text, sizeof text, "(vcons) %s\n", words);
    vc_focus_print(&vmm->focus, text);
    show_at_once(&vmm->show);
}

static void help(struct vmm *vmm)
{
    vmm_print(vmm, "h help   d domains   c consoles   r reset a domain   q quit (also Ctrl-C)   z leave them running");
}

void menu_domains(struct vmm *vmm)
{
    for (size_t i = 0; i < vmm->n_domains; i++) {
        struct domain *d = vmm->domains[i];
        const struct domain_config *config = domain_config(d);

        char memory[32] = ""; /* of a program nobody here knows it */

        if (config->consoles[0].door != DOOR_COMMAND)
            snprintf(memory, sizeof memory, "%" PRIu64 " MiB, ", config->memory_bytes >> 20);
        vmm_print(vmm, "d%" PRIu32 " = %s: %s, engine %s, %sboot %" PRIu32, domain_id(d), config->name,
                  domain_state_word(d), config->engine, memory, domain_boot(d));
    }
}

static void one_console(struct vmm *vmm, struct domain *d, uint32_t number)
{
    static const char *const flows[] = {
        [CONSOLE_FLOWS] = "flows", [CONSOLE_HELD] = "held: its line is full", [CONSOLE_TAILS] = "its line is full"};

    const struct config_console *config = domain_console_config(d, number);
    struct console *console = domain_console(d, number);
    char not_shown[64] = ""; /* only the first console is shown here at all */
    enum console_flow flow;
    uint64_t dropped;

    if (number == 0)
        snprintf(not_shown, sizeof not_shown, ", %" PRIu64 " not shown here",
                 vc_focus_count(&vmm->focus, domain_focus(d)).not_shown);
    console_lock(console);
    flow = console->flow;
    dropped = console->dropped;
    console_unlock(console);
    vmm_print(vmm, "%s/%s (%s): %s, %" PRIu64 " bytes dropped%s", domain_name(d), config->name,
              config_door_word(config->door), flows[flow], dropped, not_shown);
}

static void consoles(struct vmm *vmm)
{
    for (size_t i = 0; i < vmm->n_domains; i++)
        for (uint32_t number = 0; number < domain_n_consoles(vmm->domains[i]); number++)
            if (domain_has_console(vmm->domains[i], number))
                one_console(vmm, vmm->domains[i], number);
}

static uint32_t last_id(const struct vmm *vmm) { return domain_id(vmm->domains[vmm->n_domains - 1]); }

static void reset_number(struct vmm *vmm, uint8_t key)
{
    struct domain *d;

    if (isdigit(key) && vmm->menu.number < 100000) {
        vmm->menu.number = vmm->menu.number * 10 + (uint32_t)(key - '0');
        if (vmm->menu.number * 10 <= last_id(vmm))
            return; /* it may go on; Enter ends it */
    } else if (key != '\r' && key != '\n') {
        vmm->menu.number = 0;
    }
    vmm->menu.asks = MENU_KEYS;
    d = vmm_domain_of_id(vmm, vmm->menu.number);
    if (d == NULL) {
        vmm_print(vmm, "no domain reset");
        return;
    }
    domain_request(d, REQUEST_RESET);
}

static void quit_answer(struct vmm *vmm, uint8_t key)
{
    vmm->menu.asks = MENU_KEYS;
    if (key == 'y' || key == 'Y' || key == CTRL_C)
        vmm_quit(vmm);
    else
        vmm_print(vmm, "goes on");
}

static void command_key(struct vmm *vmm, uint8_t key)
{
    switch (key) {
    case 'h':
    case '?': help(vmm); break;
    case 'd': menu_domains(vmm); break;
    case 'c': consoles(vmm); break;
    case 'z': vmm_detach(vmm); break;
    case 'r':
        vmm->menu.asks = MENU_RESET;
        vmm->menu.number = 0;
        vmm_print(vmm, "reset which domain? %u to %u, any other key: none", domain_id(vmm->domains[0]), last_id(vmm));
        break;
    case 'q':
    case CTRL_C:
        vmm->menu.asks = MENU_QUIT;
        vmm_print(vmm, "quit and stop all domains? y, any other key: no");
        break;
    default: break;
    }
}

void menu_key(struct vmm *vmm, uint8_t key)
{
    switch (vmm->menu.asks) {
    case MENU_RESET: reset_number(vmm, key); break;
    case MENU_QUIT: quit_answer(vmm, key); break;
    default: command_key(vmm, key); break;
    }
}
