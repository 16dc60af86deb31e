#!/usr/bin/env python3
"""ingest as a process: every position has one outcome, whatever dies."""

import json
import os
import pathlib
import random
import subprocess
import time

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")
PACKS = "../shared/data"


MAPPING = """survey  ztf
like    ztf
schemas ztf.alert
candidate.magpsf = candidate.psfmag
prv_candidates.magpsf = prv_candidates.psfmag
"""


def simulate(folder, alerts, *more):
    subprocess.run([WEFT, "sim", "--seed", "5", "--alerts", str(alerts),
                    "--out", folder, "--quiet", *more], check=True)
    return os.path.join(folder, "alerts")


def files_of(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder)
                  for name in names if not name.startswith("."))


def ingest(m, port, inputs, name="ingest", **options):
    return m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict(inputs=inputs, **options)})


def ledger(m):
    return mesh.ledger(m.cluster.address if m.cluster else m.redis.address)


def seen_ids(m):
    """Alert ids that have an outcome, from Redis itself."""
    if m.cluster:
        return m.cluster.count_in_hashes("seen:*")
    out = subprocess.run(
        ["redis-cli", "-s", m.redis.socket, "--no-raw", "EVAL",
         "local n = 0 for _, k in ipairs (redis.call ('KEYS', 'seen:*')) do "
         "n = n + redis.call ('HLEN', k) end return n", "0"],
        stdout=subprocess.PIPE, check=True).stdout
    return int(out.split()[-1])


def peek(paths, *more):
    run = subprocess.run([WEFT, "peek", *more, *paths],
                         stdout=subprocess.PIPE)
    return [json.loads(x) for x in run.stdout.splitlines()]


def expect(m, lines):
    """The ledger against what peek finds in the same files."""
    good = [x for x in lines if "refused" not in x]
    keys = {(x["survey"], x["alert_id"]) for x in good}
    got = ledger(m)
    want = {"received": len(lines), "settled": len(keys),
            "duplicate": len(good) - len(keys), "dead": len(lines) - len(good),
            "in_flight": 0, "balanced": True}
    check(got == want, "ledger %s, expected %s" % (got, want))
    check(seen_ids(m) == len(keys), "seen %d" % seen_ids(m))


def ended(process, seconds):
    wait_for(lambda: not process.running(), seconds,
             "%s ends by itself" % process.name)
    check(process.popen.returncode == 0,
          "%s ended with %s" % (process.name, process.popen.returncode))


def a_night_is_settled(cluster=None):
    with Mesh("a night is settled", redis=True, cluster=cluster) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 600, "--malformed", "7",
                          "--duplicates", "0.05")
        ingest(m, port, [alerts])
        m.sink([port])
        m.start()
        ended(m.processes["ingest"], 60)
        expect(m, peek([alerts]))
        #  Read again: the same positions, nothing happens twice.
        m.processes["ingest"].start()
        ended(m.processes["ingest"], 60)
        expect(m, peek([alerts]))


def a_forgotten_history_comes_again():
    """The ledger survived, the histories did not, and neither did the place."""
    with Mesh("a history that was forgotten", redis=True) as m:
        def histories():
            return {key: m.redis.command("STRLEN", key) for key in m.redis.command("KEYS", "lc:*")}
        port = free_port()
        alerts = simulate(m.path("sim"), 300, "--duplicates", "0.05")
        ingest(m, port, [alerts])
        m.sink([port])
        m.start()
        ended(m.processes["ingest"], 60)
        before = histories()
        check(len(before) > 10, "%d histories" % len(before))
        for key in [*before, *m.redis.command("KEYS", "place:*")]:
            m.redis.command("DEL", key)
        m.processes["ingest"].start()
        ended(m.processes["ingest"], 60)
        check(histories() == before, "%d histories of %d came again" % (len(histories()), len(before)))
        expect(m, peek([alerts]))


def a_newer_history_waits():
    """One history has a layout that is not known: nothing is written over it, nothing is lost."""
    with Mesh("a history of a newer ingest", redis=True) as m:
        def layout(key, number):
            m.redis.command("SETRANGE", key, "9", chr(number))
        port = free_port()
        alerts = simulate(m.path("sim"), 300)
        ingest(m, port, [alerts])
        m.sink([port])
        m.start()
        process = m.processes["ingest"]
        ended(process, 60)
        for key in m.redis.command("KEYS", "place:*"):
            m.redis.command("DEL", key)
        newer = sorted(m.redis.command("KEYS", "lc:*"))[0]
        own = m.redis.command("GETRANGE", newer, "9", "9")
        layout(newer, 3)
        before = m.redis.command("GET", newer)
        process.start()
        wait_for(lambda: process.events("INGEST-HISTORY-NEWER"), 60, "it is said")
        wait_for(lambda: "a contract version that is not known" in str(process.http("/readyz")[1]), 60,
                 "/readyz says so")
        check(process.http("/readyz")[0] == 503 and process.running(), "it does not wait")
        check(m.redis.command("GET", newer) == before, "it was written over")
        layout(newer, ord(own))
        ended(process, 60)
        check(len(process.events("INGEST-HISTORY-NEWER")) == 1, "said more than once")
        expect(m, peek([alerts]))


