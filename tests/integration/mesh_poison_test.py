#!/usr/bin/env python3
"""Alerts that crash, hang or are rejected; workers and stages that are broken.

Innocent neighbours must just pass, and dead letters are exactly the poison.
"""

import shutil
import subprocess
import sys
import time

import mesh
from mesh import Mesh, all_arrived, check, free_port, ids, outcomes, wait_for


def pair(m, n, stall=3000, redis=True, **options):
    """source -> 2 pass -> sink; both workers do the same on given ids. The stall
    is long enough for an innocent suspect on a busy machine."""
    p = [free_port() for _ in range(3)]
    #  A busy machine may keep a worker from three short beats.
    link = {"stall_ms": stall, "window": 64, "beat_ms": 1000}
    m.source(p[0], ["pass"], alerts=n, size=2000, link={"beat_ms": 1000})
    for i in range(2):
        m.stage("pass%d" % i, [p[0]], p[1 + i], ["sink"], link=link, **options)
    m.sink(p[1:3])


def run(m, seconds=90):
    """Starts all; restarts what dies, as a supervisor would."""
    m.start()
    end, deaths = time.monotonic() + seconds * mesh.PATIENCE, 0
    while m.processes["source"].running():
        check(time.monotonic() < end, "the source does not end")
        for process in m.processes.values():
            if process.name != "source" and not process.running():
                process.start()
                deaths += 1
        time.sleep(0.1)
    return deaths


def dead_letters(m, stage="pass"):
    return sorted(int(k.split(":")[1])
                  for k in m.redis.command("HKEYS", "dlq:" + stage))


def crash():
    with Mesh("poison that crashes", redis=True) as m:
        n, poison = 4000, [100, 101, 2000]
        pair(m, n, crash=[str(i) for i in poison])
        deaths = run(m)
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)
        check(dead_letters(m) == poison, "dlq: %s" % dead_letters(m))
        check(deaths >= 1 or "tsan" in mesh.BUILD, "nobody died")


def hang():
    with Mesh("poison that hangs", redis=True) as m:
        n, poison = 4000, [50, 3000]
        pair(m, n, hang=[str(i) for i in poison])
        #  A worker that hangs is lost to its upstream; its watchdog ends it.
        deaths = run(m)
        #  ThreadSanitizer stops ZeroMQ's thread for so long that the workers
        #  are taken for dead, and the poison is convicted before it hangs one.
        check(deaths >= 1 or "tsan" in mesh.BUILD, "nobody was ended")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)
        check(dead_letters(m) == poison, "dlq: %s" % dead_letters(m))


def fifty_rejects_in_a_row():
    with Mesh("fifty rejects in a row", redis=True) as m:
        n, poison = 4000, list(range(1000, 1050))
        pair(m, n, reject=[str(i) for i in poison])
        run(m)
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)
        check(dead_letters(m) == poison, "dlq: %s" % dead_letters(m))


def effects_that_cannot_be_committed():
    """Neither holds the others, whatever the error; nor does the first alert,
    which is alone when it fails."""
    with Mesh("effects that cannot be committed", redis=True) as m:
        n, torn, never = 3000, [0, 700], [1400, 1401]
        p = free_port()
        m.source(p, ["sink"], alerts=n, rate=600)
        m.sink([p], torn=list(map(str, torn)), never=list(map(str, never)))
        run(m)
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n,
                    torn + never)
        check(dead_letters(m, "sink") == torn + never,
              "dlq: %s" % dead_letters(m, "sink"))


