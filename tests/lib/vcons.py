# SPDX-License-Identifier: MIT
"""What the whole-program tests share: a private daemon in a fresh directory, the control protocol, waiting for things.

Every process is ended by its pid; every wait is for a condition and has an end (WAIT_S).
"""
import ctypes
import fcntl
import json
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = os.environ.get("VCONS_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
WAIT_S = float(os.environ.get("VCONS_WAIT_S", "20"))
LONG = os.environ.get("VCONS_LONG", "") not in ("", "0")

OUT, IN, MARK, TOKEN, RESIZE, BREAK, END, SYNC, LEASE, ASKED = range(1, 11)  # wire/control.h: types of frames
FREE, YOURS, OTHERS, REFUSED = range(4)                              # token states
RELEASE, REQUEST, STEAL, FORCE = range(4)                            # token operations
TIME, ATTACH, DETACH, GAP, BOOT, RESET = range(1, 7)                 # wire/index.h: kinds
INDEX_RECORD = struct.Struct("<QQQHHIQ16sII")                        # struct vc_index_record


def program(name):
    """Path of a built program by its name."""
    places = {"vconsd": "service/vconsd", "vcons": "client/vcons", "vcons-vmm": "vmm/vcons-vmm",
              "feeder": "tests/feeder/feeder", "link_example": "tests/service/link_example"}
    return os.path.join(BUILD, places[name])


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def sanitized(pid):
    """Whether this program was built with a sanitizer: then its memory is no measure."""
    with open(f"/proc/{pid}/maps") as f:
        maps = f.read()
    return any(word in maps for word in ("libasan", "libtsan", "libubsan"))


def sanitized_build():
    """Whether the programs under test are: then time is no measure either."""
    with open(program("vconsd"), "rb") as f:
        data = f.read()
    return b"__asan_init" in data or b"__tsan_init" in data


def wait_for(condition, what, timeout_s=None):
    """The first true value of condition(), tried again and again; fails after WAIT_S."""
    end = time.monotonic() + (timeout_s or WAIT_S)
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("waited in vain for " + what)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def switches(pid):
    """Context switches of all its threads so far: who sleeps on makes none."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f if "voluntary_ctxt_switches" in line)
    return total


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """A test that is killed leaves nothing behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Place:
    """A fresh directory with the run, state and log directories of one test; gone at the end."""

    def __init__(self, base=None, log_base=None):
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # who ends a test has it leave nothing behind
        self.root = tempfile.mkdtemp(prefix="vcons-test-", dir=base or "/tmp")
        self.run, self.state, self.log = (os.path.join(self.root, d) for d in ("run", "state", "log"))
        if log_base:
            self.log = tempfile.mkdtemp(prefix="vcons-test-log-", dir=log_base)
        for d in (self.run, self.state, self.log):
            os.makedirs(d, 0o700, exist_ok=True)
        self.env = dict(os.environ, VCONS_RUNTIME_DIR=self.run, VCONS_STATE_DIR=self.state, VCONS_LOG_DIR=self.log)
        self.control = os.path.join(self.run, "control.sock")
        self.link = os.path.join(self.run, "link.sock")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, argv, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        if threading.current_thread() is threading.main_thread():  # the kernel means the thread, not the process
            kw.setdefault("preexec_fn", die_with_parent)
        p = subprocess.Popen(argv, env=dict(self.env, **kw.pop("extra_env", {})), **kw)
        self.processes.append(p)
        return p

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
            for f in (p.stdin, p.stdout, p.stderr):
                if f:
                    f.close()
        self.end_strays()
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.log, ignore_errors=True)

    def end_strays(self):
        """What programs of this place have started and left running, a restored domain's hypervisor say: known by its environment."""
        mine = b"VCONS_RUNTIME_DIR=" + self.run.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mine in f.read().split(b"\0") and int(pid) != os.getpid():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue  # it has ended, or is somebody else's

    def daemon(self, *args, ready=True, **kw):
        """Start vconsd and wait until its control socket answers."""
        p = self.start([program("vconsd"), "--foreground", *args], **kw)
        if ready:
            wait_for(lambda: self.answers(p), "vconsd")
        return p

    def answers(self, p=None):
        if p and p.poll() is not None:
            raise RuntimeError(f"vconsd left with {p.returncode}")
        try:
            with Control(self.control) as c:
                return c.hello["pid"] == p.pid if p else True
        except (OSError, EOFError):
            return False

    def feeder(self, *args, **kw):
        """Start the feeder on this place's link; its commands go to stdin, its answers come by Feeder."""
        return Feeder(self.start([program("feeder"), "--link", self.link, *args], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, **kw))

    def log_bytes(self, name):
        """The whole log of a console, all segments in order, raw or compressed."""
        return history(os.path.join(self.log, *name.split("/")))

    def check(self, sent, prefix="f", width=80):
        """Compare what is kept of every log with what its feeder sent, sent[i] bytes on console i; the feeder tells."""
        subprocess.run([program("feeder"), "--check", self.log, "--prefix", prefix, "--width", str(width),
                        "-n", str(len(sent)), *map(str, sent)], check=True)

    def index(self, name):
        """All records of a console's index: (offset, realtime, mono, kind, event, crc, value, line_id, boot, index)."""
        d = os.path.join(self.log, *name.split("/"))
        out = []
        for f in sorted(f for f in os.listdir(d) if f.endswith(".idx")):
            with open(os.path.join(d, f), "rb") as s:
                data = s.read()
            out += [INDEX_RECORD.unpack_from(data, i) for i in range(0, len(data) // 64 * 64, 64)]
        return [r for r in out if r[3] != 0]


def history(directory):
    """All bytes in a console's directory, from offset 0 on."""
    out = bytearray()
    names = os.listdir(directory)
    for start in sorted({int(f[:20]) for f in names if f[0].isdigit() and f.endswith((".log", ".log.zst"))}):
        assert start == len(out), f"segment {start} does not begin where the one before ends, {len(out)}"
        out += segment_bytes(directory, start)
    return bytes(out)


def segment_bytes(directory, start):
    """Of one segment. Raw first: it goes when the compressed one is there."""
    path = os.path.join(directory, f"{start:020}.log")
    try:
        with open(path, "rb") as s:
            return s.read()
    except FileNotFoundError:
        return subprocess.run(["zstd", "-dcq", path + ".zst"], stdout=subprocess.PIPE, check=True).stdout


def log_length(directory):
    """How long the history in a console's directory is: where its newest segment, which is raw, ends."""
    newest = max((f for f in os.listdir(directory) if f[0].isdigit() and f.endswith(".log")), default=None)
    return int(newest[:20]) + os.path.getsize(os.path.join(directory, newest)) if newest else 0


def open_terminal(path):
    """A terminal, raw bytes both ways, that becomes nobody's: else we, who may lead a session, would be hung up with it."""
    return open(path, "rb+", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NOCTTY))


def read_exactly(peer, n):
    """That many bytes of a stream socket."""
    got = b""
    while len(got) < n:
        part = peer.recv(n - len(got))
        assert part, f"{len(got)} of {n} bytes came"
        got += part
    return got


def as_user(uid, groups, action):
    """Run action in a child of this user, whose group is nobody's; its failure is ours. Returns its pid."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(65534, 65534, 65534)
            os.setresuid(uid, uid, uid)
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    return child


def stop(p, sig=signal.SIGTERM, timeout_s=None):
    """End one process and return its exit status."""
    p.send_signal(sig)
    return p.wait(timeout_s or WAIT_S)


class Feeder:
    """A running feeder: commands in, answers out (see its --help)."""

    def __init__(self, process):
        self.process = process

    def say(self, *words):
        self.process.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline().decode()
        if not line:
            raise EOFError("the feeder left")
        return line.split()

    def expect(self, *words):
        """Read answers until one begins with these words; returns it."""
        want = [str(w) for w in words]
        while True:
            line = self.line()
            if line[:len(want)] == want:
                return line

    def ask(self, *words):
        """Say a command that answers with lines ending in `done`; returns those lines, and what came before them."""
        self.say(*words)
        lines = []
        while True:
            line = self.line()
            if line == ["done"]:
                return lines
            lines.append(line)


    def sent(self, word="sent"):
        """Bytes written on each console; word "stop": after the current lines are whole."""
        return [int(line[2]) for line in self.ask(word) if line[0] == "sent"]


class ControlError(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.get('error')}: {answer.get('message')}")
        self.code = answer.get("error")


class Control:
    """A connection to control.sock: JSON requests, then frames after attach()."""

    def __init__(self, path, timeout_s=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s or WAIT_S)
        self.buffer = b""
        self.id = 0
        try:
            self.socket.connect(path)
            self.hello = self.ask("hello", version=1)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError("the service closed the connection")
        self.buffer += data

    def ask(self, op, **fields):
        self.id += 1
        self.socket.sendall(json.dumps({"id": self.id, "op": op, **fields}).encode() + b"\n")
        while b"\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer and answer.get("id") is None:  # of a request that could not be read
            raise ControlError(answer)
        assert answer["id"] == self.id, answer
        if "error" in answer:
            raise ControlError(answer)
        return answer["ok"]

    def refusal(self, op, **fields):
        """The code of the error that this is answered with; None: it is no error."""
        try:
            self.ask(op, **fields)
        except ControlError as e:
            return e.code
        return None

    def ls(self):
        return {c["name"]: c for c in self.ask("ls")["consoles"]}

    def attach(self, console, start="start", follow=True, write="no", marks=False):
        return self.ask("attach", console=console, **{"from": start}, follow=follow, write=write, marks=marks)

    def send(self, kind, payload=b""):
        self.socket.sendall(struct.pack("<IB3x", len(payload), kind) + payload)

    def frame(self):
        """The next frame: (type, payload)."""
        while len(self.buffer) < 8:
            self.more()
        length, kind = struct.unpack_from("<IB", self.buffer)
        parts, have = [self.buffer[8:]], len(self.buffer) - 8
        while have < length:
            data = self.socket.recv(min(1 << 18, length - have))
            if not data:
                raise EOFError("the service closed the connection")
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self.buffer = data[length:]
        return kind, data[:length]

    def out(self):
        """The next run of output: (offset, bytes); other frames on the way are left out."""
        while True:
            kind, payload = self.frame()
            if kind == OUT:
                return struct.unpack_from("<Q", payload)[0], payload[8:]
            if kind == END:
                raise EOFError(payload[1:].decode())

    def read(self, n):
        """At least n bytes of output, checked to be without a hole."""
        data, offset = bytearray(), None
        while len(data) < n:
            at, part = self.out()
            assert offset is None or at == offset + len(data), f"a hole: {at} after {offset}+{len(data)}"
            offset = at if offset is None else offset
            data += part
        return bytes(data)

    def token(self):
        """The next token frame: (state, holder)."""
        while True:
            kind, payload = self.frame()
            if kind == TOKEN:
                return payload[0], payload[16:].split(b"\0")[0].decode()


def pattern(console, first, count, width=80):
    """Lines first..first+count-1 as the feeder writes them to its console of that number."""
    head = width - 1
    return b"".join((b"%04d %010d " % (console, i)).ljust(head, b"%c" % (33 + (console * 7 + i) % 94)) + b"\n"
                    for i in range(first, first + count))


class Guest:
    """A hypervisor with one line in this very process, to do by hand what no honest one does. Memory as wire/line.h."""

    OUT_PROD, OUT_CONS, OUT_BYTES_WAIT, OUT_ROOM_WAIT = 64, 128, 192, 256
    IN_PROD, IN_CONS, IN_BYTES_WAIT, IN_ROOM_WAIT = 320, 384, 448, 512
    OUT_EVENT_PROD, OUT_EVENT_CONS, IN_EVENT_PROD, IN_EVENT_CONS = 576, 640, 704, 768
    HELLO, ADD, GONE, OK, REFUSED, CLAIM, TOKEN, STATE, REQUEST, CONSOLE, ALL = range(1, 12)
    ALL_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

    def __init__(self, place, domain=None, name=None, **line):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(place.link)
        self.memory, self.fds = None, []
        self.hello(name or f"by-hand-{domain}")
        if domain:
            self.line(**line)
            answer = self.add(domain)
            assert answer[0] == self.OK, answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        if self.memory:
            self.memory.close()
            self.memory = None
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def packet(self, kind, body, fds=()):
        data = struct.pack("<II", kind, 8 + len(body)) + body
        socket.send_fds(self.socket, [data], list(fds)) if fds else self.socket.send(data)

    def receive(self):
        """(type, body) of the next packet; None at the end of the link."""
        try:
            data = self.socket.recv(512)
        except ConnectionResetError:
            return None
        return (struct.unpack_from("<I", data)[0], data[8:]) if data else None

    def hello(self, name, version=1):
        self.packet(self.HELLO, struct.pack("<II36s", version, os.getpid(), name.encode()))
        return self.receive()

    def line(self, out_size=65536, in_size=4096, seals=ALL_SEALS, size=None, magic=0x656e696c736e6376, version=1,
             out_offset=4096, in_offset=None, header_at=0):
        """Fresh memory and events, by default as they should be."""
        size = 4096 + out_size + in_size if size is None else size
        memory = os.memfd_create("by-hand", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        self.id = os.urandom(16)
        self.out_size, self.in_size = out_size, in_size
        if size:
            self.memory = mmap.mmap(memory, size)
            header = struct.pack("<QIIIIII16s", magic, version, out_size, in_size, out_offset,
                                 4096 + out_size if in_offset is None else in_offset, 0, self.id)
            self.memory[header_at:min(size, header_at + len(header))] = header[:max(size - header_at, 0)]
        if seals:
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
        self.fds = [memory] + [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(4)]

    def ring(self, **other):
        """The same with a ring page of Xen's: geometry 2."""
        self.line(**{"out_size": 2048, "in_size": 1024, "size": 8192, "out_offset": 1024, "in_offset": 0, "header_at": 4096, **other})

    def add(self, domain, console="hvc0", cookie=1, kind=9, geometry=1, line_id=None, uuid=b"u" * 16, fds=None):
        """Offer the line; the answer: (OK or REFUSED, reason, text)."""
        self.packet(self.ADD, struct.pack("<IIIIII16s16s36s36s36s", cookie, kind, geometry, 1, 1, 1,
                                          self.id if line_id is None else line_id, uuid, domain.encode(),
                                          console.encode(), b""), self.fds if fds is None else fds)
        return self.answer()

    def answer(self):
        while True:
            got = self.receive()
            if got is None:
                return None
            if got[0] in (self.OK, self.REFUSED):
                return got[0], struct.unpack_from("<I", got[1], 4)[0], got[1][8:].split(b"\0")[0].decode()

    def get(self, at):
        return struct.unpack_from("<I", self.memory, at)[0]

    def set(self, at, value):
        struct.pack_into("<I", self.memory, at, value & 0xFFFFFFFF)

    def kick(self, which=1):
        os.eventfd_write(self.fds[which], 1)

    def write(self, data):
        """Honest output, as much as fits; how much."""
        prod, cons = self.get(self.OUT_PROD), self.get(self.OUT_CONS)
        data = data[:self.out_size - ((prod - cons) & 0xFFFFFFFF)]
        for i, byte in enumerate(data):
            self.memory[4096 + ((prod + i) & (self.out_size - 1))] = byte
        self.set(self.OUT_PROD, prod + len(data))
        self.kick()
        return len(data)

    def post(self, sequence, kind, value):
        """An honest event: the one of that sequence."""
        at = 1024 + sequence % 64 * 32
        self.memory[at:at + 32] = struct.pack("<IIIIQQ", sequence, self.get(self.OUT_PROD), kind, 0, value, 0)
        self.set(self.OUT_EVENT_PROD, sequence + 1)
        self.kick()

    def in_event_at(self, sequence):
        """Where an event to the guest lies: sequence, index, kind, reserved u32 each, value u64."""
        return 3072 + sequence % 32 * 32

    def in_used(self):
        return (self.get(self.IN_PROD) - self.get(self.IN_CONS)) & 0xFFFFFFFF

    def take_in(self, n):
        cons = self.get(self.IN_CONS)
        base = 4096 + self.out_size
        data = bytes(self.memory[base + ((cons + i) & (self.in_size - 1))] for i in range(min(n, self.in_used())))
        self.set(self.IN_CONS, cons + len(data))
        self.kick(4)
        return data
