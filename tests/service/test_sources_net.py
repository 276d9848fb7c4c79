# SPDX-License-Identifier: MIT
"""Sources behind a network and commands: TCP by a name, a real telnetd, a real ser2net with RFC 2217, ssh to a real sshd, and
what becomes of the processes."""
import os
import pty
import random
import shutil
import signal
import socket
import subprocess
import termios
import threading
import time
import tty

import vcons
from sources import configure, console, is_there, log_has, marks, reason, said, state, type_to

EVERY = bytes(range(256)) * 5


def listen():
    s = socket.socket()
    s.settimeout(vcons.WAIT_S)
    s.bind(("127.0.0.1", 0))
    s.listen(5)
    return s, s.getsockname()[1]


def tcp():
    """By a name and by a number; away while nobody listens."""
    with vcons.Place() as place:
        server, port = listen()
        name = "localhost" if "127.0.0.1" in {a[4][0] for a in socket.getaddrinfo("localhost", None)} else "127.0.0.1"
        place.daemon("--config", configure(place, {"net/a": f"tcp:{name}:{port}", "net/b": f"tcp:127.0.0.1:{port}",
                                                   "net/none": "tcp:name.invalid:1"}))
        sent = {}
        for _ in range(2):
            peers = [server.accept()[0] for _ in range(2)]
            for i, peer in enumerate(peers):
                peer.settimeout(vcons.WAIT_S)
                peer.sendall(b"%d" % i + EVERY)
            for n in ("net/a", "net/b"):
                sent[n] = log_has(place, n, len(sent.get(n, b"")) + 1 + len(EVERY))
            type_to(place, "net/a", b"to a")
            type_to(place, "net/b", b"to b")
            assert sorted(vcons.read_exactly(peer, 4) for peer in peers) == [b"to a", b"to b"]
            for peer in peers:
                peer.close()
        assert sent["net/a"][1:].replace(b"0" + EVERY, b"1" + EVERY) == EVERY + b"1" + EVERY
        server.close()
        vcons.wait_for(lambda: "refused" in (reason(place, "net/a") or ""), "the reason")
        vcons.wait_for(lambda: "name.invalid:1" in (reason(place, "net/none") or ""), "the reason")


def telnetd():
    """inetutils' telnetd behind a listener of ours: every byte both ways, the size of the window, its return."""
    program = shutil.which("telnetd", path="/usr/sbin:/usr/bin")
    if not program:
        print("telnetd (inetutils-telnetd) is not installed: left out")
        return
    with vcons.Place() as place:
        server, port = listen()
        script = os.path.join(place.root, "shell")
        with open(script, "w") as f:
            f.write("#!/bin/sh\nstty raw -echo\nprintf ready\nwhile read -r word; do case $word in\n"
                    "size) stty size;; raw) exec cat;; end) exit;; esac; done\n")
        os.chmod(script, 0o755)
        place.daemon("--config", configure(place, {"net/t": f"telnet:127.0.0.1:{port}"}))
        for round in range(2):
            peer = server.accept()[0]
            process = place.start([program, "-h", "-E", script], stdin=peer, stdout=peer, stderr=subprocess.DEVNULL)
            peer.close()
            before = len(log_has(place, "net/t", 0)) if round else 0
            vcons.wait_for(lambda: said(place, "net/t")[before:].endswith(b"ready"), "the shell")
            with vcons.Control(place.control) as c:
                c.ask("resize", console="net/t", rows=43, columns=255)
                c.attach("net/t", "now", write="steal")

                def sized():  # telnetd sets it when it comes to it
                    c.send(vcons.IN, b"size\n")
                    time.sleep(0.05)
                    return b"43 255" in said(place, "net/t")[before:]

                vcons.wait_for(sized, "the size")
            type_to(place, "net/t", b"raw\n")
            text = b"<" + EVERY + random.Random(round).randbytes(20_000) + b">"
            time.sleep(0.2)
            end = len(said(place, "net/t"))
            type_to(place, "net/t", text)
            vcons.wait_for(lambda: said(place, "net/t").endswith(text[-200:]), "the echo")
            log = said(place, "net/t")
            assert log[log.index(b"<", end - 8):] == text, (len(log) - end, len(text))
            process.terminate()
            process.wait()
            if round == 0:
                vcons.wait_for(lambda: any(m[0] == "detach" for m in marks(place, "net/t")), "the end of telnetd")