def a_sink_that_tears_everything():
    """What fails for all is no alert's fault: it is held, and says so."""
    with Mesh("a sink that cannot write", redis=True) as m:
        n = 40
        p = free_port()
        m.source(p, ["sink"], alerts=n)
        sink = m.sink([p], torn=list(map(str, range(n))))
        m.start()
        wait_for(lambda: sink.events("STAGE-COMMIT-HELD"), 30, "held")
        wait_for(lambda: "down" in sink.http("/readyz")[1], 10, "says so")
        check(not outcomes(m.path("source.outcomes")), "a verdict was final")
        sink.config["options"]["torn"] = []
        sink.write()
        sink.restart()
        check(m.processes["source"].wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        check(not dead_letters(m, "sink"), "dead letters")


def rejects_everything(restart):
    with Mesh("a stage that rejects everything", redis=True) as m:
        n = 4000
        pair(m, n, reject_all=True)
        m.start()
        source = m.processes["source"]
        wait_for(lambda: source.events("LINK-BRANCH-HELD"), 30, "held")
        wait_for(lambda: "held" in source.http("/readyz")[1], 5, "says so")
        time.sleep(1)
        check(len(dead_letters(m)) < 300, "%d dead" % len(dead_letters(m)))
        for i in range(2):
            p = m.processes["pass%d" % i]
            p.config["options"]["reject_all"] = False
            p.write()
            p.restart() if restart else p.send(mesh.signal.SIGHUP)
        check(source.wait(30) == 0, "the source does not end")
        dead = dead_letters(m)
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, dead)


def a_stage_that_rejects_everything():
    rejects_everything(True)


def a_reload_releases():
    rejects_everything(False)


def is_broken(process):
    wait_for(lambda: "broken" in process.http("/readyz")[1], 20,
             "%s says that it is broken" % process.name)


def one_broken_replica():
    with Mesh("one broken replica", redis=True) as m:
        n = 4000
        pair(m, n)
        m.processes["pass0"].config["options"]["broken"] = True
        m.processes["pass0"].write()
        #  It is the first to be there, so that it gets something to reject.
        for name in ("source", "pass0", "sink"):
            m.processes[name].start()
        is_broken(m.processes["pass0"])
        m.processes["pass1"].start()
        check(m.processes["source"].wait(60) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)
        check(not dead_letters(m), "dlq: %s" % dead_letters(m))


def all_replicas_broken():
    with Mesh("all replicas broken, then mended", redis=True) as m:
        n = 2000
        pair(m, n, broken=True)
        m.start()
        for i in range(2):
            is_broken(m.processes["pass%d" % i])
        time.sleep(1)
        check(not outcomes(m.path("source.outcomes")), "a verdict was final")
        check(not dead_letters(m), "dlq: %s" % dead_letters(m))
        for i in range(2):
            p = m.processes["pass%d" % i]
            p.config["options"]["broken"] = False
            p.write()
            p.send(mesh.signal.SIGHUP)
        check(m.processes["source"].wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n)


def redis_down_holds_dead_letters():
    with Mesh("Redis down holds dead letters", redis=True) as m:
        n, poison = 3000, [10, 1000]
        pair(m, n, reject=[str(i) for i in poison])
        m.redis.kill()
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) == n - 2, 30, "flow")
        wait_for(lambda: len(outcomes(m.path("source.outcomes"))) == n - 2, 10,
                 "the others are settled")
        wait_for(lambda: "Redis" in m.processes["source"].http("/readyz")[1],
                 10, "readyz")
        check(len(outcomes(m.path("source.outcomes"))) == n - 2, "held")
        m.redis.start()
        check(m.processes["source"].wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)
        check(dead_letters(m) == poison, "dlq: %s" % dead_letters(m))


def a_hanging_redis_stops_nothing():
    with Mesh("a Redis that hangs stops nothing", redis=True) as m:
        n, poison = 20000, [10]
        pair(m, n, reject=[str(i) for i in poison])
        m.processes["source"].config["options"]["rate"] = 4000
        m.processes["source"].write()
        m.start()
        wait_for(lambda: len(ids(m.path("sink.ids"))) > 100, 20, "flow")
        m.redis.popen.send_signal(mesh.signal.SIGSTOP)
        wait_for(lambda: len(ids(m.path("sink.ids"))) > n - 100, 20, "flow")
        check(not m.processes["source"].events("LINK-PEER-LOST") or
              "san" in mesh.BUILD, "lost")
        m.redis.popen.send_signal(mesh.signal.SIGCONT)
        check(m.processes["source"].wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)


