#!/usr/bin/env python3
"""weft tap: what a stage has finished, without touching it."""

import json
import os
import shutil
import signal
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, ids, wait_for

PYTHON = "/usr/bin/python3"
PYTHON_STAGE = os.path.abspath("tests/stages/pass_stage.py")
WEFT = os.path.join(BUILD, "bin", "weft")


def tap(m, *words):
    """(exit code, rows, what it said)"""
    done = subprocess.run([WEFT, "tap", *words, "--json", "--redis", m.redis.address],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=600)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def chain(m, rate=300, size=2000, sink=None):
    """source -> 2 pass -> sink, for ever."""
    p = [free_port() for _ in range(3)]
    m.source(p[0], ["pass"], alerts=50000000, size=size, rate=rate, end=False)
    for i in range(2):
        m.stage("pass%d" % i, [p[0]], p[1 + i], ["sink"])
    m.sink(p[1:], link=sink or {})
    m.start()


def registered(m, *stages):
    names = lambda: {row["stage"] for row in json.loads(subprocess.run(
        [WEFT, "ps", "--json", "--redis", m.redis.address], stdout=subprocess.PIPE,
        check=True).stdout)}
    wait_for(lambda: names() >= set(stages), 60, "they are in the registry")
    wait_for(lambda: len(ids(m.path("sink.ids"))) > 0, 60, "alerts flow")


def it_shows_what_passes():
    with Mesh("taps of a source, a stage, a last stage", redis=True) as m:
        chain(m)
        registered(m, "source", "pass", "sink")
        for stage, sections in (("source", 0), ("pass", 1), ("sink", 1)):
            code, rows, said = tap(m, stage, "--n", "12", "--rate", "0")
            check(code == 0 and len(rows) == 12, (stage, code, rows, said))
            for row in rows:
                check(row["stage"] == stage and int(row["envelope"]["alert_id"]) >= 0, row)
                #  The source's own section is bytes without a contract.
                check(len(row["sections"]) == 1 + sections, row)
            keys = [(row["process"], row["number"]) for row in rows]
            check(len(set(keys)) == 12, keys)
        code, rows, said = tap(m, "pass", "--n", "10", "--every", "6")
        check(code == 0 and all(row["number"] % 6 == 0 for row in rows), (rows, said))
        code, rows, said = tap(m, "nobody")
        check(code == 1 and "no process of stage nobody" in said, said)
        m.finish()


def who_has_none_says_so():
    with Mesh("a tap that is off", redis=True) as m:
        chain(m, sink={"tap": "off"})
        registered(m, "source", "pass", "sink")
        code, _, said = tap(m, "sink")
        check(code == 1 and "link.tap of stage sink is off" in said, said)
        m.finish()


def watcher(m, **streams):
    return subprocess.Popen([WEFT, "tap", "pass", "--rate", "0", "--json", "--wait", "0",
                             "--redis", m.redis.address], stdin=subprocess.DEVNULL,
                            text=True, **streams)


def a_slow_or_stopped_tap_slows_nothing():
    """One is stopped, the other's output is not read. A channel that pushes back
    stands still after what fits into it: a thousandth of what flows here."""
    most, size = 20000, 40000
    with Mesh("a stopped tap, and a slow one", redis=True) as m:
        chain(m, rate=0, size=size)
        registered(m, "pass")
        stopped = watcher(m, stdout=open(m.path("stopped.rows"), "w"))
        slow = watcher(m, stdout=subprocess.PIPE)
        try:
            wait_for(lambda: os.path.getsize(m.path("stopped.rows")) > 0, 60, "it shows")
            stopped.send_signal(signal.SIGSTOP)
            before = len(ids(m.path("sink.ids")))
            memory = m.processes["pass0"].memory_mb()
            wait_for(lambda: len(ids(m.path("sink.ids"))) > before + most, 200,
                     "alerts flow beside taps that do not read")
            #  800 MB went by; a quarantine of a sanitizer is 256 MB.
            more = m.processes["pass0"].memory_mb() - memory
            check(more < 450, "pass0 has grown by %d MB" % more)
            check(stopped.poll() is None and slow.poll() is None, "they are still there")
            #  The slow one has lost what was dropped, and goes on.
            numbers = {}
            gap = False
            while not gap:
                row = json.loads(slow.stdout.readline())
                last = numbers.get(row["process"], row["number"] - 1)
                gap = row["number"] != last + 1
                numbers[row["process"]] = row["number"]
        finally:
            for process in (stopped, slow):
                process.kill()
                process.wait()
        m.finish()


def locked_ones_ask_for_a_key():
    with Mesh("taps of encrypted links", redis=True) as m:
        m.lock("source", "pass", "sink", "viewer=sink")
        chain(m)
        registered(m, "pass")
        code, _, said = tap(m, "pass", "--n", "1")
        check(code == 1 and "expected --keys DIR" in said, said)
        code, rows, said = tap(m, "pass", "--n", "3", "--keys", m.keys)
        check(code == 0 and len(rows) == 3, said)
        #  A key that is known, of another stage: it hears nothing.
        other = m.path("other")
        shutil.copytree(m.keys, other)
        shutil.copy(os.path.join(m.keys, "viewer.secret"), os.path.join(other, "operator.secret"))
        code, rows, said = tap(m, "pass", "--n", "1", "--keys", other, "--wait", "3")
        check(code == 1 and not rows and "nothing came" in said, (rows, said))
        named = [row for i in range(2) for row in m.processes["pass%d" % i].events(
            "LINK-PEER-REFUSED") if "tap from 127.0.0.1" in row["text"]]
        check(named, "it is named")
        #  Other keys: the tap is bound anew, the registry says where.
        m.weft_keys("--rotate", m.keys)
        for process in m.processes.values():
            process.send(signal.SIGHUP)
        wait_for(lambda: all(m.processes["pass%d" % i].events("LINK-KEYS-READ")
                             for i in range(2)), 60, "keys are read")
        wait_for(lambda: tap(m, "pass", "--n", "3", "--keys", m.keys, "--wait", "5")[0] == 0,
                 60, "it shows again")
        m.finish()


def a_stage_in_python_has_none():
    with Mesh("a stage in Python", redis=True) as m:
        if subprocess.run([PYTHON, "-c", "import zmq, msgpack"],
                          stderr=subprocess.DEVNULL).returncode:
            print("     python3-zmq is not there: not run")
            return
        p = [free_port(), free_port()]
        m.source(p[0], ["pass"], alerts=50000000, size=500, rate=50, end=False)
        m.add("python", PYTHON_STAGE, {
            "link": {"upstreams": ["127.0.0.1:%d" % p[0]],
                     "bind": "127.0.0.1:%d" % p[1], "outputs": ["sink"]},
            "options": {}}, {"WEFT_TEST_STAGE": "pass"})
        m.sink(p[1:])
        m.start()
        registered(m, "source", "sink")
        code, _, said = tap(m, "pass")
        check(code == 1 and "a stage in Python" in said and "tap the stage before" in said, said)


if __name__ == "__main__":
    mesh.main([it_shows_what_passes, who_has_none_says_so,
               a_slow_or_stopped_tap_slows_nothing, locked_ones_ask_for_a_key,
               a_stage_in_python_has_none])
