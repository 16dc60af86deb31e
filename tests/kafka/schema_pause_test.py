#!/usr/bin/env python3
"""A schema that lacks a core field, from a real Kafka: its partition stands still
uncommitted, the others flow on, and all is settled when a mapping is given."""

import os
import pathlib
import subprocess
import time

import kafka_test as base
import packets
from kafka_test import events, ingest, ledger
from mesh import Mesh, check, free_port, ids, wait_for
from registry_test import Registry, simulate

GOOD, BAD, LATE = 400, 5200, 400
GROWTH_MOST = 2 << 20  # bytes of Redis while a partition stands still
LETTERS_MOST = 200     # dead letters before it does
STANDS = 2             # the partition

MAPPING = """survey  ztf
like    ztf
schemas ztf.alert
candidate.magpsf = candidate.psfmag
prv_candidates.magpsf = prv_candidates.psfmag
"""


class Alerts:
    """Copies of one simulated packet, each an alert and an object of its own."""

    def __init__(self, m):
        folder = m.path("sim")
        subprocess.run([base.WEFT, "sim", "--seed", "5", "--alerts", "40", "--stamps", "none",
                        "--duplicates", "0", "--out", folder, "--quiet"], check=True)
        path = packets.files_of(os.path.join(folder, "alerts"))[-1]
        row = packets.look(base.WEFT, None, [path])[path][0]
        self.source = packets.Ztf(pathlib.Path(path).read_bytes(), row)
        check(self.source.good, "copies can be made of %s" % path)

    def good(self, first, count):
        return [self.source.copy(n) for n in range(first, first + count)]

    def bad(self, first, count):
        """As of a survey that has renamed a field of the core."""
        renamed = [data.replace(b'"magpsf"', b'"psfmag"') for data in self.good(first, count)]
        check(renamed[0] != self.source.copy(first), "the schema has magpsf")
        return renamed


def memory(m):
    said = m.redis.command("INFO", "memory")
    return int(said.split("used_memory:")[1].split()[0])


def elsewhere(messages):
    """On the partitions that do not stand still."""
    return [((STANDS + 1 + n % 3) % 4, data) for n, data in enumerate(messages)]


def dead(m):
    return ledger(m)["dead"]


def stands(source, topic):
    """Its partition stands still, and that is said everywhere."""
    want = "%s/%d stands still at offset" % (topic, STANDS)
    wait_for(lambda: want in source.http("/readyz")[1], 60, "/readyz says that it stands still")
    check(source.http("/readyz")[0] == 200, "it is not ready, though the others flow on")
    check(source.metric("weft_kafka_paused") == 1, "the metric of the partition")
    check(source.metric("weft_ingest_paused") >= 1, "the metric of ingest")
    said = events(source, "INGEST-SCHEMA-PAUSED")[-1]
    check(want in said and "lacks magpsf" in said and "mapping" in said, "said %s" % said)


def stops(m, source, topic, alerts):
    """Good ones, then bad ones in one partition: it stops before they are many."""
    base.CLUSTER.feed(topic, base.spread(alerts.good(0, GOOD)))
    wait_for(lambda: ledger(m)["settled"] == GOOD, 60, "the good ones are settled")
    before = memory(m)
    base.CLUSTER.feed(topic, [(STANDS, data) for data in alerts.bad(GOOD, BAD)])
    stands(source, topic)
    wait_for(lambda: ledger(m)["in_flight"] == 0, 60, "all that was read has an outcome")
    grown = memory(m) - before
    check(0 < dead(m) <= LETTERS_MOST, "%d dead letters" % dead(m))
    check(BAD - dead(m) >= 5000, "only %d wait in Kafka" % (BAD - dead(m)))
    check(grown < GROWTH_MOST, "Redis has grown by %d bytes" % grown)
    print("     %d dead letters, %d messages wait in Kafka, Redis grown by %d bytes" % (
        dead(m), BAD - dead(m), grown))


def where(source):
    """The offset at which the partition stands still."""
    return int(source.http("/readyz")[1].split("stands still at offset ")[1].split(":")[0])


def others_flow(m, source, topic, first, alerts):
    """Other partitions and another topic, while one stands still."""
    letters, want = dead(m), ledger(m)["settled"] + LATE
    late = alerts.good(first, LATE)
    base.CLUSTER.feed(topic, elsewhere(late[::2]))
    base.CLUSTER.feed(topic + "_other", base.spread(late[1::2], 1))
    wait_for(lambda: ledger(m)["settled"] == want, 60, "the others flow on")
    wait_for(lambda: base.CLUSTER.at_end(topic, topic + "_other"), 30, "the other topic is done")
    ends, held = base.CLUSTER.ends(topic), where(source)
    wait_for(lambda: all(base.CLUSTER.committed(topic, topic)[p] == (held if p == STANDS else ends[p][1])
                         for p in ends), 30, "committed are the others' ends, and where it stands")
    check(dead(m) == letters, "%d dead letters more" % (dead(m) - letters))


