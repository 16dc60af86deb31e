#!/usr/bin/env python3
"""Parts of the Python stage without a mesh: who is judged after an absence, the
child's end, keys that do not suffice. Uses Debian's python3-zmq; skips (77)
without it.
"""

import copy
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
sys.path.insert(0, os.path.join(ROOT, "proto", "python"))

try:
    import zmq
    import weft_branches as wb
    import weft_keys
    import weft_settings
    import weft_stage
except ImportError:
    # Another Python may come first in PATH; Debian's has Debian's modules.
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and os.environ.get("WEFT_REEXEC") != "1":
        os.environ["WEFT_REEXEC"] = "1"
        os.execv(debian, [debian] + sys.argv)
    print("SKIP: no modules zmq and msgpack (Debian: python3-zmq, "
          "python3-msgpack)")
    sys.exit(77)

SLOW, STALL = 0.3, 10  # seconds: a turn over a beat, the stage's stall_ms


def make_stage(**link):
    settings = copy.deepcopy(weft_settings.DEFAULTS)
    settings["link"].update({"upstreams": ["up@127.0.0.1:1"], **link})
    stage = weft_stage.Stage("test", None, "alert.v1", "test.v1", None,
                             settings)
    stage.next_beat = float("inf")  # nobody is there to hear it
    return stage


class Silent:
    """A process that never says anything."""

    killed = False

    def __init__(self):
        self.stdout = os.fdopen(os.pipe()[0], "rb")
        os.set_blocking(self.stdout.fileno(), False)

    def kill(self):
        self.killed = True


def busy_child(stage):
    child = stage.child
    child.process, child.busy, child.hung = Silent(), True, False
    child.ready, child.since = True, stage.last_tick
    return child


def turn(stage, seconds):
    """The part of a turn that judges, so long after the one before."""
    now = stage.last_tick + seconds
    forgiven = stage.forgive(now)
    stage.run_child(now)
    stage.tick(now, forgiven)


def a_frozen_child_has_not_hung():
    stage = make_stage()
    child = busy_child(stage)
    turn(stage, 600)
    assert not child.process.killed, "killed for our own absence"


def a_slow_loop_finds_a_child_that_hangs():
    stage = make_stage()
    child = busy_child(stage)
    turns = int(STALL / 0.25)
    for _ in range(turns - 5):
        turn(stage, SLOW)
    assert not child.process.killed, "killed before its time"
    for _ in range(10):
        turn(stage, SLOW)
    assert child.process.killed, "never killed"


def peer_of(branches, contracts=()):
    body = (1, 2, 3, wb.LARGEST, 250, STALL * 1000, "next", list(contracts))
    return wb.Peer(b"route", body, (0, 0, 8, 1, 1 << 20))


def a_slow_loop_finds_a_peer_that_hangs():
    stage = make_stage(outputs=["next"])
    branches = stage.branches
    branches.next_beat = float("inf")  # there is no socket to beat to
    peer = peer_of(branches)
    peer.sent[1] = wb.Copy(None, [b"frame"], "next")
    peer.alive = stage.last_tick
    branches.peers[peer.route] = peer
    turn(stage, 600)
    assert branches.peers, "judged after one absence"
    for _ in range(int(STALL / 0.25) + 5):
        turn(stage, SLOW)
    assert not branches.peers, "never judged"


def a_worker_of_two_versions_may_come():
    branches = make_stage(outputs=["next"]).branches
    for reads, code in ((["test.v1"], None), (["test.v2"], 2),
                        (["test.v2", "test.v1"], None), (["other.v3"], None)):
        why = branches.why_not(peer_of(branches, reads), None)
        assert (why and why[0]) == code, f"{reads}: {why}"


def keys_without_one_of_the_upstream_are_not_taken():
    with tempfile.TemporaryDirectory() as folder:
        public, secret = zmq.curve_keypair()
        upstream = zmq.curve_keypair()[0]

        def allow(*lines):
            with open(os.path.join(folder, "allow"), "wb") as file:
                file.write(b"".join(b"%s %s\n" % line for line in lines))

        with open(os.path.join(folder, "test.secret"), "wb") as file:
            file.write(secret + b"\n")
        os.chmod(file.name, 0o600)
        allow((public, b"test"), (upstream, b"up"))
        stage = make_stage(keys=folder)
        stage.links["127.0.0.1:1"] = weft_stage.Link(stage, "127.0.0.1:1",
                                                     "up")
        keys = stage.keys
        allow((public, b"test"))
        stage.renew_keys()
        assert stage.keys is keys, "keys that do not suffice were taken"


def bad_keys_are_refused_by_file_and_line():
    with tempfile.TemporaryDirectory() as folder:
        public, secret = zmq.curve_keypair()

        def put(name, mode, text):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, mode)

        def refused(text):
            try:
                weft_keys.Keys(folder, "test")
            except ValueError as error:
                assert text in str(error), f"said {error}"
            else:
                raise AssertionError(f"taken: {text}")

        good = b"# a comment\n#\n\n%s test # old\r\n%s *\n" % (public, public)
        put("allow", 0o644, good)
        put("test.secret", 0o400, secret + b"\n")
        keys = weft_keys.Keys(folder, "test")
        assert keys.lines == [(public, "test"), (public, "*")]
        os.chmod(os.path.join(folder, "test.secret"), 0o640)
        refused("test.secret: others than its owner")
        os.chmod(os.path.join(folder, "test.secret"), 0o600)
        for line in (b"half", public, public + b" test more",
                     public + b" TEST", b"~" * 40 + b" test"):
            put("allow", 0o644, good + line + b"\n")
            refused("allow: line 6: expected")
        put("allow", 0o644, good)
        for text in (b"", b"short\n", secret + b"\n" + secret + b"\n"):
            put("test.secret", 0o600, text)
            refused("test.secret: expected one line")


