"""A Weft stage in Python: the worker end of the link (proto/link.v1.md), the
isolation child, the canary, and the loop. Debian's python3-zmq and
python3-msgpack, nothing else. A whole stage:

    import weft_contracts as wc
    import weft_stage

    def classify(alert):
        values = alert["features.v1"].values
        return wc.ScoresV1(models=[...])

    weft_stage.main("classifier", classify, "features.v1", "scores.v1")

The function is pure: it runs in the isolation child, too. It may raise
Retry (give the alert back) or anything else: a verdict, after a canary.
`weft_stage.options` is the options: part of its file.

What comes after this stage is in weft_branches.py. Stages in Python have no
Redis: verdicts of the stages below go up as their own, and the stage above,
which has one, keeps the dead letter.
"""

import collections
import ctypes
import faulthandler
import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time

# Before the slow imports: a SIGTERM that comes in the middle of a start waits
# for Stage.run, and is a clean drain. The child and --probe just end.
ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
if not {"--isolated", "--probe"} & set(sys.argv):
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)

import msgpack
import zmq

import weft_contracts as wc
import weft_keys
import weft_settings
from weft_branches import (ALERT, HELLO, LARGEST, READ_MOST, REFUSE, RESET,
                           UP_BYE,
                           UPSTREAM, WELCOME, WORKER, Branches, Broken,
                           log, pack_runs, prepare, unpack)

SETTLE, RETRY, REJECT, BEAT, DRAIN, BYE = range(2, 8)
REJECTED, CRASHED, HUNG = -19, -21, -22  # codes of weft_base.h
OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
           signal.SIGQUIT}
PR_SET_PDEATHSIG = 1
RECEIVE_MOST = 1 << 17  # messages that wait for us: far more than a window
options = {}


class Retry(Exception):
    """Not this worker, not now: the alert is given back without blame."""


class Sections:
    """What the function sees of an alert: alert["features.v1"]."""

    def __init__(self, frames):
        self.frames = frames

    def __getitem__(self, contract):
        tag = msgpack.packb("contract") + msgpack.packb(contract)
        for frame in self.frames:
            if tag in frame[:len(tag) + 5]:
                return wc.contracts[contract].decode(frame)
        raise wc.Refused("WEFT_EABSENT", contract)


def call(function, frames):
    """(code, reason, section) of one call; code 0 is good, RETRY gives back."""
    try:
        return 0, "", function(Sections(frames)).encode()
    except Retry as error:
        return RETRY, str(error), b""
    except Exception as error:  # whatever it is, a canary will judge it
        return REJECTED, f"{type(error).__name__}: {error}", b""


class Alert:
    """One alert in our custody; of an ended session if it is not live."""

    suspect, kills, verdict, epoch = False, 0, None, 0
    open, worst = 0, 0  # branches that have not settled; their worst outcome

    def __init__(self, link, seq, frames):
        self.link, self.session, self.seq = link, link.session, seq
        self.frames, self.size = frames, sum(map(len, frames))

    def live(self):
        return self.session == self.link.session