def ser2net():
    """A port of ser2net's: set as configured, breaks sent, every byte both ways."""
    if not shutil.which("ser2net", path="/usr/sbin:/usr/bin"):
        print("ser2net is not installed: left out")
        return
    with vcons.Place() as place:
        master, slave = pty.openpty()
        tty.setraw(master)
        server, port = listen()
        server.close()
        conf = os.path.join(place.root, "ser2net.yaml")
        with open(conf, "w") as f:
            f.write("%YAML 1.1\n---\nconnection: &c\n"
                    f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n"
                    f"  connector: serialdev,{os.ttyname(slave)},9600n81,local\n  options:\n    kickolduser: true\n")
        argv = [shutil.which("ser2net", path="/usr/sbin:/usr/bin"), "-n", "-c", conf, "-u"]
        server = place.start(argv)
        place.daemon("--config", configure(place, {"net/r": f"rfc2217:127.0.0.1:{port}"},
                                           speed=19200, bits=7, parity="odd", stop=2))
        is_there(place, "net/r")

        def port_set():
            modes = termios.tcgetattr(slave)  # a pseudo-terminal has eight bits and no parity, whatever one asks for
            return modes[4] == termios.B19200 and modes[2] & termios.CSTOPB

        vcons.wait_for(port_set, "the port to be set")
        data = EVERY
        while data:
            data = data[os.write(master, data[:1000]):]
        assert log_has(place, "net/r", len(EVERY)) == EVERY
        type_to(place, "net/r", EVERY)
        got = b""
        while len(got) < len(EVERY):
            got += os.read(master, 4096)
        assert got == EVERY
        vcons.stop(server)
        vcons.wait_for(lambda: state(place, "net/r") == "away", "its end")
        place.start(argv)
        is_there(place, "net/r")
        os.close(master)
        os.close(slave)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def commands():
    """Every byte through a terminal, how a command ended, its size; nothing is left of its session when the service goes."""
    with vcons.Place() as place:
        script = os.path.join(place.root, "script")
        with open(script, "w") as f:
            f.write("stty raw -echo\nsleep 1000 &\necho $$ $!; stty size\nexec cat\n")
        for end in (signal.SIGTERM, signal.SIGKILL):
            daemon = place.daemon("--config", configure(place, {"run/cat": f"command:. {script}",
                                                                "run/short": "command:echo short; exit 3"}))
            is_there(place, "run/cat")
            begun = len([m for m in marks(place, "run/cat") if m[0] == "attach"])
            head = vcons.wait_for(lambda: (lambda log: log if log.count(b"\n") >= 2 * begun else None)(
                said(place, "run/cat")), "its first words") if begun == 1 else None
            if begun == 1:
                pids = [int(w) for w in head.split(b"\n")[0].split()]
                assert head.split(b"\n")[1].strip() == b"24 80"
                start = len(head)
                type_to(place, "run/cat", EVERY)
                assert log_has(place, "run/cat", start + len(EVERY))[start:] == EVERY
                with vcons.Control(place.control) as c:
                    c.ask("resize", console="run/cat", rows=11, columns=22)
            else:
                vcons.wait_for(lambda: said(place, "run/cat").count(b"24 80") == 2, "its first words")
                pids = [int(w) for w in said(place, "run/cat").split(b"\n")[-3].rsplit(b"\xff", 1)[-1].split()]
            vcons.wait_for(lambda: "status 3" in (reason(place, "run/short") or ""), "the reason")
            assert b"short\r\n" in said(place, "run/short")
            assert all(alive(pid) for pid in pids), pids
            vcons.stop(daemon, end)
            vcons.wait_for(lambda: not any(alive(pid) for pid in pids), f"the end of {pids}")


def killed_command():
    """A command that is killed comes back, behind a gap."""
    with vcons.Place() as place:
        place.daemon("--config", configure(place, {"run/cat": "command:stty raw -echo; echo $$; exec cat"}))
        for round in range(3):
            vcons.wait_for(lambda: said(place, "run/cat").count(b"\n") > round, "its pid")
            os.kill(int(said(place, "run/cat").split(b"\n")[round]), signal.SIGKILL)
            vcons.wait_for(lambda: len([m for m in marks(place, "run/cat") if m[0] == "gap"]) > round, "its return")


def ssh():
    """ssh to a real sshd, which ssh itself starts: logged, killed, back again."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if not sshd or not shutil.which("ssh"):
        print("ssh or sshd is not installed: left out")
        return
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with vcons.Place() as place:
        def at(name):
            return os.path.join(place.root, name)

        os.chmod(place.root, 0o700)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", at(key)], check=True)
        shutil.copy(at("user.pub"), at("authorized"))
        with open(at("sshd.conf"), "w") as f:
            f.write(f"HostKey {at('host')}\nAuthorizedKeysFile {at('authorized')}\nStrictModes no\nUsePAM no\n"
                    "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
                    "ForceCommand stty raw -echo; echo at $$ the end; exec cat\n")
        with open(at("ssh.conf"), "w") as f:
            f.write(f"Host guest\n HostName guest\n IdentityFile {at('user')}\n IdentitiesOnly yes\n BatchMode yes\n"
                    f" ProxyCommand {sshd} -i -f {at('sshd.conf')} -E {at('sshd.log')}\n EscapeChar none\n"
                    f" UserKnownHostsFile {at('known')}\n StrictHostKeyChecking no\n LogLevel ERROR\n")
        place.daemon("--config", configure(place, {"net/ssh": f"command:exec ssh -tt -F {at('ssh.conf')} guest"}))
        try:
            for round in range(2):
                vcons.wait_for(lambda: said(place, "net/ssh").count(b" the end\n") > round, "the other end", 60)
                before = len(said(place, "net/ssh"))
                type_to(place, "net/ssh", EVERY)
                assert log_has(place, "net/ssh", before + len(EVERY))[before:before + len(EVERY)] == EVERY
                far = int(said(place, "net/ssh").rsplit(b" the end\n", 1)[0].rsplit(b"at ", 1)[1])
                os.kill(far, signal.SIGKILL)
        except TimeoutError:
            with open(at("sshd.log")) as f:
                log = f.read()
            if "account is locked" in log:
                print("this user may not log in by sshd: left out")
                return
            print(log, said(place, "net/ssh"), reason(place, "net/ssh"))
            raise


if __name__ == "__main__":
    for case in (tcp, telnetd, ser2net, commands, killed_command, ssh):
        if os.environ.get("CASE", case.__name__) != case.__name__:
            continue
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
