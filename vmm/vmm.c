/* SPDX-License-Identifier: MIT */
#include "vmm.h"
#include "domain_private.h"
#include "save.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RESTORE_WAIT_MS 3000u

uint64_t vmm_now_ms(void) { return domain_time_ns() / 1000000; }

/* ---- The hypervisor's console: what core's focus asks. ---- */

static void output_ready(void *ctx) { show_wanted(&((struct vmm *)ctx)->show); }

static void typed_for(void *ctx, struct vc_focus_domain *d)
{
    (void)ctx;
    domain_typed(d->ctx);
}

static void key(void *ctx, uint8_t byte) { menu_key(ctx, byte); }

static void moved(void *ctx, struct vc_focus_domain *to)
{
    struct vmm *vmm = ctx;

    vmm->menu.asks = MENU_KEYS;
    link_focus(&vmm->link, to != NULL && vmm->terminal.has_keys ? to->id : 0);
    terminal_resized(&vmm->terminal);
}

static void refused(void *ctx, struct vc_focus_domain *d)
{
    struct vmm *vmm = ctx;

    vmm_print(vmm, "not sent: %s types to %s now", link_holder(&vmm->link, d->id), domain_name(d->ctx));
}

static uint64_t console_now(void *ctx)
{
    (void)ctx;
    return vmm_now_ms();
}

static const struct vc_focus_env focus_env = {.lock = {.lock = NULL},
                                              .now_ms = console_now,
                                              .ready = output_ready,
                                              .input = typed_for,
                                              .key = key,
                                              .moved = moved,
                                              .refused = refused};

static const struct console_env console_env = {.now_ms = console_now};

/* What viewers of the hypervisor's console type is typed at the terminal, and the size of theirs is its, where it has none. */
static void console_work(void *ctx)
{
    struct vmm *vmm = ctx;
    struct vc_line_event event;
    uint8_t keys[512];
    uint32_t n;
    bool any;

    do {
        event.kind = 0;
        console_lock(&vmm->console);
        console_move(&vmm->console);
        vc_source_arm_bytes(&vmm->console.source); /* then look: what comes behind that kicks */
        n = console_get(&vmm->console, keys, sizeof keys);
        any = n > 0 || console_event(&vmm->console, &event);
        console_unlock(&vmm->console);
        vc_focus_type(&vmm->focus, keys, n);
        if (event.kind == VC_LINE_RESIZE) {
            vmm->terminal.viewers_size = (uint32_t)event.value;
            terminal_resized(&vmm->terminal);
        }
    } while (any);
}

static int init_console(struct vmm *vmm, struct problem *problem)
{
    static struct vc_focus_env env;
    /* Without a terminal of its own it is seen by viewers, whose terminals are raw. */
    bool cooked = !vmm->config.on_terminal || terminal_open(&vmm->terminal, vmm);
    struct vc_focus_config config = {.env = &env,
                                     .ctx = vmm,
                                     .lock = &vmm->focus_lock,
                                     .notice = "h help, d domains, r reset, q quit",
                                     .cooked = cooked,
                                     .typed = vmm->typed,
                                     .output = vmm->output,
                                     .typed_bytes = sizeof vmm->typed,
                                     .output_bytes = sizeof vmm->output};

    env = focus_env;
    env.lock = domain_locks;
    pthread_mutex_init(&vmm->focus_lock, NULL);
    vc_focus_init(&vmm->focus, &config);
    vc_focus_conswitch(&vmm->focus, vmm->config.conswitch);
    if (console_init(&vmm->console, &console_env, vmm, &vmm->kicks, 0, problem) != 0)
        return -1;
    if (pump_init(&vmm->pump, &vmm->loop, &vmm->console, console_work, vmm) != 0)
        return problem_set(problem, -1, "cannot watch the hypervisor's line");
    return 0;
}

/* ---- The loop. ---- */

static void say(struct vmm *vmm, char what)
{
    if (vmm->run_fd >= 0)
        (void)!write(vmm->run_fd, &what, 1); /* who started us may be gone: then nobody waits for it */
}

void vmm_notify(struct vmm *vmm) { waker_ask(&vmm->wake); }

static void woken(void *ctx)
{
    struct vmm *vmm = ctx;

    for (size_t i = 0; i < vmm->n_domains; i++)
        domain_look(vmm->domains[i]);
    show_look(&vmm->show);
}

struct domain *vmm_domain(struct vmm *vmm, const char *name)
{
    for (size_t i = 0; i < vmm->n_domains; i++)
        if (strcmp(domain_name(vmm->domains[i]), name) == 0)
            return vmm->domains[i];
    return NULL;
}

