# SPDX-License-Identifier: MIT
"""The terminal of vcons-vmm: focus, who sees what is typed, prefixes, partial lines, keys, and how it is left."""
import re
import signal

from hypervisor import SWITCH, Hypervisor, domain, log_of
from vcons import IN, Control, Place, wait_for

THREE = domain("web") + domain("db") + domain("io", console=("con", "console_io"))


def boots(h, n):
    for _ in range(n):
        h.expect("tiny: the vcons test kernel")


def focus_goes_round(place):
    h = Hypervisor(place, THREE)
    for i, name in enumerate(("web", "db", "io"), 1):
        h.expect(f"d{i} = {name}")
    h.expect("*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)")
    h.expect("web. To quit")
    for i in range(1, 4):
        h.type(f"echo I-am-{i}\r")
        h.expect(f"\nI-am-{i}\r\n")
        h.type(SWITCH)
        h.expect(f"*** Serial input to {'DOM%d' % (i + 1) if i < 3 else 'Xen'}")
    h.type(SWITCH)
    h.expect("*** Serial input to DOM1")
    # One or two switch characters before another key are delivered, and belong to the domain.
    h.type(b"\x01\x01echo two\r")
    h.expect("echo two")
    h.type(b"echo end\r")
    h.expect("\nend\r\n")
    assert h.quit() == 0
    assert h.restored(), "the terminal is not as it was"
    h.close()


def unread_input_stays(place):
    """Typed for a domain that does not read: no other domain ever sees it."""
    h = Hypervisor(place, domain("busy", "slow 600 5") + domain("next") + domain("last"))
    h.expect("slow 0")
    secret = "echo SECRET-" + "s" * 900 + "\r"
    h.type(secret * 8)  # more than its ring holds: some stays with the hypervisor
    h.type(SWITCH)
    h.expect("*** Serial input to DOM2")
    h.type("echo mine\r")
    h.expect("\nmine\r\n")
    h.type(SWITCH)
    h.expect("*** Serial input to DOM3")
    h.type("echo mine-too\r")
    h.expect("\nmine-too\r\n")
    assert h.quit() == 0
    assert not re.search(rb"\(d[23]\) [^\n]*SECRET", bytes(h.shown))
    for name in ("next/hvc0", "last/hvc0"):
        assert b"SECRET" not in place.log_bytes(name) and b"ssss" not in place.log_bytes(name)
    h.close()


def others_are_prefixed_and_whole(place):
    h = Hypervisor(place, domain("quiet") + domain("a", "spew 200 60") + domain("b", "spew 200 60"))
    boots(h, 3)
    wait_for(lambda: h.read(0.05) and False or h.shown.count(b") 199 ") == 2, "both spews")
    for line in bytes(h.shown).split(b"\r\n"):
        if re.match(rb"\(d[23]\) \d+ ", line):
            number = int(line[5:].split()[0])
            assert len(line) == 5 + 60, f"a line is not whole: {line!r}"
            assert line[5:].split()[0] == b"%d" % number
        else:
            assert not re.search(rb"\d+ [A-Za-z0-9+-]{40}", line), f"without its prefix: {line!r}"
    assert h.quit() == 0
    h.close()


def partial_line_comes_with_the_focus(place):
    h = Hypervisor(place, domain("web") + domain("db"))
    boots(h, 2)
    wait_for(lambda: h.read(0.05) and False or log_of(place, "db/hvc0").endswith(b"tiny> "), "the prompt of db")
    assert h.shown.count(b"tiny> ") == 1, "db's prompt has no end of line, so it waits"
    h.type(SWITCH)
    h.expect("*** Serial input to DOM2")
    before = h.expect("tiny> ")
    assert b"web" not in before
    h.type("echo after\r")
    h.expect("after")
    assert h.quit() == 0
    h.close()


