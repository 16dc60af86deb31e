"""What comes after a Python stage: the upstream end of the link, which keeps
every alert until all branches have settled it (proto/link.v1.md, section 4),
and the bytes of the link's header. See weft_stage.py.
"""

import collections
import json
import random
import re
import struct
import sys
import time
import zmq

HELLO, SETTLE, RETRY, REJECT, BEAT, DRAIN, BYE = range(1, 8)
WELCOME, REFUSE, ALERT, UP_BEAT, RESET, UP_BYE = range(0x81, 0x87)
WORKER = struct.Struct("<2sBBB3xQQIIQ")   # session done limit version bytes
UPSTREAM = struct.Struct("<2sBBB3xQIH2xQ")  # session echo attempt seq
RUN, MOST = struct.Struct("<QIB3x"), 512
NAME = re.compile(rb"[a-z0-9._-]{1,64}")
LARGEST = 16 << 20  # bytes of a frame
TOO_BIG = -12
BANNED_MOST = 16  # peers that broke the protocol and are ignored
READ_MOST = 16384  # messages in one turn; more are read in the next


class Broken(Exception):
    """A peer broke the protocol."""


def log(event, text="", level="info"):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"id": event, "level": level, "time": stamp, "service":
                       log.service, "text": text})
    # In one piece: print() writes the end of the line on its own, and another
    # thread's line would come between.
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


log.service = "stage"


def prepare(kind, most=4 * READ_MOST):
    """A socket as section 7 wants it; `most` messages of a peer wait."""
    sock = zmq.Context.instance().socket(kind)
    sock.linger, sock.maxmsgsize = 0, LARGEST
    sock.rcvhwm = most
    sock.heartbeat_ivl, sock.heartbeat_timeout = 500, 1500
    sock.heartbeat_ttl = 1500
    sock.reconnect_ivl, sock.reconnect_ivl_max = 50, 1000
    return sock


def pack_runs(told):
    """The bodies of SETTLE or RETRY that tell [(seq, code)]."""
    runs = []
    for seq, code in told:
        last = runs[-1] if runs else None
        if last and last[0] + last[1] == seq and last[2] == code:
            last[1] += 1
        else:
            runs.append([seq, 1, code])
    return [struct.pack("<H", len(runs[i:i + MOST])) + b"".join(
        RUN.pack(*run) for run in runs[i:i + MOST])
        for i in range(0, len(runs), MOST)]


def need(good, what):
    if not good:
        raise Broken(what)


def unpack(form, head):
    """kind, suspect, the fields of the fixed part, the body as a tuple; what
    is not exactly a header of the protocol is Broken."""
    try:
        magic, version, kind, flags, *fixed = form.unpack_from(head)
        exact = form.pack(magic, version, kind, flags, *fixed)
        need(magic == b"WL" and version == 1 and exact == head[:form.size],
             "not a header")
        need(flags in (0, 1) and (not flags or kind == ALERT), "flags")
        need((fixed[0] == 0) == (kind in (HELLO, REFUSE)), "session")
        if form is UPSTREAM:
            attempt, seq = fixed[2:]
            need(seq if kind == ALERT else not seq and not attempt, "number")
        body = BODIES[form][kind](head[form.size:])
    except (struct.error, KeyError, IndexError) as error:
        raise Broken(f"not a header: {error}") from None
    return (kind, bool(flags), *fixed, body)


def nothing(body):
    need(not body, "bytes behind the header")
    return ()


def read_name(body, at):
    """The name8 that begins there, and where it ends."""
    end = at + 1 + body[at]
    name = body[at + 1:end]
    need(end <= len(body) and NAME.fullmatch(name), "a name")
    return name.decode(), end


def read_hello(body):
    fields = struct.unpack_from("<QQQIII", body)
    _, boot, _, _, beat_ms, stall_ms = fields
    need(boot and beat_ms and stall_ms, "0 where there is none")
    stage, at = read_name(body, 36)
    names, count, at = [], body[at], at + 1
    need(count <= 16, "contracts")
    for _ in range(count):
        name, at = read_name(body, at)
        names.append(name)
    nothing(body[at:])
    return (*fields, stage, names)