def killed_again_and_again(cluster=None):
    with Mesh("ingest is killed again and again", redis=True, cluster=cluster) as m:
        ports = free_port(), free_port()
        alerts = simulate(m.path("sim"), 1500, "--malformed", "5")
        for i in (0, 1):
            ingest(m, ports[i], [alerts], "ingest%d" % i,
                   share="%d/2" % (i + 1), rate=250)
        m.sink(ports)
        m.start()
        both = [m.processes["ingest0"], m.processes["ingest1"]]
        start = time.monotonic()
        random.seed(1)
        while any(p.running() for p in both) and \
                time.monotonic() - start < 90 * mesh.PATIENCE:
            time.sleep(0.4)
            victim = random.choice(both)
            if victim.running() and time.monotonic() - start < 8:
                victim.restart()
        for process in both:
            ended(process, 30)
        expect(m, peek([alerts]))


def redis_goes_away():
    with Mesh("Redis is killed under ingest", redis=True) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 1200)
        #  It stays when all is read, however long Redis is looked for.
        ingest(m, port, [alerts], rate=300, stay=True)
        m.sink([port])
        m.start()
        wait_for(lambda: ledger(m)["settled"] > 200, 30, "some are settled")
        m.redis.kill()
        wait_for(lambda: m.processes["ingest"].http("/readyz")[0] == 503, 10,
                 "unready without Redis")
        m.redis.start()
        lines = peek([alerts])
        wait_for(lambda: ledger(m)["received"] == len(lines) and
                 ledger(m)["in_flight"] == 0, 60, "all is settled")
        expect(m, lines)
        m.drain()


def a_dead_letter_is_put_back(cluster=None):
    with Mesh("a dead letter of ingest is put back", redis=True, cluster=cluster) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 50, "--malformed", "3")
        ingest(m, port, [alerts], stay=True)
        m.sink([port])
        m.start()
        wait_for(lambda: ledger(m)["dead"] == 3, 30, "three are dead")
        listed = subprocess.run(
            [WEFT, "dlq", "ls", "--json", "--redis", m.redis.address],
            stdout=subprocess.PIPE, check=True).stdout
        letters = json.loads(listed)
        check(all(x["reason"] for x in letters), "a letter without reason")
        #  The empty packet has no bytes to put back, and comes in any order.
        key = next(x["key"] for x in letters if x["sample"])
        subprocess.run([WEFT, "dlq", "replay", "ingest", key, "--redis",
                        m.redis.address], check=True,
                       stdout=subprocess.DEVNULL)
        #  It is as bad as before: it comes back, and stays dead.
        wait_for(lambda: m.redis.command("HEXISTS", "dlq:ingest", key) == 1,
                 10, "the letter is back")
        check(ledger(m)["balanced"], "ledger %s" % ledger(m))
        m.drain()


def put_back_while_in_flight(m):
    """A letter that can be read now, and waits for the same alert in a file that
    came later."""
    files = files_of(simulate(m.path("sim"), 40, "--duplicates", "0", "--reissued", "0"))[-2:]
    os.makedirs(m.path("in"))
    os.makedirs(m.path("mappings"))
    for i, path in enumerate(files):
        data = pathlib.Path(path).read_bytes()
        pathlib.Path(m.path("in/%d.avro" % (i + 1))).write_bytes(data)
        if not i:
            renamed = data.replace(b'"magpsf"', b'"psfmag"')
            check(renamed != data, "the schema has magpsf")
            pathlib.Path(m.path("in/0.avro")).write_bytes(renamed)
    pathlib.Path(m.path("sink.down")).touch()
    port = free_port()
    ingest(m, port, [m.path("in")], stay=True, mappings=m.path("mappings"))
    m.sink([port])
    m.start()
    wait_for(lambda: ledger(m)["dead"] == 1 and ledger(m)["in_flight"] == 2, 30,
             "one is dead, two are in flight")
    pathlib.Path(m.path("ready.map")).write_text(MAPPING)
    os.rename(m.path("ready.map"), m.path("mappings/new.map"))
    wait_for(lambda: m.processes["ingest"].events("INGEST-MAPPINGS-READ"), 60, "the mapping is read")
    key, = m.redis.command("HKEYS", "dlq:ingest")
    subprocess.run([WEFT, "dlq", "replay", "ingest", key, "--redis", m.redis.address],
                   check=True, stdout=subprocess.DEVNULL)
    wait_for(lambda: m.redis.command("ZSCORE", "replay:ingest:lease", key), 30, "it is taken")
    check(m.redis.command("HLEN", "replay:ingest") == 1, "it does not wait")