def keys_of_the_hypervisor(place):
    h = Hypervisor(place, 'hypervisor { conswitch = "bx" }\n' + domain("web") + domain("db"))
    h.expect("*** Serial input to Xen (type 'CTRL-b' three times to switch input)")
    boots(h, 2)
    h.type("h")
    h.expect("r reset a domain")
    h.type("d")
    h.expect("d1 = web: running, engine process, 64 MiB, boot 1")
    h.expect("d2 = db: running")
    h.type("c")
    h.expect("web/hvc0 (xen): flows")
    h.type("r2")
    h.expect("d2 (db) is reset")
    h.expect("tiny: the vcons test kernel")
    h.type("d")
    h.expect("d2 = db: running, engine process, 64 MiB, boot 2")
    h.type("r9")
    h.expect("no domain reset")
    h.type("qn")
    h.expect("goes on")
    h.type(b"\x03")
    h.expect("quit and stop all domains?")
    h.type(b"\x03")
    assert h.wait() == 0
    assert h.restored()
    h.close()


def detached(place, how):
    h = Hypervisor(place, domain("web"))
    boots(h, 1)
    h.expect("tiny> ")
    if how == "z":
        h.type(SWITCH)
        h.expect("*** Serial input to Xen")
        h.type("z")
    else:
        h.process.send_signal(signal.SIGHUP)
    h.expect("domains go on")
    wait_for(h.restored, "the terminal's settings")
    assert h.process.poll() is None
    return h


def viewer_comes_back(place):
    """The hypervisor's console is a console like any other: whoever attaches to it sees and types as at the terminal."""
    h = detached(place, "z")
    with Control(place.control) as c:
        c.attach("test/console", start="start", write="free")
        seen = bytearray()

        def expect(what):
            while what not in seen:
                seen.extend(c.out()[1])
            del seen[:seen.index(what) + len(what)]
        expect(b"domains go on")
        c.send(IN, SWITCH)
        expect(b"*** Serial input to DOM1")
        c.send(IN, b"echo from-afar\r")
        expect(b"\nfrom-afar\r\n")
        c.send(IN, SWITCH + b"d")
        expect(b"d1 = web: running")
        c.send(IN, b"qy")
        expect(b"d1 (web) is stopped")
    assert h.wait() == 0
    h.close()


def a_viewer_takes_the_keyboard(place):
    """One writes at a time: while a viewer has the token, keys of the terminal are refused, and it is said who has it."""
    h = Hypervisor(place, domain("web") + domain("db"))
    h.expect("tiny> ")
    with Control(place.control) as c:
        wait_for(lambda: (c.ls()["web/hvc0"]["writer"] or "").startswith("terminal"), "the terminal's claim")
    with Control(place.control) as c:
        c.attach("web/hvc0", start="now", write="steal")
        wait_for(lambda: h.type("x") or h.read(0.1) and b"types to web now" in h.shown, "the notice")
        h.expect("not sent: ")
        h.type("echo refused\r")
        c.send(IN, b"echo viewer\r")
        h.expect("\nviewer\r\n")
        assert b"echo refused" not in h.shown
    wait_for(lambda: h.type("echo mine\r") or h.read(0.1) and b"\nmine\r\n" in h.shown, "the keyboard back")
    assert h.quit() == 0
    h.close()


def leaves_by_signal(place):
    for how in ("z", "hup"):
        h = detached(place, how)
        h.process.send_signal(signal.SIGTERM)
        assert h.wait() == 0
        h.close()
    h = Hypervisor(place, domain("web"))
    boots(h, 1)
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    assert h.restored()
    h.close()


def stopped_terminal_stops_nobody(place):
    """Nobody reads the terminal: the guest goes on, and a mark says what was not shown."""
    h = Hypervisor(place, domain("web", "spew 50000; poweroff") + domain("db"))
    wait_for(lambda: len(log_of(place, "web/hvc0")) > 50000 * 80, "the whole spew in the log", 60)
    h.expect("bytes not shown]")
    assert h.quit() == 0
    h.close()


def main():
    for test in (focus_goes_round, unread_input_stays, others_are_prefixed_and_whole, partial_line_comes_with_the_focus,
                 keys_of_the_hypervisor, viewer_comes_back, a_viewer_takes_the_keyboard,
                 leaves_by_signal, stopped_terminal_stops_nobody):
        with Place() as place:
            place.daemon("--private")
            test(place)
            print("ok", test.__name__)


main()