/* Ids follow each other; the first is 1, but for a domain that was saved, which is alone. */
struct domain *vmm_domain_of_id(struct vmm *vmm, uint32_t domid)
{
    uint32_t i = vmm->n_domains > 0 ? domid - domain_id(vmm->domains[0]) : 0;

    return i < vmm->n_domains ? vmm->domains[i] : NULL;
}

void vmm_no_keys(struct vmm *vmm) { link_focus(&vmm->link, 0); }

static void unwatch_run(struct vmm *vmm)
{
    if (vmm->watches_run)
        uv_close((uv_handle_t *)&vmm->run, NULL);
    vmm->watches_run = false;
}

/*
 * `vcons run` was killed. Who sits at our terminal sees what they see after a hang-up: the guests go on, and `attach` comes
 * back. Without one there was a script, which meant them to end with it.
 */
static void run_is_gone(uv_poll_t *poll, int status, int events)
{
    struct vmm *vmm = poll->data;

    (void)status, (void)events; /* nobody reads: EPOLLERR, which libuv hands over as an error */
    unwatch_run(vmm);
    if (vmm->terminal.raw)
        vmm_detach(vmm);
    else
        vmm_quit(vmm);
}

static void watch_run(struct vmm *vmm)
{
    if (vmm->run_fd < 0 || vmm->detached || uv_poll_init(&vmm->loop, &vmm->run, vmm->run_fd) != 0)
        return;
    vmm->run.data = vmm;
    vmm->watches_run = true;
    uv_poll_start(&vmm->run, UV_DISCONNECT, run_is_gone);
}

void vmm_detach(struct vmm *vmm)
{
    unwatch_run(vmm); /* it leaves */
    vmm_print(vmm, "domains go on; `vcons attach %s` comes back", vmm->config.name);
    terminal_drain(&vmm->terminal, 200);
    terminal_close(&vmm->terminal);
    vmm_no_keys(vmm);
    say(vmm, 'd');
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct vmm *vmm = handle->data;

    if (number == SIGCONT)
        terminal_again(&vmm->terminal);
    else if (number == SIGWINCH)
        terminal_resized(&vmm->terminal);
    else if (number == SIGHUP)
        vmm_detach(vmm);
    else
        vmm_quit(vmm);
}

/* ---- Start and end. ---- */

static int init_domains(struct vmm *vmm, struct problem *problem)
{
    vmm->domains = calloc(vmm->config.n_domains, sizeof(struct domain *));
    if (vmm->domains == NULL)
        return problem_set(problem, -1, "no memory");
    for (size_t i = 0; i < vmm->config.n_domains; i++) {
        struct problem what;
        const struct domain_config *config = &vmm->config.domains[i];
        struct domain *d = domain_create(vmm, config, config->domid != 0 ? config->domid : (uint32_t)i + 1, &what);

        if (d == NULL)
            return problem_set(problem, -1, "domain \"%s\": %s", vmm->config.domains[i].name, what.text);
        vmm->domains[vmm->n_domains++] = d;
        if (vmm->config.restored != NULL && save_load(d, vmm->config.restored, problem) != 0)
            return -1;
    }
    return 0;
}

static void init_signals(struct vmm *vmm)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCONT, SIGWINCH};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uv_signal_init(&vmm->loop, &vmm->signals[i]);
        vmm->signals[i].data = vmm;
        uv_signal_start(&vmm->signals[i], on_signal, numbers[i]);
    }
}

/* Before there are threads; and only if some engine has programs to start. */
static int init_launcher(struct vmm *vmm, struct problem *problem)
{
    for (size_t i = 0; i < vmm->config.n_domains; i++)
        if (engine_find(vmm->config.domains[i].engine)->exec != NULL)
            return launcher_init(&vmm->launcher, &vmm->config, problem);
    return 0;
}

/* Who restores may well be faster than the hypervisor that saved, and had the same name, comes to its end. */
static int lock_name(struct vmm *vmm, struct problem *problem)
{
    uint64_t deadline = vmm_now_ms() + (vmm->config.restored != NULL ? RESTORE_WAIT_MS : 0);
    int result;

    while ((result = vmm_lock_name(vmm, problem)) != 0 && vmm_now_ms() < deadline)
        uv_sleep(2);
    return result;
}