def peers_that_are_ignored_and_that_are_let_in_are_bounded():
    stage = make_stage(outputs=["next"], max_peers=2)
    branches = stage.branches
    sent = []
    branches.send = lambda route, kind, *rest, **more: sent.append(kind)

    def hello(number):
        body = (number, 1000 + number, 3, wb.LARGEST, 250, STALL * 1000,
                "next", ["test.v1"])
        branches.hello(b"route%d" % number, body, (0, 0, 8, 1, 1 << 20), None)

    for number in range(1, 4):
        hello(number)
    assert sent == [wb.WELCOME, wb.WELCOME, wb.REFUSE], sent
    assert len(branches.peers) == 2
    hello(2)
    assert sent[-1] == wb.WELCOME, "one that was in and comes again"
    for number in range(10000):
        branches.banned.append(b"%d" % number)
    assert len(branches.banned) < 100, "it grows without end"
    assert branches.sock.rcvhwm > 0, "a peer may fill our memory"


def readyz_reads_links_while_they_change():
    stage = make_stage()
    stage.resolver = weft_settings.Resolver([])
    links = {"a": weft_stage.Link(stage, "127.0.0.1:1", "up"),
             "b": weft_stage.Link(stage, "127.0.0.1:2", "up")}

    class Session:
        @property
        def session(self):
            links["c"] = links["a"]
            return 0

    links["a"] = Session()
    stage.links = links
    assert "no upstream" in stage.why_not_ready()


def an_upstream_that_was_busy_is_waited_for():
    stage = make_stage()
    link = weft_stage.Link(stage, "127.0.0.1:1", "up")
    silences = []
    for _ in range(8):
        link.silent = link.patient(7, 250)
        silences.append(link.silent)
        link.state, link.heard = "live", time.monotonic()
        link.judge(link.heard + link.silent * 0.99)
        assert not link.given_up, "given up before its time"
        link.judge(link.heard + link.silent * 1.01)
        assert link.given_up and link.state == "idle", "not given up"
    assert silences[:3] == [0.75, 1.5, 3.0], silences
    assert silences[-1] == STALL, silences
    assert link.patient(8, 250) == 0.75, "another life begins anew"


def hang_in_the_job(_):
    mark = os.environ["WEFT_TEST_MARK"]
    with open(mark + ".new", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    os.rename(mark + ".new", mark)  # whole, or not there
    while True:
        time.sleep(60)


def parent():
    """Has a child in a job that does not end, and dies."""
    stage = make_stage()
    stage.child.start([b"frame"], None)
    while not os.path.exists(os.environ["WEFT_TEST_MARK"]):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def is_over(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def a_hanging_child_ends_with_its_parent():
    with tempfile.TemporaryDirectory() as folder:
        mark = os.path.join(folder, "mark")
        subprocess.run([sys.executable, __file__, "parent"], timeout=120,
                       env=dict(os.environ, WEFT_TEST_MARK=mark))
        with open(mark, encoding="ascii") as file:
            pid = int(file.read())
        end = time.monotonic() + 30
        while not is_over(pid):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                raise AssertionError("it outlives its parent")
            time.sleep(0.05)


def say_much(thread):
    for number in range(500):
        wb.log("TEST", f"thread {thread}, line {number}: " + "x" * 80)


def lines_of_two_threads_stay_whole():
    switch, stderr = sys.getswitchinterval(), sys.stderr
    with tempfile.NamedTemporaryFile("r") as said:
        sys.setswitchinterval(1e-6)
        try:
            # As in a container with PYTHONUNBUFFERED: each piece goes out at once.
            with io.TextIOWrapper(open(said.name, "wb", buffering=0),
                                  write_through=True) as sys.stderr:
                threads = [threading.Thread(target=say_much, args=(n,)) for n in range(4)]
                [t.start() for t in threads]
                [t.join() for t in threads]
        finally:
            sys.stderr = stderr
            sys.setswitchinterval(switch)
        for line in said.read().split("\n")[:-1]:
            json.loads(line)


def main():
    failures = 0
    for test in (a_frozen_child_has_not_hung,
                 a_slow_loop_finds_a_child_that_hangs,
                 a_slow_loop_finds_a_peer_that_hangs,
                 a_worker_of_two_versions_may_come,
                 keys_without_one_of_the_upstream_are_not_taken,
                 bad_keys_are_refused_by_file_and_line,
                 peers_that_are_ignored_and_that_are_let_in_are_bounded,
                 readyz_reads_links_while_they_change,
                 an_upstream_that_was_busy_is_waited_for,
                 lines_of_two_threads_stay_whole,
                 a_hanging_child_ends_with_its_parent):
        try:
            test()
            print("ok", test.__name__)
        except Exception as error:
            failures += 1
            print(f"FAILED: {test.__name__}: {error!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    if "--isolated" in sys.argv:
        weft_stage.serve(hang_in_the_job, int(sys.argv[-1]))
    elif "parent" in sys.argv:
        parent()
    else:
        sys.exit(main())