class Link:
    """One upstream instance: its socket, its session, what it is to be told."""

    def __init__(self, stage, address, whose):
        self.stage, self.address, self.sock = stage, address, None
        self.whose, self.key = whose, 0  # its stage; which of that one's keys
        self.boot, self.patience, self.given_up = 0, 0, False
        self.reopen()

    def reopen(self):
        if self.sock and not self.nonce:
            self.key += 1  # no HELLO went out: perhaps it has another key
        self.close()
        self.sock, self.nonce = prepare(zmq.DEALER, RECEIVE_MOST), 0
        self.sock.immediate = 1
        if self.stage.keys:
            self.stage.keys.client(self.sock, self.whose, self.key)
        self.sock.connect("tcp://" + self.address)
        self.stage.poller.register(self.sock, zmq.POLLIN)

    def close(self, linger=0):
        self.end("idle")
        if self.sock:
            self.stage.poller.unregister(self.sock)
            self.sock.close(linger)
        self.sock = None

    def end(self, state):
        """The session is over: what is in nobody's hands is dropped."""
        if getattr(self, "session", 0):
            self.stage.orphan(self)
        self.state, self.heard, self.silent = state, time.monotonic(), 0.75
        self.session = self.done = self.seq = self.held = 0
        self.limit = self.before = 0
        self.version = self.echo = self.said = 1
        self.told = {SETTLE: [], RETRY: []}
        self.rejects = []

    def say(self, kind, body=b""):
        slot = self.stage.slot
        head = WORKER.pack(b"WL", 1, kind, 0, self.session, self.done,
                           self.limit, self.version, self.limit * slot)
        try:
            self.sock.send(head + body, zmq.DONTWAIT)
        except zmq.Again:
            return False  # it is gone: silence will tell
        self.said = self.version
        return True

    def hello(self):
        stage, self.nonce = self.stage, random.getrandbits(64) | 1
        names = b"".join(struct.pack("B", len(n)) + n.encode()
                         for n in (stage.name, stage.reads))
        cut = 1 + len(stage.name)
        body = struct.pack("<QQQIII", self.nonce, stage.boot, stage.hash,
                           LARGEST, stage.beat_ms, stage.stall_ms)
        if self.say(HELLO, body + names[:cut] + b"\1" + names[cut:]):
            self.state, self.heard = "greeting", time.monotonic()
        else:
            self.nonce = 0

    def recv(self):
        """Reads one message; False when there is none."""
        try:
            head, *frames = self.sock.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return False
        try:
            self.take(frames, *unpack(UPSTREAM, head))
        except Broken as error:
            log("LINK-PEER-BAD", f"{self.address}: {error}", "error")
            self.end("greeting")  # deaf until silence gives it a new socket
        return True

    def take(self, frames, kind, suspect, session, echo, _, seq, body):
        if kind == WELCOME and body[0] == self.nonce:
            if self.state == "greeting":
                self.state, self.session = "live", session
                self.silent = self.patient(body[1], body[3])
                self.heard = time.monotonic()
                log("LINK-WELCOMED", self.address)
        elif kind == REFUSE and body[0] == self.nonce:
            log("LINK-REFUSED", f"{self.address}: {body[2]}", "error")
            self.state, self.heard = "refused", time.monotonic()
        elif self.session and session == self.session:
            self.heard = time.monotonic()
            if echo == self.version:
                self.echo = echo
            if kind == ALERT:
                most = max(self.limit, 0 if self.echo == self.version
                           else self.before)
                if not frames or seq <= self.seq or self.held >= most:
                    raise Broken("an alert beyond the window, or without one")
                self.seq = seq
                self.stage.accept(Alert(self, seq, frames), suspect)
            elif kind in (RESET, UP_BYE):
                self.end("idle" if kind == RESET else "greeting")

    def patient(self, boot, beat_ms):
        """Seconds of silence that mean gone. Who was given up and is there
        again in the same life was busy: each time it is twice as long."""
        self.patience = 0 if boot != self.boot else \
            min(16, self.patience + self.given_up)
        self.boot, self.given_up = boot, False
        silent = 3e-3 * max(min(beat_ms, 60000), self.stage.beat_ms)
        return min(silent * 2 ** self.patience,
                   max(silent, 1e-3 * self.stage.stall_ms))

    def counted(self):
        before = 0 if self.echo == self.version else self.before
        return max(self.held, self.limit, before)

    def flush(self):
        """Everything that is to be told; what cannot be sent stays."""
        if self.state == "idle" and not self.stage.draining:
            self.hello()
        if self.state != "live":
            return
        for kind, told in self.told.items():
            if told and all(self.say(kind, b) for b in pack_runs(told)):
                told.clear()
        while self.rejects and self.say(REJECT, self.rejects[0]):
            self.rejects.pop(0)
        if self.said != self.version:
            self.say(BEAT)

    def judge(self, now):
        age = now - self.heard
        if age > (20e-3 * self.stage.beat_ms if self.state == "refused"
                  else self.silent):
            self.given_up |= self.state == "live"
            self.reopen()