def read_runs(most):
    """Runs with codes up to `most`."""
    def read(body):
        count = struct.unpack_from("<H", body)[0]
        need(1 <= count <= MOST, "runs")
        runs = [RUN.unpack_from(body, 2 + RUN.size * i) for i in range(count)]
        need(body[2:] == b"".join(RUN.pack(*run) for run in runs), "runs")
        need(all(first and n and first + n < 1 << 64 and code <= most
                 for first, n, code in runs), "a run")
        return runs
    return read


def read_text(form, good):
    """Numbers for which `good` holds, and a text8."""
    def read(body):
        *fields, size = struct.unpack_from(form, body)
        text = body[struct.calcsize(form):]
        need(len(text) == size <= 240 and good(*fields), "numbers and a text")
        return (*fields, text.decode(errors="replace"))
    return read


def read_welcome(body):
    fields = _, boot, _, beat_ms = struct.unpack("<QQII", body)
    need(boot and beat_ms, "0 where there is none")
    return fields


BODIES = {
    WORKER: {HELLO: read_hello, SETTLE: read_runs(1), RETRY: read_runs(0),
             REJECT: read_text("<QiB", lambda seq, code:
                               seq and -32767 <= code < 0),
             BEAT: nothing, DRAIN: nothing, BYE: nothing},
    UPSTREAM: {WELCOME: read_welcome,
               REFUSE: read_text("<QHB", lambda _, code: 1 <= code <= 4),
               ALERT: nothing, UP_BEAT: nothing, RESET: nothing,
               UP_BYE: nothing},
}


class Copy:
    """An alert on its way to one branch."""

    attempt, suspect, until = 0, False, 0.0

    def __init__(self, alert, frames, branch):
        self.alert, self.frames, self.branch = alert, frames, branch
        self.size, self.largest = sum(map(len, frames)), max(map(len, frames))
        self.avoid = set()


class Peer:
    """One worker below: its session and what it has."""

    def __init__(self, route, body, fixed):
        self.nonce, self.boot, _, self.largest, _, self.stall, self.branch, \
            self.contracts = body
        _, _, self.limit, self.version, self.limit_bytes = fixed
        self.route, self.session = route, random.getrandbits(63) | 1
        self.seq = self.done = self.bytes = 0
        self.sent, self.draining, self.echo_due = {}, False, False
        self.alive = time.monotonic()

    def free(self):
        return 0 if self.draining else self.limit - len(self.sent)

    def has_bytes(self, size):
        return not self.sent or self.bytes + size <= self.limit_bytes


