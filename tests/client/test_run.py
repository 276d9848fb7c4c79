# SPDX-License-Identifier: MIT
"""vcons run: what it starts and finds, how it ends, and the terminal it gives back. Guests are tiny, in processes."""
import fcntl
import os
import signal
import subprocess
import time

from screen import Screen
from vcons import Place, program, wait_for


def config(place, name, *domains):
    path = os.path.join(place.root, name + ".conf")
    with open(path, "w") as f:
        f.write(f'hypervisor {{ name = "{name}" }}\n')
        for domain, keys in domains:
            f.write(f'domain "{domain}" {{ kernel = "tiny" memory = 16M engine = process {keys} }}\n')
    return path


def vcons(place, *argv, status=0):
    r = subprocess.run([program("vcons"), *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == status, (argv, r)
    return r.stdout.decode(), r.stderr.decode()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pid_in(text, word):
    return int(text.split(word + " (pid ")[1].split(")")[0]) if word + " (pid " in text else int(text.split("pid ")[1].split(")")[0])


def statuses(place):
    """The hypervisor's exit status is passed on; one run finds the service of the one before."""
    _, err = vcons(place, "run", config(place, "wrong", ("c", "memroy = 3")), status=2)
    assert "memroy" in err and len(err.splitlines()) == 1 and not os.listdir(place.run), err
    _, err = vcons(place, "run", config(place, "ok", ("a", 'cmdline = "spew 3; poweroff"')))
    assert "started the console service (pid" in err and place.control in err and place.log in err, err
    service = pid_in(err, "service")
    _, err = vcons(place, "run", config(place, "bad", ("b", 'cmdline = "crash" on_crash = destroy')), status=1)
    assert "using the console service at " + place.control in err, err
    _, err = vcons(place, "run", "-k", "tiny", "-a", "poweroff", "--engine", "process")
    out, _ = vcons(place, "log", "a")
    assert out.splitlines()[-3:] == ["%d %s" % (i, out.splitlines()[-3 + i][2:]) for i in range(3)], out
    return service


def together(place):
    """Somebody else's service has the directory and does not answer yet: it is waited for, and used."""
    with open(os.path.join(place.state, "vconsd.lock"), "w") as f:
        f.write(f"{os.getpid()}\n")
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        p = place.start([program("vcons"), "run", config(place, "both", ("t", 'cmdline = "poweroff"'))],
                        stderr=subprocess.PIPE)
        messages = os.path.join(place.state, "vconsd.err")
        wait_for(lambda: os.path.exists(messages) and os.path.getsize(messages) > 0, "the refusal of its own")
        try:
            p.wait(0.3)
        except subprocess.TimeoutExpired:
            pass
        assert p.returncode is None, p.stderr.read()
    daemon = place.daemon()
    _, err = p.communicate(timeout=60)
    assert p.returncode == 0 and b"using the console service at " in err, err
    daemon.terminate()
    daemon.wait(20)


def detached(place):
    """-d returns when all run; the same name is refused meanwhile; stop ends a domain, and --all the hypervisor."""
    path = config(place, "back", ("d", ""), ("e", ""))
    _, err = vcons(place, "run", "-d", path)
    vmm = int(err.split("vcons-vmm, pid ")[1].split(")")[0])
    assert alive(vmm)
    out, _ = vcons(place, "ls")
    assert all(any(line.startswith(n) and "running" in line for line in out.splitlines())
               for n in ("back/console", "d/hvc0", "e/hvc0")), out
    _, err = vcons(place, "run", "-d", path, status=1)
    assert f"running as pid {vmm}" in err, err
    vcons(place, "send", "--steal", "d", "echo over here")
    wait_for(lambda: "over here\n" in vcons(place, "log", "d")[0].replace("echo over here", ""), "the guest's answer")
    vcons(place, "stop", "d")
    wait_for(lambda: " off " in vcons(place, "ls")[0], "d to be off")
    assert alive(vmm)
    vcons(place, "reset", "e")
    wait_for(lambda: '"boots": 2' in vcons(place, "ls", "--json")[0], "the second boot of e")
    assert vcons(place, "log", "--boot", "2", "e")[0].count("tiny: the vcons test kernel") <= 1
    vcons(place, "stop", "--all")
    wait_for(lambda: not alive(vmm), "the hypervisor to end")


def terminal(place):
    """In front: keys reach the guest, and the settings come back after SIGKILL of the hypervisor and TERM of run."""
    path = config(place, "front", ("f", ""))
    with Screen(place) as screen:
        before = screen.tty()
        screen.command(f"vcons run {path}; echo status $?")
        screen.wait("tiny>")
        wait_for(lambda: screen.tty() != before, "the raw terminal")
        screen.type("echo to the guest\r")
        screen.wait("\nto the guest")
        vmm = vcons_vmm_pid(place)
        os.kill(vmm, signal.SIGKILL)
        screen.wait("status 137")
        screen.wait("vcons-vmm was killed by signal 9")
        assert screen.tty() == before
        run_again(screen, path)
        run = parent_of(vcons_vmm_pid(place))
        os.kill(run, signal.SIGTERM)
        screen.wait("status 0")
        assert screen.tty() == before
        run_again(screen, path)
        for _ in range(3):
            screen.key("C-a")
        screen.wait("Serial input to Xen")
        screen.key("z")  # the guests go on
        screen.wait("status 0")
        assert screen.tty() == before
        vmm = vcons_vmm_pid(place)
        assert alive(vmm)
        screen.command("clear; vcons attach front")
        screen.wait("leaves]")
        screen.type("d")
        screen.wait("d1")
        screen.key("C-]", ".")
        screen.wait("[vcons: left front/console]")
        vcons(place, "stop", "--all")
        wait_for(lambda: not alive(vmm), "the hypervisor to end")


def run_again(screen, path):
    screen.command("clear")
    screen.wait_gone("tiny>")
    screen.command(f"vcons run {path}; echo status $?")
    screen.wait("tiny>")


def vcons_vmm_pid(place):
    """Of the hypervisor that is linked now."""
    def find():
        out = vcons(place, "status")[0]
        lines = [line for line in out.splitlines() if line.startswith("links")]
        return int(lines[0].rsplit(" ", 1)[1]) if lines else None
    return wait_for(find, "a linked hypervisor")


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def killed(place):
    """A run that is killed: guests of a script end with it; those that somebody sits before go on."""
    p = place.start([program("vcons"), "run", config(place, "script", ("k", ""))], stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
    vmm = vcons_vmm_pid(place)
    assert b"d1 = k" in p.stdout.readline(), "it is not in front"
    p.kill()
    wait_for(lambda: not alive(vmm), "the hypervisor to end with its run")
    with Screen(place) as screen:
        screen.command(f"vcons run {config(place, 'front', ('f', ''))}")
        screen.wait("tiny>")
        vmm = vcons_vmm_pid(place)
        os.kill(parent_of(vmm), signal.SIGKILL)
        screen.wait("`vcons attach front` comes back")
        vcons(place, "send", "f", "echo still here")
        wait_for(lambda: "still here\n" in vcons(place, "log", "f")[0].replace("echo still here", ""), "the guest")
        vcons(place, "stop", "--all")
        wait_for(lambda: not alive(vmm), "the hypervisor to end")


def private(place):
    """Leaves nothing but, after a failure, its logs."""
    _, err = vcons(place, "run", "--private", config(place, "p1", ("g", 'cmdline = "poweroff"')))
    service, directory = pid_in(err, "service"), err.split("logs in ")[1].split("\n")[0]
    assert not os.path.exists(os.path.dirname(directory)) and not alive(service), err
    _, err = vcons(place, "run", "--private", config(place, "p2", ("g", 'cmdline = "crash" on_crash = destroy')), status=1)
    directory = err.split("are kept in ")[1].strip()
    with open(os.path.join(directory, "g/hvc0/current.log")) as f:
        assert "tiny: the vcons test kernel" in f.read()
    root = os.path.dirname(directory)
    assert os.path.dirname(root) == "/tmp" and os.listdir(root) == ["log"], err
    subprocess.run(["rm", "-r", root], check=True)


with Place() as place:
    together(place)
with Place() as place:
    service = statuses(place)
    try:
        detached(place)
        terminal(place)
        killed(place)
        private(place)
    finally:
        subprocess.run([program("vcons"), "stop", "--all"], env=place.env, stderr=subprocess.DEVNULL, timeout=60)
        if alive(service):
            os.kill(service, signal.SIGTERM)
    wait_for(lambda: not alive(service), "the service to end")