int vmm_init(struct vmm *vmm, const char *link_path, struct problem *problem)
{
    const char *run_fd = getenv("VCONS_RUN_FD");

    vmm->lock_fd = -1;
    guest_clock_start(&vmm->clock);
    vmm->leave_deadline_ms = UINT64_MAX;
    vmm->terminal = (struct terminal){.vmm = vmm, .in_fd = -1, .out_fd = -1};
    vmm->run_fd = run_fd != NULL ? atoi(run_fd) : -1;
    if (vmm->run_fd >= 0 && fcntl(vmm->run_fd, F_SETFD, FD_CLOEXEC) != 0)
        vmm->run_fd = -1;
    uv_loop_init(&vmm->loop);
    show_init(&vmm->show, vmm);
    uv_timer_init(&vmm->loop, &vmm->leave);
    vmm->leave.data = vmm;
    init_signals(vmm);
    if (waker_init(&vmm->wake, &vmm->loop, woken, vmm) != 0)
        return problem_set(problem, -1, "the loop cannot be woken");
    if (lock_name(vmm, problem) != 0 || init_launcher(vmm, problem) != 0 ||
        console_kicks_init(&vmm->kicks, problem) != 0)
        return -1;
    if (init_console(vmm, problem) != 0 || init_domains(vmm, problem) != 0)
        return -1;
    return link_init(&vmm->link, vmm, link_path, problem);
}

static void start_domains(struct vmm *vmm)
{
    struct problem problem;

    for (size_t i = 0; i < vmm->n_domains; i++)
        if (domain_state(vmm->domains[i]) == DOMAIN_NEW && domain_start(vmm->domains[i], &problem) != 0) {
            if (vmm->config.restored != NULL)
                save_forget(vmm->config.restored, domain_name(vmm->domains[i]));
            vmm_print(vmm, "d%u (%s) does not start: %s", domain_id(vmm->domains[i]), domain_name(vmm->domains[i]),
                      problem.text);
        }
}

static int exit_status(struct vmm *vmm)
{
    for (size_t i = 0; i < vmm->n_domains; i++)
        if (domain_has_crashed(vmm->domains[i]))
            return 1;
    return 0;
}

/* The first lines on the console, before any guest's. */
static void greet(struct vmm *vmm)
{
    for (size_t i = 0; i < vmm->n_domains; i++) {
        vmm_print(vmm, "d%u = %s", domain_id(vmm->domains[i]), domain_name(vmm->domains[i]));
        if (domain_state(vmm->domains[i]) == DOMAIN_NEW)
            domain_join(vmm->domains[i]);
    }
    if (vmm->config.no_kvm.text[0] != '\0')
        vmm_print(vmm, "engine process, for KVM cannot be used: %s", vmm->config.no_kvm.text);
    vc_focus_start(&vmm->focus, vmm->config.conswitch_to_xen ? 0 : domain_id(vmm->domains[0]));
}

int vmm_run(struct vmm *vmm, struct problem *problem)
{
    if (link_first(&vmm->link, problem) != 0)
        return -1;
    /* The name is ours now. From here on the file's past is this domain's. */
    if (vmm->config.restored != NULL && save_remember(vmm->config.restored, vmm->config.domains[0].name, problem) != 0)
        return -1;
    if (vmm_confine(problem) != 0)
        return -1;
    greet(vmm);
    start_domains(vmm);
    vmm->started = true;
    say(vmm, 's');
    watch_run(vmm);
    vmm_domain_off(vmm); /* none may have started */
    uv_run(&vmm->loop, UV_RUN_DEFAULT);
    return exit_status(vmm);
}

void vmm_finish(struct vmm *vmm)
{
    if (vmm->console.memory.base != NULL)
        terminal_drain(&vmm->terminal, 500);
    link_finish(&vmm->link);
    terminal_close(&vmm->terminal);
    for (size_t i = 0; i < vmm->n_domains; i++)
        domain_destroy(vmm->domains[i]);
    pump_finish(&vmm->pump);
    /* What vmm_init made first is there after each of its failures. */
    for (size_t i = 0; i < sizeof vmm->signals / sizeof vmm->signals[0]; i++)
        uv_close((uv_handle_t *)&vmm->signals[i], NULL);
    unwatch_run(vmm);
    show_finish(&vmm->show);
    uv_close((uv_handle_t *)&vmm->leave, NULL);
    waker_finish(&vmm->wake);
    while (uv_run(&vmm->loop, UV_RUN_NOWAIT) != 0)
        ;
    for (size_t i = 0; i < vmm->n_domains; i++)
        domain_free(vmm->domains[i]);
    free(vmm->domains);
    console_finish(&vmm->console);
    console_kicks_finish(&vmm->kicks);
    uv_loop_close(&vmm->loop);
    pthread_mutex_destroy(&vmm->focus_lock);
    launcher_finish(&vmm->launcher);
    vmm_leave_place(vmm);
}
