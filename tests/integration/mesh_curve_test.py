#!/usr/bin/env python3
"""Locked links: who may come in, who may not, and keys that are rotated."""

import os
import shutil
import signal
import struct
import time

import mesh
from mesh import Mesh, all_arrived, check, free_port, ids, outcomes, wait_for

try:
    import zmq
except ImportError:
    zmq = None

HEAD = struct.Struct("<2sBBB3xQQIIQ")


def locked(m, rate=0, alerts=50000000, size=2000, end=False):
    """source -> 2 pass -> sink, all with keys; returns the head's port."""
    m.lock("source", "pass", "sink")
    head, ports = free_port(), [free_port(), free_port()]
    #  A busy machine may keep a worker from three short beats.
    link = {"beat_ms": 1000}
    m.source(head, ["pass"], alerts=alerts, rate=rate, size=size, end=end, link=link)
    for i, port in enumerate(ports):
        m.stage("pass%d" % i, [head], port, ["sink"], link=link)
    m.sink(ports, link=link)
    return head


def finish(m):
    """Stops the intake where it is and waits until all before is settled."""
    source = m.processes["source"]
    source.kill(signal.SIGTERM)
    n = max(outcomes(m.path("source.outcomes"))) + 1
    source.config["options"].update(alerts=n, end=True)
    source.write()
    for process in m.processes.values():
        if not process.running():
            process.start()
    check(source.wait(60) == 0, "the source does not come to its end")
    all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
    return n


def everything_arrives():
    with Mesh("everything arrives, encrypted") as m:
        n = 5000
        locked(m, alerts=n, end=True)
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        said = m.processes["source"].events("MESH-LISTENING")[0]["text"]
        check("encrypted" in said, said)
        check(not m.processes["source"].events("LINK-PEER-REFUSED"), "refused")


class Peer:
    """A worker of ours that says HELLO as any stage, with any key."""

    def __init__(self, context, port, server=None, secret=None):
        self.sock = context.socket(zmq.DEALER)
        self.sock.linger = 0
        if secret:
            self.sock.curve_secretkey = secret
            self.sock.curve_publickey = zmq.curve_public(secret)
            self.sock.curve_serverkey = server
        self.sock.connect("tcp://127.0.0.1:%d" % port)

    def hello(self, stage):
        head = HEAD.pack(b"WL", 1, 1, 0, 0, 0, 0, 1, 0)
        name = stage.encode()
        self.sock.send(head + struct.pack("<QQQIIIB", 7, 99, 0, 1 << 20, 250,
                                          10000, len(name)) + name + b"\0")

    def answer(self, seconds=30):
        """The type of the next frame, None if there is none."""
        return self.sock.recv()[3] if self.sock.poll(seconds * 1000) else None


def key_of(m, name, kind):
    with open(os.path.join(m.keys, "%s.%s" % (name, kind)), "rb") as f:
        return f.read().strip()


def counted(m, reason):
    name = 'weft_link_refused_total{stage="source",reason="%s"}' % reason
    return m.processes["source"].metric(name) >= 1


def named(m, reason):
    """What the source has said of such peers, if it knew where they were."""
    return [e["text"] for e in m.processes["source"].events("LINK-PEER-REFUSED")
            if e["text"].startswith(reason) and "127.0.0.1" in e["text"]]


def refused(m, reason, text):
    """Waits until the source has counted and named such a peer."""
    wait_for(lambda: counted(m, reason), 30, "%s is counted" % reason)
    wait_for(lambda: named(m, reason), 30, "%s is named with its address" % reason)
    check(all(t in named(m, reason)[-1] for t in text),
          "%s is named otherwise: %s" % (reason, named(m, reason)))


def strangers_are_refused():
    if zmq is None:
        print("SKIP strangers: python3-zmq is not installed")
        return
    with Mesh("strangers are refused") as m:
        head = locked(m, rate=500)
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 50, 60, "flow")
        context = zmq.Context()
        server = key_of(m, "source", "public")
        public, secret = zmq.curve_keypair()
        unknown = Peer(context, head, server, secret)
        plain = Peer(context, head)
        plains = []
        other = Peer(context, head, server, key_of(m, "sink", "secret"))
        good = Peer(context, head, server, key_of(m, "operator", "secret"))
        for peer in (unknown, plain, other, good):
            peer.hello("pass")
        check(other.answer() == 0x82, "a sink's key was not refused as pass")
        check(good.answer() == 0x81, "the operator's key was not welcome")
        refused(m, "key", [public.decode()])
        #  A peer that sees the other security first may leave before it has said
        #  its own: that one is a failed handshake, and does not come again. One
        #  that has left before it was asked has no address.
        wait_for(lambda: named(m, "plaintext") or
                 plains.append(Peer(context, head)), 60, "one plain peer is seen as such")
        refused(m, "plaintext", [])
        refused(m, "stage", [key_of(m, "sink", "public").decode(),
                             "of stage sink", "claims to be pass"])
        for peer in (unknown, plain, *plains):
            check(peer.answer(0) is None, "a stranger was answered")
        context.destroy(0)
        finish(m)


def a_flood_of_strangers_stops_nobody():
    if zmq is None:
        print("SKIP flood: python3-zmq is not installed")
        return
    with Mesh("a flood of strangers") as m:
        head = locked(m)
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 50, 60, "flow")
        public, secret = zmq.curve_keypair()
        server = key_of(m, "source", "public")
        silent = [mesh.socket.create_connection(("127.0.0.1", head))
                  for _ in range(100)]
        context = zmq.Context()
        before, end, n = len(ids(m.path("sink.ids"))), time.time() + 3, 0
        while time.time() < end:
            peers = [Peer(context, head, server, secret) for _ in range(10)]
            peers += [Peer(context, head) for _ in range(10)]
            time.sleep(0.03)
            for peer in peers:
                peer.sock.close(0)
            n += len(peers)
        context.destroy(0)
        wait_for(lambda: len(ids(m.path("sink.ids"))) > before + 100, 60,
                 "flow in spite of %d strangers" % n)
        source = m.processes["source"]
        check(source.metric("weft_link_refused_total") > 20, "not counted")
        lines = len(source.events("LINK-PEER-REFUSED"))
        check(not source.events("LINK-PEER-LOST"), "a good peer was lost")
        for s in silent:
            s.close()
        print("     %d strangers, %d lines" % (n, lines))
        finish(m)