class Branches:
    """The ROUTER, a queue for each listed branch, and the peers."""

    def __init__(self, stage):
        self.stage, self.boot = stage, stage.boot
        self.queues = {b: collections.deque()
                       for b in stage.settings["link"]["outputs"]}
        self.peers = {}
        self.banned = collections.deque(maxlen=BANNED_MOST)
        self.bind()

    def bind(self):
        self.sock = prepare(zmq.ROUTER)
        self.sock.router_mandatory, self.sock.sndhwm = 1, 0
        if self.stage.keys:
            self.stage.keys.server(self.sock)
        for _ in range(50):  # the place may not be free at once
            try:
                self.sock.bind("tcp://" + self.stage.settings["link"]["bind"])
                break
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise
                time.sleep(0.02)
        else:
            raise OSError("cannot listen on " +
                          self.stage.settings["link"]["bind"])
        self.stage.poller.register(self.sock, zmq.POLLIN)

    def part(self, rebind):
        """Everybody comes in again, by other keys."""
        for peer in list(self.peers.values()):
            self.send(peer.route, UP_BYE, peer.session, peer)
            self.end(peer, False)
        if rebind:
            self.stage.poller.unregister(self.sock)
            self.sock.close(100)
            self.bind()

    def submit(self, alert, frames):
        alert.open = len(self.queues)
        for branch, queue in self.queues.items():
            queue.append(Copy(alert, frames, branch))

    def closed(self, copy, outcome):
        """One branch is through: 0 settled, 1 dead, (code, reason) a verdict;
        the worst of all goes up."""
        rank = {0: 0, 1: 1}.get
        alert = copy.alert
        if rank(outcome, 2) > rank(alert.worst, 2):
            alert.worst = outcome
        alert.open -= 1
        if alert.open == 0:
            self.stage.finish(alert)

    def send(self, route, kind, session, peer=None, copy=None, body=b""):
        """False: not sent. A peer that is gone loses its session."""
        head = UPSTREAM.pack(b"WL", 1, kind, bool(copy and copy.suspect),
                             session, peer.version if peer else 0,
                             min(copy.attempt, 65535) if copy else 0,
                             peer.seq + 1 if copy else 0)
        try:
            self.sock.send_multipart(
                [route, head + body, *(copy.frames if copy else [])],
                zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if peer and error.errno == zmq.EHOSTUNREACH:
                log("LINK-PEER-LOST", f"{peer.branch}: unreachable", "warn")
                self.end(peer, True)
            return False
        if peer:
            peer.echo_due = False
        return True

    def end(self, peer, death):
        """Its alerts go to the front in their old order; after a death those
        that its function had not returned for are suspects."""
        if self.peers.pop(peer.route, None) is None:
            return
        for seq, copy in reversed(peer.sent.items()):
            copy.attempt += 1
            copy.suspect |= death and seq > peer.done
            self.queues[copy.branch].appendleft(copy)
        self.stage.counters["redelivered"] += len(peer.sent)

    def read(self):
        for _ in range(READ_MOST):
            try:
                frames = self.sock.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            if len(frames) < 2:
                continue
            route, head = frames[0].bytes, frames[1].bytes
            try:
                if route not in self.banned:
                    self.take(route, unpack(WORKER, head), frames[1])
            except Broken as error:
                log("LINK-PEER-BAD", f"{frames[1].get('Peer-Address')}: {error}", "error")
                self.banned.append(route)
                if route in self.peers:
                    self.end(self.peers[route], True)

    def take(self, route, frame, message):
        kind, _, session, done, limit, version, limit_bytes, body = frame
        peer = self.peers.get(route)
        if kind == HELLO:
            self.hello(route, body, frame[2:7], message)
        elif not peer:
            if kind != BYE:
                self.send(route, RESET, session)
        elif session == peer.session:
            if done > peer.seq:
                raise Broken("done above the last number sent")
            if kind in (SETTLE, RETRY, REJECT) and not self.told(
                    peer, kind, body):
                return  # it names nothing that the session holds: not heard
            peer.alive, peer.done = time.monotonic(), max(peer.done, done)
            if 0 < (version - peer.version) % (1 << 32) < 1 << 31:
                peer.limit, peer.limit_bytes = limit, limit_bytes
                peer.version, peer.echo_due = version, True
            peer.draining |= kind == DRAIN
            if kind == BYE:
                self.end(peer, False)

    def why_not(self, peer, message):
        """The code and reason of a REFUSE, or None."""
        keys, writes = self.stage.keys, self.stage.writes
        if keys and not keys.may(message.get("User-Id").encode(),
                                 peer.branch):
            self.stage.counters["refused stage"] += 1
            return 3, b"this key is not one of that stage"
        if peer.branch not in self.queues:
            return 1, b"not one of this stage's outputs"
        if writes not in peer.contracts and any(
                c.split(".")[0] == writes.split(".")[0]
                for c in peer.contracts):
            return 2, b"reads another version of what this stage writes"
        return None

    def hello(self, route, body, fixed, message):
        peer = Peer(route, body, fixed)
        refused = self.why_not(peer, message)
        for old in [p for p in self.peers.values()
                    if (p.boot == body[1] or p.route == route) and
                    not (refused and refused[0] == 3)]:
            self.end(old, old.boot != body[1])
        if not refused and len(self.peers) >= self.stage.settings["link"][
                "max_peers"]:
            refused = 4, b"as many workers as there may be"
        if refused:
            code, text = refused
            log("LINK-REFUSED", f"{peer.branch}: {text.decode()}", "error")
            self.send(route, REFUSE, 0, body=struct.pack(
                "<QHB", peer.nonce, code, len(text)) + text)
            return
        self.peers[route] = peer
        self.send(route, WELCOME, peer.session, peer, body=struct.pack(
            "<QQII", peer.nonce, self.boot, LARGEST, self.stage.beat_ms))

    def told(self, peer, kind, body):
        """Settles, gives back or judges; the number of alerts it was about."""
        runs, found = [(body[0], 1, 0)] if kind == REJECT else body, 0
        back = []
        for first, count, code in runs:
            for seq in (range(first, first + count) if count < 4096 else
                        [s for s in peer.sent if first <= s < first + count]):
                copy = peer.sent.pop(seq, None)
                if not copy:
                    continue
                found += 1
                peer.bytes -= copy.size
                if kind == RETRY:
                    back.append(copy)
                elif kind == REJECT:
                    self.closed(copy, (body[1], f"{peer.branch}: {body[2]}"))
                else:
                    self.closed(copy, code)
        for copy in reversed(back):
            now = time.monotonic()
            if now >= copy.until:
                copy.avoid.clear()
            copy.avoid.add(peer.session)
            copy.until = now + self.stage.beat_ms / 1000
            copy.attempt += 1
            self.queues[copy.branch].appendleft(copy)
        self.stage.counters["redelivered"] += len(back)
        return found

    def tick(self, now, forgiven):
        """`forgiven`: seconds of our own absence that are no silence."""
        for peer in list(self.peers.values()):
            peer.alive = min(now, peer.alive + forgiven)
            if peer.sent and now - peer.alive > peer.stall / 1000:
                log("LINK-PEER-HUNG", peer.branch, "warn")
                self.end(peer, True)
        if now >= getattr(self, "next_beat", 0):
            self.next_beat = now + self.stage.beat_ms / 1000
            for peer in list(self.peers.values()):
                self.send(peer.route, UP_BEAT, peer.session, peer)

    def flush(self, now):
        for branch, queue in self.queues.items():
            skipped = []
            while queue and self.deliver(queue, branch, skipped, now):
                pass
            queue.extendleft(reversed(skipped))
        for peer in list(self.peers.values()):
            if peer.echo_due:
                self.send(peer.route, UP_BEAT, peer.session, peer)

    def deliver(self, queue, branch, skipped, now):
        """The first of the queue to the most free window; False: nobody has
        room. Who waits only for another worker is skipped."""
        copy = queue[0]
        peers = [p for p in self.peers.values() if p.branch == branch]
        able = [p for p in peers if p.free() > 0]
        if not able:
            return False
        fit = [p for p in able if copy.largest <= p.largest and
               not (now < copy.until and p.session in copy.avoid)]
        if not fit:
            queue.popleft()
            if all(copy.largest > p.largest for p in peers):
                self.closed(copy, (TOO_BIG, f"{branch}: too-big"))
            else:
                skipped.append(copy)
            return True
        fit = [p for p in fit if p.has_bytes(copy.size)]
        if not fit:
            return False
        peer = max(fit, key=Peer.free)
        if not self.send(peer.route, ALERT, peer.session, peer, copy):
            return peer.route not in self.peers
        queue.popleft()
        if not peer.sent:
            peer.alive = max(peer.alive, now)
        peer.seq += 1
        peer.sent[peer.seq] = copy
        peer.bytes += copy.size
        return True

    def bye(self):
        for peer in list(self.peers.values()):
            self.send(peer.route, UP_BYE, peer.session, peer)
        self.sock.close(100)