def too_big_for_a_worker():
    with Mesh("alerts that are too big", redis=True) as m:
        n = 50
        pair(m, n)
        m.processes["source"].config["options"]["size"] = 100000
        m.processes["source"].write()
        for i in range(2):
            p = m.processes["pass%d" % i]
            p.config["link"]["largest"] = 65536
            p.write()
        m.start()
        check(m.processes["source"].wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n,
                    range(n))
        check(dead_letters(m) == list(range(n)), "dlq: %s" % dead_letters(m))


def stuck_alert_is_given_up():
    with Mesh("a stuck alert is given up", redis=True) as m:
        n, poison = 8000, [70]
        pair(m, n, later=[str(i) for i in poison])
        m.processes["source"].config["link"].update(custody=128, max_age_s=3)
        m.processes["source"].config["options"]["rate"] = 1500
        m.processes["source"].write()
        m.start()
        check(m.processes["source"].wait(60) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)
        check(dead_letters(m) == poison, "dlq: %s" % dead_letters(m))


def operator_releases():
    with Mesh("the operator releases a branch", redis=True) as m:
        n, poison = 2000, list(range(600))
        pair(m, n, reject_below=600)
        m.start()
        source = m.processes["source"]
        held = 0

        def goes_on():
            return not source.running() or \
                len(source.events("LINK-BRANCH-HELD")) > held

        while True:
            wait_for(goes_on, 30, "held, or at its end")
            if not source.running():
                break
            held = len(source.events("LINK-BRANCH-HELD"))
            check(held <= 6, "held %d times" % held)
            subprocess.run([mesh.os.path.join(mesh.BUILD, "bin", "weft"), "dlq",
                            "release", "--redis", m.redis.address, "pass"],
                           check=True)
        check(source.wait(30) == 0, "the source does not end")
        all_arrived(m.path("source.outcomes"), [m.path("sink.ids")], n, poison)


def replay_of_dead_letters():
    with Mesh("replay of dead letters", redis=True) as m:
        n, poison = 1000, [5, 6]
        pair(m, n, reject=[str(i) for i in poison])
        m.processes["source"].config["options"]["end"] = False
        m.processes["source"].write()
        m.start()
        wait_for(lambda: dead_letters(m) == poison, 20, "dead")
        for i in range(2):
            p = m.processes["pass%d" % i]
            p.config["options"]["reject"] = []
            p.write()
            p.restart()
        for key in m.redis.command("HKEYS", "dlq:pass"):
            entry_moves(m, key)
        wait_for(lambda: len(ids(m.path("sink.ids"))) == n, 30, "replayed")
        wait_for(lambda: m.redis.command("HLEN", "replay:pass") == 0, 10,
                 "removed")


def entry_moves(m, key):
    """What `weft dlq replay` does."""
    subprocess.run([mesh.os.path.join(mesh.BUILD, "bin", "weft"), "dlq",
                    "replay", "--redis", m.redis.address, "pass", key],
                   check=True)


def unsafe_redis_is_refused():
    with Mesh("a Redis that forgets is refused", redis=True) as m:
        m.redis.command("CONFIG", "SET", "appendonly", "no")
        m.sink([1])
        p = m.processes["sink"].start()
        check(p.wait(10) == 2, "it starts")
        check(p.events("STAGE-REDIS-REFUSED"), "and does not say why")
        p.config["redis"]["ephemeral"] = True
        p.write()
        p.start()
        time.sleep(1)
        check(p.running(), "ephemeral is not accepted")


if __name__ == "__main__":
    if not shutil.which("redis-server"):
        sys.exit(77)
    mesh.main([crash, hang, fifty_rejects_in_a_row,
               effects_that_cannot_be_committed, a_sink_that_tears_everything,
               a_stage_that_rejects_everything, a_reload_releases,
               one_broken_replica,
               all_replicas_broken, redis_down_holds_dead_letters,
               a_hanging_redis_stops_nothing, too_big_for_a_worker,
               stuck_alert_is_given_up, operator_releases,
               replay_of_dead_letters, unsafe_redis_is_refused])
