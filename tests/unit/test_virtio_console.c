/* SPDX-License-Identifier: MIT */
/* The virtio console device, a row for each rule of VIRTIO 1.2, 5.3, and each habit of a driver (named). */
#include "unit.h"

#include "virtio_rig.h"

#define UP(n) BOOT(), BUFFERS(n, 72), READY(1)
/* Port 0, a console without a name, opened. */
#define OPENED CONSOLE(0, NULL), UP(9), PORT_READY(0, 1), OPEN(0, 1), HEARD("add0 console0 open0:1"), EVENTS("open0")

static const struct rig_row rows[] = {
    /* The way of a port into the guest: 5.3.6.2. */
    {"a console port: as Linux asks for it",
     {CONSOLE(1, "shell"), RESIZE(1, 80, 25), BOOT(), BUFFERS(9, 72), HEARD(""), READY(1), HEARD("add1"),
      PORT_READY(1, 1), HEARD("console1 name1:shell open1:1 size1:80x25"), EVENTS(""), OPEN(1, 1), EVENTS("open1"),
      HEARD("")}},
    {"a port that is none",
     {PORT(2, "agent"), RESIZE(2, 80, 25), UP(9), PORT_READY(2, 1), HEARD("add2 name2:agent open2:1"), OPEN(2, 1),
      EVENTS("open2"), OPEN(2, 0), EVENTS("close2")}},
    {"ports in the order of their ids, each at its own pace",
     DO(CONSOLE(3, NULL), PORT(0, NULL), CONSOLE(1, "b"), UP(9), HEARD("add0 add1 add3"), PORT_READY(3, 1),
        HEARD("console3 open3:1"), PORT_READY(1, 1), HEARD("console1 name1:b open1:1"), PORT_READY(0, 1),
        HEARD("open0:1"))},
    {"nothing before the driver is ready, nor when it failed",
     {CONSOLE(0, NULL), BOOT(), BUFFERS(4, 72), HEARD(""), READY(0), HEARD(""), RESIZE(0, 1, 1), HEARD("")}},
    {"ready again: nothing new", {OPENED, READY(1), PORT_READY(0, 1), OPEN(0, 1), HEARD(""), EVENTS("")}},
    {"failed after all: from the beginning, when it is ready once more",
     {OPENED, READY(0), EVENTS("close0"), RESIZE(0, 9, 9), HEARD(""), READY(1), HEARD("add0"), PORT_READY(0, 1),
      HEARD("console0 open0:1 size0:9x9")}},
    {"a port that the guest could not make hears nothing more",
     {CONSOLE(0, "a"), UP(9), HEARD("add0"), PORT_READY(0, 0), RESIZE(0, 9, 9), HOST(0, 0), HEARD(""), UNPLUG(0),
      HEARD("remove0")}},
    {"no buffers: all waits, nothing is lost, in order",
     DO(CONSOLE(0, "a"), CONSOLE(1, "b"), BOOT(), READY(1), BUFFERS(1, 72), HEARD("add0"), BUFFERS(1, 72),
        HEARD("add1"), PORT_READY(0, 1), PORT_READY(1, 1), BUFFERS(2, 72), HEARD("console0 name0:a"), BUFFERS(9, 72),
        HEARD("open0:1 console1 name1:b open1:1"))},
    {"no event index: the driver tells of each buffer",
     {CONSOLE(0, "a"), BOOT_PLAIN(), READY(1), BUFFERS(1, 72), HEARD("add0"), PORT_READY(0, 1), BUFFERS(9, 72),
      HEARD("console0 name0:a open0:1")}},
    {"buffers that are too small: of no use, or for what fits",
     DO(CONSOLE(0, "longer"), RESIZE(0, 80, 25), BOOT(), READY(1), BUFFERS(2, 7), HEARD("- -"), BUFFERS(1, 8),
        HEARD("add0"), PORT_READY(0, 1), BUFFERS(2, 8), HEARD("console0 open0:1"), BUFFERS(1, 8), HEARD(""),
        RESIZE(0, 81, 26), HEARD(""), HOST(0, 0), BUFFERS(1, 72), HEARD("open0:0"))},
    {"a buffer in which all just fits",
     {CONSOLE(0, "longer"), RESIZE(0, 80, 25), UP(1), PORT_READY(0, 1), BUFFERS(1, 8), BUFFERS(1, 14), BUFFERS(1, 8),
      BUFFERS(1, 12), HEARD("add0 console0 name0:longer open0:1 size0:80x25")}},
    {"a resume: the guest tells of its ports by itself (Linux)",
     {CONSOLE(0, "a"), CONSOLE(1, NULL), BOOT(), BUFFERS(9, 72), PORT_READY(0, 1), OPEN(0, 1), EVENTS("open0"),
      HEARD("console0 name0:a open0:1 add1")}},
    {"a resume: of ports that went meanwhile it hears so",
     {BOOT(), BUFFERS(9, 72), PORT_READY(1, 1), OPEN(1, 1), EVENTS(""), HEARD("remove1")}},

    {"few buffers: each port in its turn, however much one of them has to say",
     DO(CONSOLE(0, "a"), CONSOLE(1, "b"), UP(2), HEARD("add0 add1"), PORT_READY(0, 1), PORT_READY(1, 1), BUFFERS(3, 72),
        HEARD("console0 name0:a open0:1"), BUFFERS(1, 72), HEARD("console1"), RESIZE(0, 80, 25), HOST(0, 0),
        BUFFERS(1, 72), HEARD("name1:b"), RESIZE(0, 81, 25), BUFFERS(1, 72), HEARD("open1:1"), BUFFERS(2, 72),
        HEARD("open0:0 size0:81x25"))},

    /* Hot plug. */
    {"plugged while running",
     {UP(9), HEARD(""), CONSOLE(2, "new"), HEARD("add2"), PORT_READY(2, 1), HEARD("console2 name2:new open2:1")}},
    {"unplugged: said once, and nothing is taken from it any more",
     {OPENED, RX(0, 2, 16), UNPLUG(0), HEARD("remove0"), INPUT(0, "x", 0), TX(0, "lost"), OUT(0, ""), OPEN(0, 0),
      EVENTS(""), HEARD("")}},
    {"unplugged before the guest heard of it: never was",
     {CONSOLE(0, NULL), UNPLUG(0), UP(9), HEARD(""), BOOT(), READY(1), CONSOLE(1, NULL), UNPLUG(1), BUFFERS(4, 72),
      HEARD("")}},
    {"unplugged and plugged: remove goes first, and the new one begins anew",
     DO(OPENED, BOOT(), READY(1), CONSOLE(1, "old"), BUFFERS(2, 72), HEARD("add0 add1"), PORT_READY(1, 1), UNPLUG(1),
        PORT(1, "new"), BUFFERS(9, 72), HEARD("remove1 add1"), OPEN(1, 1), EVENTS("close0"), PORT_READY(1, 1),
        HEARD("name1:new open1:1"), OPEN(1, 1), EVENTS("open1"))},
    {"the answer of a port that went is not the new one's",
     DO(UP(9), CONSOLE(1, NULL), HEARD("add1"), UNPLUG(1), CONSOLE(1, NULL), HEARD("remove1 add1"), PORT_READY(1, 1),
        HEARD(""), OPEN(1, 1), EVENTS(""), PORT_READY(1, 1), HEARD("console1 open1:1"), OPEN(1, 1), EVENTS("open1"))},
    {"… nor while its own ADD still waits for a buffer",
     DO(UP(1), CONSOLE(1, NULL), HEARD("add1"), UNPLUG(1), CONSOLE(1, NULL), PORT_READY(1, 1), OPEN(1, 1), EVENTS(""),
        BUFFERS(9, 72), HEARD("remove1 add1"), PORT_READY(1, 1), HEARD("console1 open1:1"))},
    {"a late answer of a port that is gone",
     {UP(9), CONSOLE(1, NULL), UNPLUG(1), HEARD("add1 remove1"), PORT_READY(1, 1), HEARD("")}},
    {"what was held when it was unplugged is used, its driver spins",
     {OPENED, LET(2), TX(0, "hold me"), TX(0, "me too"), OUT(0, "ho"), HELD(0, 2), UNPLUG(0), HELD(0, 0), LET(99),
      TX(0, "x"), HELD(0, 0), OUT(0, ""), CONSOLE(0, NULL), TX(0, "new"), OUT(0, "new")}},

    /* Output. */
    {"output goes to its own line",
     {CONSOLE(0, NULL), CONSOLE(1, NULL), UP(9), TX(0, "zero"), TX(1, "one"), OUT(0, "zero"), OUT(1, "one")}},
    {"output is taken before the guest opened the port, and after",
     {CONSOLE(0, NULL), BOOT(), TX(0, "a"), OUT(0, "a"), BUFFERS(9, 72), READY(1), TX(0, "b"), OUT(0, "b"),
      PORT_READY(0, 1), OPEN(0, 1), TX(0, "c"), OPEN(0, 0), TX(0, "d"), OUT(0, "cd")}},
    {"many buffers of one chain", {OPENED, SPLIT_TX(0, "gathered"), OUT(0, "gathered")}},
    {"a full line: the rest stays, in order, until there is room",
     {OPENED, LET(3), TX(0, "abcdef"), TX(0, "ghi"), OUT(0, "abc"), ROOM(0, 0), OUT(0, ""), ROOM(0, 2), OUT(0, "de"),
      ROOM(0, 99), OUT(0, "fghi"), TX(0, "j"), OUT(0, "j")}},
    {"… within a chain of many buffers",
     {OPENED, LET(3), SPLIT_TX(0, "abcdef"), OUT(0, "abc"), ROOM(0, 2), OUT(0, "de"), ROOM(0, 2), OUT(0, "f")}},
    {"… and of another port nothing is held",
     {CONSOLE(0, NULL), CONSOLE(1, NULL), UP(9), LET(0), TX(0, "a"), LET(99), TX(1, "b"), OUT(1, "b"), ROOM(0, 99),
      OUT(0, "a")}},
    {"an empty buffer is just used", {OPENED, TX(0, ""), TX(0, "a"), OUT(0, "a")}},
    {"room where nothing waits, or nothing is", {OPENED, ROOM(0, 9), ROOM(3, 9), ROOM(4, 9), ROOM(999, 9), OUT(0, "")}},

    /* Input. */
    {"input waits for the guest to open: Linux discards it before",
     {CONSOLE(0, NULL), UP(9), RX(0, 4, 16), INPUT(0, "x", 0), PORT_READY(0, 1), INPUT(0, "x", 0), OPEN(0, 1),
      EVENTS("open0 room0"), INPUT(0, "x", 1), GOT(0, "x"), IRQ(1)}},
    {"input of no port, or a closed one",
     {OPENED, INPUT(3, "x", 0), INPUT(999, "x", 0), RX(0, 1, 16), OPEN(0, 0), EVENTS("close0"), INPUT(0, "x", 0),
      OPEN(0, 1), EVENTS("open0 room0"), INPUT(0, "x", 1), GOT(0, "x")}},
    {"as much as there are buffers, then told of room once",
     {OPENED, RX(0, 2, 4), EVENTS(""), INPUT(0, "0123456789", 8), GOT(0, "01234567"), RX(0, 1, 4), EVENTS("room0"),
      RX(0, 1, 4), EVENTS(""), INPUT(0, "89", 2), GOT(0, "89"), RX(0, 1, 4), EVENTS("")}},
    {"told of room once, however often the driver tells of buffers",
     {CONSOLE(0, NULL), BOOT_PLAIN(), BUFFERS(9, 72), READY(1), PORT_READY(0, 1), OPEN(0, 1), EVENTS("open0"),
      INPUT(0, "x", 0), RX(0, 1, 4), EVENTS("room0"), RX(0, 1, 4), EVENTS("")}},
    {"a buffer for each offer, filled as far as it goes",
     {OPENED, RX(0, 3, 4), INPUT(0, "ab", 2), INPUT(0, "cd", 2), GOT(0, "abcd"), INPUT(0, "ef", 2), INPUT(0, "gh", 0),
      GOT(0, "ef")}},
    {"a guest that reset: what was offered is asked for again once it is open",
     {OPENED, INPUT(0, "x", 0), RESET(), EVENTS("close0"), UP(9), RX(0, 1, 4), PORT_READY(0, 1), OPEN(0, 1),
      EVENTS("open0 room0")}},
    {"a port that was unplugged owes nobody room",
     {OPENED, INPUT(0, "x", 0), UNPLUG(0), CONSOLE(0, NULL), PORT_READY(0, 1), OPEN(0, 1), EVENTS("open0")}},

    /* Sizes, names, the host. */
    {"a resize: said as of when there is a buffer",
     {OPENED, BOOT(), BUFFERS(2, 72), READY(1), PORT_READY(0, 1), RESIZE(0, 80, 25), RESIZE(0, 90, 30),
      RESIZE(0, 100, 40), HEARD("add0 console0"), BUFFERS(9, 72), HEARD("open0:1 size0:100x40"), RESIZE(0, 100, 40),
      HEARD(""), RESIZE(0, 0, 0), HEARD(""), CONFIG(0, 0)}},
    {"host comes and goes: the newest counts",
     {OPENED, HOST(0, 1), HEARD(""), HOST(0, 0), HOST(0, 1), HEARD("open0:0 open0:1")}},
    {"host away from the beginning",
     {PORT(1, NULL), HOST(1, 0), UP(9), PORT_READY(1, 1), HEARD("add1"), HOST(1, 1), HEARD("open1:1")}},

    /* Wrong things of the guest's. */
    {"messages for ports that are not there, or of no kind, or cut",
     DO(OPENED, OPEN(1, 1), OPEN(3, 1), OPEN(4, 1), OPEN(0xffffffff, 1), PORT_READY(4, 1), PORT_READY(0xffffffff, 1),
        SAY(8, 0, 1), SAY(0xffff, 0, 1), SAY(VIRTIO_CONSOLE_PORT_ADD, 1, 1), SAY(VIRTIO_CONSOLE_PORT_REMOVE, 0, 1),
        SAY(VIRTIO_CONSOLE_CONSOLE_PORT, 0, 1), SAY(VIRTIO_CONSOLE_RESIZE, 0, 1), SAY(VIRTIO_CONSOLE_PORT_NAME, 0, 1),
        CUT(0), CUT(1), CUT(7), HEARD(""), EVENTS(""), STATUS(0xf), TX(0, "on"), OUT(0, "on"))},
    {"opened before it is ready: not heard",
     {CONSOLE(0, NULL), UP(9), OPEN(0, 1), EVENTS(""), PORT_READY(0, 1), OPEN(0, 1), EVENTS("open0")}},

    /* Without MULTIPORT: 5.3.5. */
    {"single: port 0 is a console, and open",
     {CONSOLE(0, "a"), CONSOLE(1, "b"), BOOT_SINGLE(), EVENTS("open0"), TX(0, "out"), OUT(0, "out"), RX(0, 1, 8),
      INPUT(0, "in", 2), GOT(0, "in"), INPUT(1, "x", 0), RESET(), EVENTS("close0")}},
    {"single: its size is told by the configuration, once the driver runs: Linux reads it then only",
     {CONSOLE(0, NULL), RESIZE(0, 80, 25), CONFIG(80, 25), IRQ(0), BOOT_SINGLE(), IRQ(1), ACK(), IRQ(0),
      RESIZE(0, 90, 30), IRQ(1), CONFIG(90, 30)}},
    {"single: no size, no interrupt", {CONSOLE(0, NULL), BOOT_SINGLE(), IRQ(0)}},
    {"single: plugged and unplugged while running",
     {BOOT_SINGLE(), TX(0, "lost"), OUT(0, ""), CONSOLE(0, NULL), EVENTS("open0"), CONSOLE(1, NULL), TX(0, "a"),
      OUT(0, "a"), UNPLUG(0), TX(0, "lost"), OUT(0, ""), UNPLUG(1), EVENTS(""), HEARD("")}},
    {"many ports: the configuration's size is no interrupt",
     {OPENED, ACK(), RESIZE(0, 80, 25), HEARD("size0:80x25"), CONFIG(80, 25)}},

    /* Emergency writes: 5.3.4. */
    {"emergency: before anything was negotiated, to the first console",
     {PORT(0, NULL), CONSOLE(2, NULL), CONSOLE(3, NULL), EMERG('!'), EMERG(0xfffffff0),
      EVENTS("emergency2:33 emergency2:240"), LET(0), EMERG('a'), EVENTS("emergency2:97")}},
    {"emergency: nobody is there", {PORT(0, NULL), EMERG('!'), EVENTS("")}},

    /* Reset: at any time. */
    {"reset: with output held, messages waiting, input owed",
     DO(CONSOLE(0, "a"), BOOT(), READY(1), LET(1), TX(0, "abc"), OUT(0, "a"), INPUT(0, "x", 0), RESET(), EVENTS(""),
        LET(99), ROOM(0, 99), OUT(0, ""), IRQ(0), UP(9), TX(0, "def"), OUT(0, "def"), PORT_READY(0, 1),
        HEARD("add0 console0 name0:a open0:1"))},
    {"reset: of a device that was never started", {RESET(), RESET(), STATUS(0), EVENTS("")}},
};

static void guest_and_host_in_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        rig_run(&rows[i], &(struct vc_virtio_console_config){.ports = RIG_PORTS});
}

static void rows_first(void **state)
{
    static const struct rig_row row = {"rows first, for Linux before 6.15; the configuration is as ever",
                                       {CONSOLE(0, NULL), RESIZE(0, 80, 25), CONFIG(80, 25), UP(9), PORT_READY(0, 1),
                                        HEARD("add0 console0 open0:1 size0:25x80")}};

    (void)state;
    rig_run(&row, &(struct vc_virtio_console_config){.ports = RIG_PORTS, .rows_first = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_and_host_in_steps),
        cmocka_unit_test(rows_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