def hang_up(m):
    for process in m.processes.values():
        process.send(signal.SIGHUP)


def keys_read(m, n):
    """Has every process read its keys n times?"""
    return all(len(p.events("LINK-KEYS-READ")) >= n
               for p in m.processes.values())


def keys_are_rotated():
    with Mesh("keys are rotated under load") as m:
        locked(m, rate=2000)
        m.start()
        path = m.path("sink.ids")
        wait_for(lambda: len(ids(path)) > 200, 60, "flow")
        for turn in range(2):
            for words in (["--rotate", m.keys], ["--retire", m.keys]):
                m.weft_keys(*words)
                hang_up(m)
                count = 2 * turn + 1 + (words[0] == "--retire")
                wait_for(lambda: keys_read(m, count), 60, "keys are read")
                before = len(ids(path))
                wait_for(lambda: len(ids(path)) > before + 500, 60,
                         "flow after %s" % words[0])
        for process in m.processes.values():
            check(not process.events("LINK-KEYS-REFUSED"), "keys refused")
        suspects = m.processes["source"].metric("weft_isolated_total")
        print("     %d alerts, %d suspects" % (finish(m), suspects))


def an_old_key_is_shut_out():
    if zmq is None:
        print("SKIP old key: python3-zmq is not installed")
        return
    with Mesh("an old key is shut out") as m:
        head = locked(m, rate=500)
        m.start()
        context = zmq.Context()
        peer = Peer(context, head, key_of(m, "source", "public"),
                    key_of(m, "operator", "secret"))
        peer.hello("pass")
        check(peer.answer() == 0x81, "not welcome before")
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 50, 60, "flow")
        m.weft_keys("--rotate", m.keys, "operator")
        m.weft_keys("--retire", m.keys)
        hang_up(m)
        wait_for(lambda: keys_read(m, 1), 60, "keys are read")
        kinds = []
        while not kinds or kinds[-1] != 0x82:
            kinds.append(peer.answer())
            check(kinds[-1] is not None, "never refused: %s" % kinds[-5:])
            if kinds[-1] == 0x86:
                peer.hello("pass")
        context.destroy(0)
        finish(m)


def fails_with(m, name, text):
    """The process ends with exit code 2 and says this."""
    process = m.processes[name].start()
    code = process.wait(30)
    said = [e["text"] for e in process.events() if e["level"] == "error"]
    check(code == 2 and any(text in s for s in said),
          "exit %s, said %s, expected %s" % (code, said[-2:], text))


def bad_keys_are_named():
    with Mesh("bad keys are named") as m:
        locked(m)
        secret = os.path.join(m.keys, "pass.secret")
        allow = os.path.join(m.keys, "allow")
        os.chmod(secret, 0o644)
        fails_with(m, "pass0", "pass.secret: others than its owner may read")
        os.chmod(secret, 0o600)
        shutil.copy2(secret, secret + ".good")
        with open(secret, "w") as f:
            f.write("not a key\n")
        fails_with(m, "pass0", "pass.secret: line 1: expected one line with")
        os.unlink(secret)
        fails_with(m, "pass0", "No such file or directory; `weft keys` makes")
        os.rename(secret + ".good", secret)
        with open(allow) as f:
            good = f.read()
        with open(allow, "w") as f:
            f.write(good + "half a line\n")
        fails_with(m, "pass0", 'expected "public-key stage"')
        public = key_of(m, "pass", "public").decode()
        with open(allow, "w") as f:
            f.write("".join(line for line in good.splitlines(True)
                            if public not in line))
        fails_with(m, "pass0", "there is no line for " + public)
        with open(allow, "w") as f:
            f.write("".join(line for line in good.splitlines(True)
                            if not line.endswith((" source\n", " *\n"))))
        fails_with(m, "pass0", 'has no key of a stage "source"')
        with open(allow, "w") as f:
            f.write(good)
        bind = "0.0.0.0:%d" % free_port()
        m.processes["pass0"].config["link"].update(bind=bind, keys="")
        m.processes["pass0"].write()
        process = m.processes["pass0"].start()
        check(process.wait(30) == 2, "plain text beyond loopback")


def bad_keys_change_nothing():
    with Mesh("bad keys at SIGHUP change nothing") as m:
        locked(m, rate=500)
        m.start()
        path = m.path("sink.ids")
        wait_for(lambda: len(ids(path)) > 50, 60, "flow")
        allow = os.path.join(m.keys, "allow")
        shutil.copy(allow, allow + ".good")
        with open(allow, "a") as f:
            f.write("half a line\n")
        hang_up(m)
        for process in m.processes.values():
            wait_for(lambda: process.events("LINK-KEYS-REFUSED"), 60, "refused")
        before = len(ids(path))
        wait_for(lambda: len(ids(path)) > before + 100, 60, "flow")
        os.rename(allow + ".good", allow)
        finish(m)


if __name__ == "__main__":
    mesh.main([everything_arrives, strangers_are_refused, keys_are_rotated,
               an_old_key_is_shut_out, a_flood_of_strangers_stops_nobody,
               bad_keys_are_named, bad_keys_change_nothing])
