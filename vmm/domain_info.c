/* SPDX-License-Identifier: MIT */
#include "domain_private.h"
#include "vmm.h"
#include <errno.h>
#include <grp.h>
#include <unistd.h>

const char *domain_name(const struct domain *d) { return d->config->name; }
uint32_t domain_id(const struct domain *d) { return d->id; }
enum domain_state domain_state(const struct domain *d) { return d->state; }
const struct domain_config *domain_config(const struct domain *d) { return d->config; }
uint32_t domain_n_consoles(const struct domain *d) { return d->n_doors; }
bool domain_has_console(const struct domain *d, uint32_t number)
{
    return number < d->n_doors && !d->doors[number]->absent;
}
const struct config_console *domain_console_config(const struct domain *d, uint32_t number)
{
    return d->doors[number]->config;
}
struct console *domain_console(struct domain *d, uint32_t number) { return &d->doors[number]->console; }
struct pump *domain_pump(struct domain *d, uint32_t number) { return &d->doors[number]->pump; }
struct vc_focus_domain *domain_focus(struct domain *d) { return &d->focus; }
uint32_t domain_boot(const struct domain *d) { return d->boot; }
bool domain_has_crashed(const struct domain *d) { return d->crashed; }

const char *domain_state_word(const struct domain *d)
{
    static const char *const words[] = {[DOMAIN_NEW] = "new",
                                        [DOMAIN_OFF] = "off",
                                        [DOMAIN_RUNNING] = "running",
                                        [DOMAIN_ENDING] = "stopping",
                                        [DOMAIN_WAITING] = "restarting",
                                        [DOMAIN_CRASHED] = "crashed",
                                        [DOMAIN_PRESERVED] = "preserved"};

    return words[d->state];
}

const char *domain_directory(const struct domain *d) { return vmm_directory(d->vmm); }

int domain_drop_privileges(void)
{
    const uid_t nobody = 65534; /* Debian's base-passwd fixes the number; getpwnam is not for use after fork */

    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)
        return -errno;
    return 0;
}

int domain_launch(struct domain *d, const int *fds, unsigned n_fds, struct launched *launched, struct problem *problem)
{
    return launcher_start(&d->vmm->launcher, d->id - 1, fds, n_fds, launched, problem);
}