def goes_on(m, topic, count):
    """By a mapping; the few letters are put back."""
    left = dead(m)
    write_mapping(m)
    wait_for(lambda: ledger(m)["settled"] == count - left, 120, "what waited is settled")
    check(dead(m) == left, "more died: %s" % ledger(m))
    subprocess.run([base.WEFT, "dlq", "replay", "ingest", "--all", "--redis", m.redis.address],
                   check=True, stdout=subprocess.DEVNULL)
    wait_for(base.settled(m, count), 60, "the letters are settled, too")
    check(ledger(m)["settled"] == count, "the ledger is %s" % ledger(m))
    wait_for(lambda: base.CLUSTER.at_end(topic, topic), 30, "offsets are at the end")
    check(sorted(ids(m.path("sink.ids"))) == list(range(count)), "each once in the sink")


def write_mapping(m):
    """Whole at once, as it is looked at any time."""
    pathlib.Path(m.path("new.map")).write_text(MAPPING)
    os.rename(m.path("new.map"), m.path("mappings/new.map"))


def start(m, topic, ports, **options):
    base.CLUSTER.create(topic)
    base.CLUSTER.create(topic + "_other", 1)
    os.makedirs(m.path("mappings"))
    source = ingest(m, ports[0], topics=["^%s(_other)?$" % topic], group=topic,
                    mappings=m.path("mappings"), **options)
    m.sink(ports, base=packets.BASE, most=GOOD + BAD + 4 * LATE)
    m.start()
    wait_for(lambda: len(events(source, "KAFKA-STARTS")) >= 5, 60, "it has its partitions")
    return source