def a_letter_put_back_while_its_alert_is_in_flight(cluster=None):
    """Its wait ends with the flight: settled, it is a duplicate."""
    with Mesh("a letter waits for its alert", redis=True, cluster=cluster) as m:
        put_back_while_in_flight(m)
        os.remove(m.path("sink.down"))
        want = dict(received=3, settled=2, duplicate=1, dead=0, in_flight=0, balanced=True)
        wait_for(lambda: dict(ledger(m), **want) == ledger(m), 60, "it is a duplicate: %s" % ledger(m))
        wait_for(lambda: m.redis.command("HLEN", "replay:ingest") == 0, 60, "its lease has ended")
        m.drain()


def a_letter_put_back_while_its_alert_dies():
    """Dead, it stays dead, and the alert's own letter has all of it."""
    with Mesh("a letter waits for an alert that dies", redis=True) as m:
        put_back_while_in_flight(m)
        sink = m.processes["sink"]
        sink.config["options"]["never"] = [str(row["alert_id"]) for row in peek([m.path("in/1.avro")])]
        sink.write()
        sink.restart()
        os.remove(m.path("sink.down"))
        wait_for(lambda: m.redis.command("HLEN", "dlq:sink") == 1, 60, "the alert is dead")
        want = dict(received=3, settled=1, duplicate=0, dead=2, in_flight=0, balanced=True)
        wait_for(lambda: dict(ledger(m), **want) == ledger(m), 60, "both are dead: %s" % ledger(m))
        wait_for(lambda: m.redis.command("HLEN", "replay:ingest") == 0, 60, "its lease has ended")
        m.drain()


def all_sample_packets(cluster=None):
    if not os.path.isdir(PACKS):
        print("SKIP: no data packs in ../shared/data")
        return
    packs = ["ztf_native", "lsst_confluent_derived", "lsst_native",
             "malformed", "schemas"]
    subprocess.run([PACKS + "/unpack", "build/data", *packs], check=True,
                   stdout=subprocess.DEVNULL)
    folders = [os.path.abspath("build/data/" + p) for p in packs]
    with Mesh("every sample packet is settled", redis=True, cluster=cluster) as m:
        port = free_port()
        ingest(m, port, folders[:-1], schemas=folders[-1])
        m.sink([port])
        m.start()
        ended(m.processes["ingest"], 90)
        expect(m, peek(folders[:-1], "--schemas", folders[-1]))


def on_a_cluster(test):
    def run():
        test(cluster=False)
    run.__name__ = test.__name__ + "_on_a_cluster"
    return run


def slots_move_and_masters_die():
    """While alerts flow, and ingest is killed as well."""
    with Mesh("slots move and masters die", redis=True, cluster=True) as m:
        ports = free_port(), free_port()
        alerts = simulate(m.path("sim"), 6000, "--malformed", "5",
                          "--duplicates", "0.02")
        for i in (0, 1):
            ingest(m, ports[i], [alerts], "ingest%d" % i,
                   share="%d/2" % (i + 1), rate=150, stay=True)
        m.sink(ports)
        m.start()
        wait_for(lambda: ledger(m)["settled"] > 100, 30, "some are settled")
        end = m.cluster.disturb_in_background()
        wait_for(lambda: m.cluster.kills >= 1 or m.cluster.failure, 120,
                 "a master is replaced")
        m.processes["ingest0"].restart()
        wait_for(lambda: m.cluster.kills >= 2 or m.cluster.failure, 120,
                 "a master is replaced")
        end()
        check(not m.cluster.failure, m.cluster.failure)
        lines = peek([alerts])
        wait_for(lambda: ledger(m)["received"] == len(lines) and
                 ledger(m)["in_flight"] == 0, 60, "all is settled")
        print("     %d masters killed, %d reshards" % (
            m.cluster.kills, m.cluster.reshards))
        expect(m, lines)
        m.drain()


def a_cluster_that_is_none():
    """What does not work is said, and nobody ends."""
    with Mesh("a cluster that is none", redis=True) as m:
        port, nobody = free_port(), free_port()
        alerts = simulate(m.path("sim"), 20)
        process = ingest(m, port, [alerts])
        process.config["redis"]["cluster"] = ["127.0.0.1:%d" % nobody]
        process.write()
        m.sink([port])
        m.start()

        def said():
            with open(process.log) as f:
                return [x for x in f if "REDIS-DOWN" in x and
                        "127.0.0.1:%d" % nobody in x]
        wait_for(said, 30, "the log names the node that is not there")
        check(process.http("/readyz")[0] == 503, "it is ready")
        check(process.running(), "it ended")


if __name__ == "__main__":
    mesh.main([a_night_is_settled, a_forgotten_history_comes_again, a_newer_history_waits,
               killed_again_and_again, redis_goes_away,
               a_dead_letter_is_put_back, a_letter_put_back_while_its_alert_is_in_flight,
               a_letter_put_back_while_its_alert_dies, all_sample_packets,
               on_a_cluster(a_night_is_settled),
               on_a_cluster(killed_again_and_again),
               on_a_cluster(a_dead_letter_is_put_back),
               on_a_cluster(a_letter_put_back_while_its_alert_is_in_flight),
               on_a_cluster(all_sample_packets), slots_move_and_masters_die,
               a_cluster_that_is_none])
