# SPDX-License-Identifier: MIT
"""What a monitoring system reads: by HTTP and without, its form (promtool's opinion, where it is), thousands of consoles, bad clients."""
import os
import re
import shutil
import socket
import subprocess
import sys

import vcons

MANY = 10000 if vcons.LONG else 3000
SAMPLE = re.compile(r'([a-z_]+)(?:\{domain="((?:[^"\\\n]|\\.)*)",console="((?:[^"\\\n]|\\.)*)"\})? ([0-9]+(?:\.[0-9]+)?)')


def connect(place, port=None):
    if port is None:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(vcons.WAIT_S)
        s.connect(os.path.join(place.run, "metrics.sock"))
        return s
    return socket.create_connection(("127.0.0.1", port), timeout=vcons.WAIT_S)


def all_of(s):
    data = bytearray()
    while True:
        try:
            more = s.recv(1 << 16)
        except ConnectionResetError:  # it did not read all that we said
            more = b""
        if not more:
            s.close()
            return bytes(data)
        data += more


def ask(place, request, port=None):
    """Status line, headers and body of the answer."""
    s = connect(place, port)
    s.sendall(request)
    head, _, body = all_of(s).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return status, dict(h.split(": ", 1) for h in headers), body.decode()


def scrape(place, port=None):
    status, headers, body = ask(place, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", port)
    assert status == "HTTP/1.1 200 OK" and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
    return body


def parse(text):
    """{family: {(domain, console): value}}, and that the form is right: head first, each family in one piece, no sample twice."""
    families, current = {}, None
    lines = text.split("\n")
    assert lines.pop() == "", "it ends with a newline"
    while lines:
        line = lines.pop(0)
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in families and lines[0].startswith(f"# TYPE {current} "), line
            kind = lines.pop(0).split()[3]
            assert kind == ("counter" if current.endswith("_total") else "gauge"), current
            families[current] = {}
            continue
        m = SAMPLE.fullmatch(line)
        assert m and m[1] == current, line
        assert (m[2], m[3]) not in families[current], line
        families[current][m[2], m[3]] = float(m[4])
    return families


def promtool(text):
    if not shutil.which("promtool"):
        print("not asked: promtool, which is not here (Debian: prometheus)")
        return
    done = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    assert done.returncode == 0, done.stdout


def counted(place):
    """What is said is what was done."""
    place.daemon()
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    feeder.ask("lines", 0, 50)
    sent = feeder.sent("stop")
    with vcons.Control(place.control) as viewer, vcons.Control(place.control) as c:
        viewer.attach("f0/hvc0", write="free")
        viewer.read(sent[0])
        text = scrape(place)
        have, ls = parse(text), c.ls()
        assert have["vcons_console_bytes_total"]["f0", "hvc0"] == sent[0] == ls["f0/hvc0"]["bytes"], have
        assert have["vcons_console_boots_total"]["f1", "hvc0"] == ls["f1/hvc0"]["boots"], have
        assert have["vcons_console_viewers"] == {("f0", "hvc0"): 1, ("f1", "hvc0"): 0}, have
        assert have["vcons_console_writers"] == {("f0", "hvc0"): 1, ("f1", "hvc0"): 0}, have
        assert have["vcons_console_connected"] == {("f0", "hvc0"): 1, ("f1", "hvc0"): 1}, have
        assert abs(have["vcons_console_last_output_timestamp_seconds"]["f0", "hvc0"] - ls["f0/hvc0"]["last_output"]) < 1e-3
        assert have["vcons_consoles"] == have["vcons_sources"] == {(None, None): 2}, have
        assert have["vcons_hypervisors"][None, None] == 1 and have["vcons_viewers"][None, None] == 1, have
        assert c.refusal("attach", console="no") == "no-such-console"
    promtool(text)


def asked(place):
    """HTTP in other ways, and without it."""
    place.daemon()
    assert ask(place, b"GET /metrics?x=1 HTTP/1.0\n\n")[0] == "HTTP/1.1 200 OK"
    assert ask(place, b"HEAD /metrics HTTP/1.1\r\n\r\n")[::2] == ("HTTP/1.1 200 OK", "")
    for request, status in ((b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"), (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
                            (b"GET /metrics\r\n\r\n", "400 Bad Request"), (b"\0\xff\n\n\r\n\r\n" * 600, "431 Request Header Fields Too Large"),
                            (b"G" * 9 + b"\r\n\r\n", "400 Bad Request"), (b"\r\n\r\n", "400 Bad Request"),
                            (b"GET /metrics HTTP/2.0\r\n\r\n", "400 Bad Request")):
        assert ask(place, request)[0] == "HTTP/1.1 " + status, request
    closed = connect(place)
    closed.shutdown(socket.SHUT_WR)
    parse(all_of(closed).decode())
    parse(all_of(connect(place)).decode())  # silent: after a second


def port(place):
    """The same on a port, loopback's only."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        number = s.getsockname()[1]
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write(f"metrics_port = {number}\n")
    place.daemon("--config", config)
    parse(scrape(place, number))
    with open("/proc/net/tcp") as f:
        listening = [line.split()[1] for line in f if line.split()[3] == "0A"]
    assert f"0100007F:{number:04X}" in listening and f"00000000:{number:04X}" not in listening, listening
    for bad in ("70000", "-1"):
        with open(config, "w") as f:
            f.write(f"metrics_port = {bad}\n")
        done = subprocess.run([vcons.program("vconsd"), "--check", "--config", config], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2 and "vconsd.conf:1: metrics_port = " in done.stderr, done.stderr


def many(place):
    """Thousands of consoles: all are there; who does not read costs a buffer; others are served meanwhile."""
    for i in range(MANY):
        os.makedirs(os.path.join(place.log, f"d{i}", "c"))
    daemon = place.daemon()
    before = memory(daemon.pid)
    stalled = [connect(place) for _ in range(14)]  # of sixteen that may be there at once
    for s in stalled:
        s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert s.recv(1)
    have = parse(scrape(place))
    assert len(have["vcons_console_connected"]) == MANY and have["vcons_consoles"][None, None] == MANY
    with vcons.Control(place.control) as c:
        assert c.ask("status")["consoles"] == MANY
    grown = memory(daemon.pid) - before
    assert vcons.sanitized(daemon.pid) or grown < 2 << 20, grown
    rest = all_of(stalled[-1]).partition(b"\r\n\r\n")[2].decode()  # late, and whole
    assert parse(rest).keys() == have.keys()
    for s in stalled:
        s.close()


def memory(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def crowd(place):
    """More than there is room for, half a request each: a new one has the oldest's place, so a scrape comes through."""
    daemon = place.daemon()
    hostile = []
    for i in range(60):
        s = connect(place)
        s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        hostile.append(s)
        if i % 20 == 19:
            parse(scrape(place))
    first = hostile[0]
    assert first.recv(1) == b""
    for s in hostile[-8:]:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    parse(scrape(place))
    assert vcons.stop(daemon) == 0


def main():
    for step in (counted, asked, port, many, crowd):
        memory_fs = "/dev/shm" if step is many and os.path.isdir("/dev/shm") else None  # so many are slow to remove on a disk
        with vcons.Place(log_base=memory_fs) as place:
            step(place)


sys.exit(main())