def one_partition_stands_still():
    """And stands still with a new owner, too, without one letter more."""
    with Mesh("one partition stands still", redis=True) as m:
        ports, topic, alerts = (free_port(), free_port()), "stands", Alerts(m)
        source = start(m, topic, ports)
        stops(m, source, topic, alerts)
        check(where(source) == GOOD // 4 + dead(m), "it stands at %d" % where(source))
        others_flow(m, source, topic, GOOD + BAD, alerts)
        letters = dead(m)
        os.makedirs(m.path("second.data"))
        second = ingest(m, ports[1], "second", topics=source.config["options"]["topics"],
                        group=topic, mappings=m.path("mappings"))
        second.config["service"]["data_dir"] = m.path("second.data")
        second.write()
        second.start()
        wait_for(lambda: events(second, "KAFKA-STARTS"), 60, "the second has partitions")
        check(source.kill(15) == 0, "the first ended with %s" % source.popen.returncode)
        stands(second, topic)
        others_flow(m, second, topic, GOOD + BAD + LATE, alerts)
        check(dead(m) == letters, "the new owner made %d letters" % (dead(m) - letters))
        #  A mapping that is wrong is named and changes nothing.
        pathlib.Path(m.path("mappings/bad.map")).write_text("survey ztf\nlike sdss\n")
        wait_for(lambda: events(second, "INGEST-MAPPING-BAD"), 60, "the bad mapping is named")
        check(dead(m) == letters and second.metric("weft_kafka_paused") == 1, "it went on by that")
        os.remove(m.path("mappings/bad.map"))
        goes_on(m, topic, GOOD + BAD + 2 * LATE)
        check(not any(m.redis.command("GET", key) for key in m.redis.command("KEYS", "paused:*")),
              "the schema is still convicted")
        check(second.metric("weft_kafka_paused") == 0, "the metric says that it stands still")
        check("stands still" not in second.http("/readyz")[1], "/readyz says that it stands still")
        second.kill(15)


def killed_while_it_stands():
    """kill -9 again and again, with two lanes: no letter more, nothing lost."""
    with Mesh("killed while a partition stands still", redis=True) as m:
        topic, alerts = "killed", Alerts(m)
        source = start(m, topic, [free_port()], backlog_from=1000)
        stops(m, source, topic, alerts)
        letters = dead(m)
        for n in range(3):
            paused = len(events(source, "INGEST-SCHEMA-PAUSED"))
            source.restart()
            wait_for(lambda: len(events(source, "INGEST-SCHEMA-PAUSED")) > paused, 60,
                     "it stands still again")
            time.sleep(0.3 * n)
        stands(source, topic)
        check(events(source, "KAFKA-BACKLOG"), "it was read in one lane")
        others_flow(m, source, topic, GOOD + BAD, alerts)
        check(dead(m) == letters, "%d letters more" % (dead(m) - letters))
        source.kill()
        #  Given while nobody looks.
        write_mapping(m)
        source.start()
        goes_on(m, topic, GOOD + BAD + LATE)
        m.drain()


def waits_for_the_registry():
    """A registry that is down, and an id that nobody knows yet."""
    with Mesh("a partition waits for the registry", redis=True) as m:
        topic, alerts, registry, count = "waits", Alerts(m), Registry(), 80
        schema, datums = simulate(m, count)
        registry.schemas[8] = schema
        source = start(m, topic, [free_port()], registry=registry.url)
        framed = [b"\0" + (8).to_bytes(4, "big") + datum for datum in datums]
        base.CLUSTER.feed(topic, [(STANDS, data) for data in framed])
        base.CLUSTER.feed(topic, elsewhere(alerts.good(0, LATE)))
        wait_for(lambda: ledger(m)["settled"] == LATE, 60, "the others flow on")
        want = "%s/%d stands still at offset 0: waits for schema id 8" % (topic, STANDS)
        wait_for(lambda: want in source.http("/readyz")[1], 60, "/readyz says that it waits")
        check(events(source, "INGEST-SCHEMA-WAITED"), "the log does not say it")
        check(ledger(m)["received"] == LATE, "booked %s" % ledger(m))
        registry.start()
        wait_for(base.settled(m, count + LATE), 60, "all is settled")
        check(events(source, "INGEST-SCHEMA-RESUMED"), "the end is not said")
        wait_for(lambda: base.CLUSTER.at_end(topic, topic), 30, "offsets are at the end")
        m.drain()
        registry.stop()


def framed(number, count):
    """Of a schema that nobody knows."""
    return [b"\0" + number.to_bytes(4, "big") + b"no alert %d" % n for n in range(count)]


def given_up():
    """Unknown ids are apart; an operator lets one go, as dead letters."""
    with Mesh("an unknown schema is given up", redis=True) as m:
        topic, often, key = "given", LETTERS_MOST + 5, "paused:id:7"
        source = start(m, topic, [free_port()])
        base.CLUSTER.feed(topic, [(STANDS, data) for data in framed(7, often)])
        wait_for(lambda: m.redis.command("GET", key), 60, "the id is convicted")
        wait_for(lambda: dead(m) == LETTERS_MOST, 60, "the first few are dead letters")
        #  Garbage of another id does not stop the partition that it comes by.
        base.CLUSTER.feed(topic, [(STANDS + 1, data) for data in framed(8, 1)])
        wait_for(lambda: dead(m) == LETTERS_MOST + 1, 60, "another id is a dead letter")
        check(len(events(source, "INGEST-SCHEMA-PAUSED")) == 1, "another partition stands still")
        check(m.redis.command("DEL", key) == 1, "the conviction was there")
        wait_for(lambda: dead(m) == often + 1, 60, "all are dead letters")
        check(len(events(source, "INGEST-SCHEMA-GIVEN-UP")) == 1, "that is not said once")
        wait_for(lambda: base.CLUSTER.at_end(topic, topic), 30, "offsets are at the end")
        check(m.redis.command("GET", key) is None, "it is convicted again")
        m.drain()


def given_up_and_convicted_anew():
    """By another replica, before this one has seen that the key was deleted."""
    with Mesh("a schema is given up and convicted anew", redis=True) as m:
        topic, often, key = "anew", LETTERS_MOST + 5, "paused:id:7"
        source = start(m, topic, [free_port()])
        base.CLUSTER.feed(topic, [(STANDS, data) for data in framed(7, often)])
        wait_for(lambda: m.redis.command("GET", key), 60, "the id is convicted")
        wait_for(lambda: dead(m) == LETTERS_MOST, 60, "the first few are dead letters")
        #  As a deletion and a conviction that came between two looks.
        m.redis.command("SET", key, "1 other/0/1: said by another")
        wait_for(lambda: events(source, "INGEST-SCHEMA-GIVEN-UP"), 60, "this one gives up, too")
        wait_for(lambda: dead(m) == LETTERS_MOST + 1, 60, "what stood still is a dead letter")
        #  The next one stands still for the new conviction, which is not another's.
        wait_for(lambda: len(events(source, "INGEST-SCHEMA-PAUSED")) == 2, 60, "it stands still again")
        wait_for(lambda: m.redis.command("GET", key).startswith("1 %s/" % topic), 60, "that is renewed")
        check(dead(m) == LETTERS_MOST + 1, "%d are dead letters" % dead(m))
        check(len(events(source, "INGEST-SCHEMA-GIVEN-UP")) == 1, "it was given up again")
        m.redis.command("DEL", key)
        wait_for(lambda: dead(m) == often, 60, "all are dead letters")
        m.drain()


def convicted_while_redis_is_down():
    """What others have said of a schema is not known: its message is not taken."""
    with Mesh("convicted while Redis is down", redis=True) as m:
        topic = "unasked"
        source = start(m, topic, [free_port()])
        m.redis.command("SET", "paused:id:9", "said by another")
        m.redis.popen.terminate()
        m.redis.popen.wait()
        base.CLUSTER.feed(topic, [(STANDS, data) for data in framed(9, 3)])
        wait_for(lambda: events(source, "INGEST-SCHEMA-WAITED"), 120, "its partition waits for Redis")
        check("waits for Redis" in events(source, "INGEST-SCHEMA-WAITED")[0], "it is not said for what")
        m.redis.start()
        wait_for(lambda: events(source, "INGEST-SCHEMA-PAUSED"), 60, "it stands still for the schema")
        check(dead(m) == 0, "%d were buried" % dead(m))
        m.redis.command("DEL", "paused:id:9")
        wait_for(lambda: dead(m) == 3, 60, "all are dead letters when it is given up")
        m.drain()


if __name__ == "__main__":
    base.run([one_partition_stands_still, killed_while_it_stands, waits_for_the_registry, given_up,
              given_up_and_convicted_anew, convicted_while_redis_is_down])