class Child:
    """The isolation child: this program again, without sockets. A job lies in
    a file without a name, so that writing it never waits."""

    def __init__(self, stage):
        self.stage, self.process, self.job = stage, None, None
        self.file = os.memfd_create("weft-job")

    def start(self, frames, job):
        """`job` is the alert, or None for a canary."""
        self.job, self.busy, self.hung = job, True, False
        self.since = time.monotonic()
        if not self.process:
            self.ready, self.unpacker = False, msgpack.Unpacker()
            self.process = subprocess.Popen(
                [sys.executable, *sys.argv, "--isolated", str(self.file)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                pass_fds=[self.file])
            os.set_blocking(self.process.stdout.fileno(), False)
            self.stage.poller.register(self.process.stdout.fileno(),
                                       zmq.POLLIN)
        data = msgpack.packb(frames)
        os.pwrite(self.file, data, 0)
        try:
            self.process.stdin.write(b"%d\n" % len(data))
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died: poll will see

    busy, since = False, 0.0

    def poll(self, now):
        """The job's (code, reason, section), or None. Code None: it was killed
        from outside, or never began: nothing is known of the alert."""
        if not self.process:
            return None
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            if self.busy and not self.hung and now - self.since > (
                    self.stage.stall_ms / 1000 + (0 if self.ready else 20)):
                self.hung = True
                self.process.kill()
            return None
        if not data:
            return self.buried()
        self.unpacker.feed(data)
        for answer in self.unpacker:
            if self.ready:
                self.busy = False
                return answer
            self.ready, self.since = True, now
        return None

    def buried(self):
        self.stage.poller.unregister(self.process.stdout.fileno())
        code, was_busy = -self.process.wait(), self.busy
        self.process.stdin.close()
        self.process.stdout.close()
        self.process, self.busy = None, False
        if not was_busy:
            return None
        if not self.ready or (code in OUTSIDE and not self.hung):
            return None, "killed from outside", b""
        return (HUNG, "hung", b"") if self.hung else (CRASHED, "crashed", b"")


def serve(function, file):
    """The child's side: one job a line, its size; ends with its parent, even
    in a job that never does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    out, now = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    answer = None  # the first word: ready
    while True:
        out.write(msgpack.packb(answer))
        out.flush()
        line = now.readline()
        if not line:
            return
        frames = msgpack.unpackb(os.pread(file, int(line), 0))
        answer = call(function, frames)


class Stage:
    """One process: all links above, all branches below, and the loop."""

    def __init__(self, name, function, reads, writes, golden, settings):
        link = settings["link"]
        self.name, self.reads, self.writes = name, reads, writes
        self.function, self.settings = function, settings
        self.golden = golden and [section.encode() for section in golden]
        self.boot = random.getrandbits(63) | 1
        with open(sys.argv[0], "rb") as file:
            text = file.read() + json.dumps(settings["options"]).encode()
        self.hash = struct.unpack("<Q", hashlib.sha256(text).digest()[:8])[0]
        self.beat_ms, self.stall_ms = link["beat_ms"], link["stall_ms"]
        self.window = link["window"]
        self.slot = max(1, link["window_bytes"] // self.window)
        self.poller, self.links, self.orphans = zmq.Poller(), {}, 0
        self.todo, self.suspects = collections.deque(), collections.deque()
        self.verdicts, self.canaries = collections.deque(), 0
        self.child, self.broken, self.canary_due = Child(self), False, False
        self.canary_was_last = self.draining = self.reload = False
        self.keys = self.read_keys()
        self.gate = self.keys and weft_keys.Gate(self.keys, self.refused)
        self.last_tick = self.next_beat = time.monotonic()
        self.counters = collections.Counter()
        self.branches = Branches(self) if link["outputs"] else None

    def accept(self, alert, suspect):
        alert.link.held += 1
        alert.suspect = suspect
        if self.broken:
            self.give_back(alert)
        else:
            (self.suspects if suspect else self.todo).append(alert)

    def orphan(self, link):
        """Its session ends: what is in somebody's hands still fills room."""
        for queue in (self.todo, self.suspects, self.verdicts):
            for alert in [a for a in queue if a.link is link]:
                queue.remove(alert)
                link.held -= 1
        self.orphans += link.held

    def release(self, alert):
        if alert.live():
            alert.link.held -= 1
        else:
            self.orphans -= 1

    def give_back(self, alert):
        if alert.live():
            alert.link.told[RETRY].append((alert.seq, 0))
        self.release(alert)

    def finish(self, alert):
        """Everything below has settled it; a verdict from below goes up."""
        if alert.live() and isinstance(alert.worst, tuple):
            self.reject(alert, *alert.worst)
        elif alert.live():
            alert.link.told[SETTLE].append((alert.seq, alert.worst))
            self.counters["settled"] += 1
        self.release(alert)

    def reject(self, alert, code, reason):
        text = reason.encode(errors="replace")[:240]
        alert.link.rejects.append(
            struct.pack("<QiB", alert.seq, code, len(text)) + text)
        self.counters["rejected"] += 1

    def returned(self, alert, code, reason, section):
        if not alert.live():
            self.release(alert)
            return
        alert.link.done = max(alert.link.done, alert.seq)
        if code == 0:
            self.golden = alert.frames
            if self.branches:
                self.branches.submit(alert, alert.frames + [section])
            else:
                self.finish(alert)
        elif code is None and alert.kills < 2:
            alert.kills += 1
            self.suspects.append(alert)
        elif self.broken or code in (RETRY, None):
            self.give_back(alert)
        else:
            alert.verdict, alert.epoch = (code, reason), self.canaries
            self.verdicts.append(alert)

    def run_child(self, now):
        answer = self.child.poll(now)
        if answer and self.child.job:
            self.returned(self.child.job, *answer)
        elif answer and answer[0] is not None:
            self.canary(answer[0] == 0, answer[1])
        if self.child.busy:
            return
        canary = self.verdicts or self.canary_due
        suspect = self.suspects and not self.broken
        if canary and not (suspect and self.canary_was_last):
            self.canaries += 1
            self.canary_was_last, self.canary_due = True, False
            if self.golden:
                self.child.start(self.golden, None)
            else:
                self.canary(True, "")  # nothing is known to work yet
        elif suspect:
            self.canary_was_last = False
            alert = self.suspects.popleft()
            self.child.start(alert.frames, alert)

    def canary(self, passed, reason):
        if passed != (not self.broken):
            log("LINK-CANARY-PASSED" if passed else "LINK-CANARY-FAILED",
                reason, "info" if passed else "error")
        self.broken = not passed
        while self.verdicts and (not passed or
                                 self.verdicts[0].epoch < self.canaries):
            alert = self.verdicts.popleft()
            if passed:
                self.reject(alert, *alert.verdict)
                self.release(alert)
            else:
                self.give_back(alert)
        while self.broken and self.suspects:
            self.give_back(self.suspects.popleft())

    def share(self):
        """One window over all sessions; limits fall at once and rise only by
        what is free, one change at a time under way in each session."""
        live = [link for link in self.links.values() if link.session]
        for link in live:
            if link.echo != link.version:
                continue
            free = self.window - self.orphans - sum(
                other.counted() for other in live if other is not link)
            want = max(0, min(free, max(1, self.window // len(live))))
            if self.broken or self.draining:
                want = 0
            if want != link.limit:
                link.before, link.limit = link.limit, want
                link.version += 1

    def read(self):
        for link in self.links.values():
            for _ in range(READ_MOST):
                if not link.recv():
                    break
        if self.branches:
            self.branches.read()

    work_for = 0.025  # seconds of functions in one turn

    def work(self):
        end = time.monotonic() + self.work_for
        while self.todo and time.monotonic() < end:
            alert = self.todo.popleft()
            self.returned(alert, *call(self.function, alert.frames))

    was_away = False

    def forgive(self, now):
        """Whatever stopped us may have stopped the others, too: seconds since
        the last tick that are nobody's silence. Of absences in a row each but
        the first is a beat of it, or who is always slow would judge nobody."""
        away, beat = now - self.last_tick, self.beat_ms / 1000
        if away <= beat:
            self.was_away = False
            return 0
        forgiven = away - beat if self.was_away else away
        self.was_away = True
        for link in self.links.values():
            link.heard = max(link.heard, now)
        self.child.since = min(now, self.child.since + forgiven)
        return forgiven

    def tick(self, now, forgiven):
        for link in self.links.values():
            link.judge(now)
        if self.branches:
            self.branches.tick(now, forgiven)
        self.last_tick = now
        if now >= self.next_beat:
            self.next_beat = now + self.beat_ms / 1000
            self.beat()

    def beat(self):
        # A function that never returns ends the process: it is silent by then.
        faulthandler.dump_traceback_later(2e-3 * self.stall_ms, exit=True)
        self.canary_due = self.broken
        if self.reload:
            self.renew_keys()
        listed = self.resolver.addresses
        for address in listed.keys() - self.links.keys():
            self.links[address] = Link(self, address, listed[address])
        for address in self.links.keys() - listed.keys():
            if not self.links[address].session:
                self.links.pop(address).close()
        for link in self.links.values():
            if link.session:
                link.say(BEAT)

    def read_keys(self):
        folder = self.settings["link"]["keys"]
        if not folder:
            return None
        own = os.path.exists(os.path.join(folder, self.name + ".secret"))
        keys = weft_keys.Keys(folder, self.name if own else "python")
        for name in self.settings["link"]["upstreams"]:
            keys.of(weft_settings.stage_of(name))
        return keys

    def refused(self, why, text):
        self.counters["refused " + why] += 1
        log("LINK-PEER-REFUSED", f"{why}: {text}", "error")

    def renew_keys(self):
        """SIGHUP: the folder again, whole or not at all."""
        old, self.reload = self.keys, False
        try:
            self.keys = old and self.read_keys()
        except (OSError, ValueError) as error:
            log("LINK-KEYS-REFUSED", str(error), "error")
        if self.keys is old:
            return
        self.gate.keys = self.keys
        other = self.keys.public != old.public
        lost = set(old.lines) - set(self.keys.lines)
        if self.branches and (other or lost):
            self.branches.part(other)
        for link in self.links.values() if lost else ():
            if link.session:
                link.say(BYE)
            link.reopen()
        log("LINK-KEYS-READ", "a new key" if other else "as before")

    ends = False

    def turn(self):
        self.poller.poll(0 if self.todo else self.beat_ms // 5)
        if self.ends:
            self.drain()
        self.read()
        self.work()
        now = time.monotonic()
        forgiven = self.forgive(now)
        self.run_child(now)
        self.tick(now, forgiven)
        self.share()
        for link in self.links.values():
            link.flush()
        if self.branches:
            self.branches.flush(now)

    def why_not_ready(self):
        if self.draining:
            return "draining"
        if self.broken:
            return "the canary fails"
        # The thread of /readyz asks; the loop may change the dict meanwhile.
        live = any(link.session for link in list(self.links.values()))
        left_out = "; ".join(self.resolver.left_out.values())
        return "" if live else "no upstream has welcomed us" + (
            left_out and f"; left out: {left_out}")

    def run(self):
        # A handler may come in the middle of anything: it only leaves word.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "ends", True))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self, "reload", True))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        self.resolver = weft_settings.Resolver(
            self.settings["link"]["upstreams"])
        weft_settings.serve_health(self)
        log("STAGE-STATE", "READY")
        while not self.drained():
            self.turn()
        for link in self.links.values():
            link.flush()
            if link.session:
                link.say(BYE)
            link.close(100)
        if self.branches:
            self.branches.bye()
        log("STAGE-STATE", "STOPPED")

    def drain(self):
        if not self.draining:
            log("STAGE-STATE", "DRAINING")
            self.until = time.monotonic() + self.settings["link"][
                "drain_ms"] / 1000
            for link in self.links.values():
                if link.session:
                    link.say(DRAIN)
        self.draining = True

    def drained(self):
        held = self.orphans + sum(k.held for k in self.links.values())
        alone = self.branches and not self.branches.peers
        return self.draining and (not held or alone or
                                  time.monotonic() > self.until)


def main(name, function, reads, writes, golden=None):
    """The whole program. `golden`: sections that the function must be able to
    read, for the canary of a worker that has finished none yet."""
    settings = weft_settings.load()
    options.update(settings["options"])
    log.service = settings["service"].get("name") or name
    if "--isolated" in sys.argv:
        serve(function, int(sys.argv[-1]))
    elif "--probe" in sys.argv:
        sys.exit(weft_settings.probe(settings))
    else:
        Stage(name, function, reads, writes, golden, settings).run()
