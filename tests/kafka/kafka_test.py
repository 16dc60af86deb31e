#!/usr/bin/env python3
"""ingest and a real Kafka: every message has one outcome, and is told."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "integration"))
import kafka as real  # noqa: E402
import mesh  # noqa: E402
import packets  # noqa: E402
from mesh import BUILD, Mesh, check, free_port, wait_for  # noqa: E402

WEFT = os.path.join(BUILD, "bin", "weft")
COPIES = 5000
CLUSTER = None
#  What happens within a session does so on a slow machine, too.
LONG_SESSION = ["session.timeout.ms=60000"]


def ingest(m, port, name="ingest", link=None, **options):
    options = {"brokers": CLUSTER.address, "member": name, "store": "off",
               "discover_s": 1, **options}
    return m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": dict({"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]}, **(link or {})),
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": options})


def ledger(m):
    return mesh.ledger(m.redis.address)


def simulated(m, count, seed="5"):
    """Small packets of a simulated night, in memory."""
    folder = m.path("sim" + seed)
    subprocess.run([WEFT, "sim", "--seed", seed, "--alerts", str(count), "--stamps", "none",
                    "--duplicates", "0", "--out", folder, "--quiet"], check=True)
    return [pathlib.Path(f).read_bytes() for f in packets.files_of(os.path.join(folder, "alerts"))]


def spread(messages, partitions=4):
    return [(n % partitions, data) for n, data in enumerate(messages)]


def settled(m, count):
    """All these positions have an outcome, and none is dead."""
    return lambda: ledger(m) == dict(ledger(m), received=count, dead=0, in_flight=0, balanced=True)


def events(process, event):
    return [row["text"] for row in process.events(event)]


def unlike(was, now):
    """What a copy must not share with its packet, and what it must: None if so."""
    def rest(row):
        points = sorted(json.dumps({k: v for k, v in p.items() if k != "id"}, sort_keys=True)
                        for p in row["points"])
        return dict({k: v for k, v in row.items()
                     if k not in ("path", "raw_ref", "alert_id", "object_id")}, points=points)

    def own(row):
        """Numbers that no other object's packets may have."""
        sources = {p["id"] for p in row["points"] if p["kind"] == "D"} if row["survey"] == "lsst" else set()
        return {("object", row["object_id"])} | sources | {row["alert_id"]}
    if own(was) & own(now) or len(own(was)) != len(own(now)):
        return "ids"
    return None if rest(was) == rest(now) else "values"


def copies():
    """A copy is its packet with other ids of the same length, whole and alone."""
    with Mesh("copies are what they should be") as m:
        got, folder = packets.Packets(BUILD), pathlib.Path(m.path("copies"))
        folder.mkdir()
        sources = got.sources["ztf"] + got.sources["lsst"]
        for n, source in enumerate(sources):
            copy = source.copy(n)
            check(len(copy) == len(source.data), "the copy of %s has another size" % source.row["path"])
            (folder / ("%05d" % n)).write_bytes(copy)
        found = packets.look(WEFT, got.schemas, [str(folder)])
        for n, source in enumerate(sources):
            rows = found[str(folder / ("%05d" % n))]
            check(len(rows) == 1 and packets.key_of(rows[0]) == source.key(n),
                  "the copy of %s is %s" % (source.row["path"], rows[0]))
            check(unlike(source.row, rows[0]) is None, "the copy of %s has other %s" % (
                source.row["path"], unlike(source.row, rows[0])))
        print("     %d packets of ZTF, %d of LSST" % (
            len(got.sources["ztf"]), len(got.sources["lsst"])))


def moved(m):
    """What is told of copies as if their sources had been another object's."""
    keys = [key.split("/") for key in m.redis.command("KEYS", "event:row:reassociated/*")]
    return [key for key in keys
            if any(packets.is_of_copy(int(name), COPIES) for name in key[2:5] if name.isdigit())]


def every_packet():
    """Native packets and copies on four partitions: all settled, offsets at the
    end, every copy once in the sink."""
    with Mesh("every packet, and %d copies" % COPIES, redis=True) as m:
        port, topic = free_port(), "every_packet"
        got = packets.Packets(BUILD)
        CLUSTER.create(topic)
        fed = CLUSTER.feed(topic, got.native()) + CLUSTER.feed(topic, got.copies(0, COPIES))
        check(fed == len(got.files) + COPIES, "fed %d" % fed)
        source = ingest(m, port, topics=[topic], group=topic, schemas=str(got.schemas))
        m.sink([port], base=packets.BASE, also=packets.SMALL, most=max(COPIES, 1))
        begin = time.monotonic()
        m.start()
        want, least, most = got.expect(COPIES)
        wait_for(lambda: dict(ledger(m), **want) == ledger(m) or not source.running(), 120,
                 "all is settled")
        check(least <= ledger(m)["settled"] <= most,
              "ledger %s, expected %d to %d settled" % (ledger(m), least, most))
        took = time.monotonic() - begin
        wait_for(lambda: CLUSTER.at_end(topic, topic), 10, "offsets are at the end")
        ids = mesh.ids(m.path("sink.ids"))
        check(sorted(ids) == list(range(COPIES)), "%d ids in the sink" % len(ids))
        check(not moved(m), "copies have taken sources from one another: %s" % moved(m)[:3])
        print("     %d messages in %.1f s, %.0f MB of memory" % (fed, took, source.memory_mb()))
        looked_at(got, topic)
        m.drain()


def looked_at(got, topic):
    """weft peek of a topic, which moves no offset."""
    url = "kafka://%s/%s?last=25" % (CLUSTER.address, topic)
    looked = subprocess.run([WEFT, "peek", "--schemas", str(got.schemas), url],
                            stdout=subprocess.PIPE, check=False).stdout.splitlines()
    places = [json.loads(line)["path"].split("#")[0] for line in looked]
    check(len(set(places)) == 100, "%d messages looked at" % len(set(places)))
    check(CLUSTER.at_end(topic, topic), "looking moved an offset")


def drained():
    """SIGTERM in the middle: what is settled is committed, nothing is lost."""
    with Mesh("drained in the middle", redis=True) as m:
        port, topic, night = free_port(), "drained", simulated(m, 3000)
        CLUSTER.create(topic)
        CLUSTER.feed(topic, spread(night))
        source = ingest(m, port, topics=["^drai.*"], group=topic)
        m.sink([port])
        m.start()
        wait_for(lambda: ledger(m)["settled"] > 200, 60, "some are settled")
        check(source.kill(15) == 0, "ingest ended with %s" % source.popen.returncode)
        done = ledger(m)
        committed = CLUSTER.committed(topic, topic)
        check(done["in_flight"] == 0, "in flight after a drain: %s" % done)
        #  Messages of a turn that was cut short are read again, no others.
        check(sum(max(o, 0) for o in committed.values()) == done["received"],
              "committed %s, the ledger has %s" % (committed, done))
        source.start()
        wait_for(settled(m, len(night)), 60, "all is settled")
        wait_for(lambda: CLUSTER.at_end(topic, topic), 10, "offsets are at the end")
        m.drain()


def gap():
    """Retention deletes what was not read: told with its size."""
    with Mesh("a gap", redis=True) as m:
        port, topic = free_port(), "gap"
        CLUSTER.create(topic, 1)
        night = simulated(m, 1000)
        CLUSTER.feed(topic, spread(night[:300], 1))
        source = ingest(m, port, topics=[topic], group=topic)
        m.sink([port])
        m.start()
        wait_for(settled(m, 300), 60, "the first are settled")
        wait_for(lambda: CLUSTER.at_end(topic, topic), 10, "offsets are at the end")
        source.kill(15)
        CLUSTER.feed(topic, spread(night[300:], 1))
        real.tool("trim", CLUSTER.address, topic, 0, 500)
        source.start()
        wait_for(settled(m, len(night) - 200), 60, "the rest is settled")
        said = events(source, "KAFKA-GAP")
        check(len(said) == 1 and "200 messages from offset 300" in said[0], "said %s" % said)
        check(source.metric("weft_kafka_gap_total") == 200, "the metric of gaps")
        out = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                             stdout=subprocess.PIPE, check=True).stdout
        want = [{"topic": topic, "partition": 0, "first": 300, "count": 200}]
        check(json.loads(out)["gaps"] == want, "gaps beside the ledger: %s" % json.loads(out)["gaps"])
        m.drain()


def live_before_backlog():
    """An ingest that is far behind, and is killed: what is new is told at once,
    the backlog beside it, each once."""
    backlog, live = 4000, 30
    with Mesh("live before backlog", redis=True) as m:
        port, topic = free_port(), "behind"
        got = packets.Packets(BUILD)
        CLUSTER.create(topic)
        CLUSTER.feed(topic, got.copies(0, backlog))
        source = ingest(m, port, topics=[topic], group=topic, schemas=str(got.schemas),
                        backlog_from=500, rate=40)
        m.sink([port], base=packets.BASE, also=packets.SMALL, most=backlog + live)
        m.start()
        wait_for(lambda: ledger(m)["settled"] > 100, 60, "the backlog is begun")
        told, late = m.path("sink.ids"), []
        for n in range(backlog, backlog + live):
            CLUSTER.feed(topic, got.copies(n, 1))
            begin = time.monotonic()
            wait_for(lambda: n in mesh.ids(told), 15, "alert %d is told" % n)
            late.append(time.monotonic() - begin)
            if n == backlog + live // 2:
                source.restart()
        left = backlog + live - len(mesh.ids(told))
        check(left > backlog / 4, "only %d were left of the backlog" % left)
        check(len(events(source, "KAFKA-BACKLOG")) >= 4, "nobody said that there is a backlog")
        source.config["options"]["rate"] = 0
        source.write()
        source.restart()
        wait_for(settled(m, backlog + live), 120, "all is settled")
        wait_for(lambda: CLUSTER.at_end(topic, topic), 30, "offsets are at the end")
        check(sorted(mesh.ids(told)) == list(range(backlog + live)), "each once")
        late.sort()
        print("     new alerts told after %.2f s, at most %.2f s; %d of the backlog were left" % (
            late[len(late) // 2], late[-1], left))
        m.drain()


def wrong_credentials():
    with Mesh("wrong credentials", redis=True) as m:
        port, topic, night = free_port(), "secret", simulated(m, 100)
        CLUSTER.create(topic)
        CLUSTER.feed(topic, spread(night))
        pathlib.Path(m.path("password")).write_text("not this one\n")
        source = ingest(m, port, topics=[topic], group=topic, brokers=CLUSTER.sasl_address,
                        security="sasl_plaintext", sasl="SCRAM-SHA-256", user=real.USER,
                        password_file=m.path("password"))
        m.sink([port])
        m.start()
        mesh.said(source, "KAFKA-CREDENTIALS", "the brokers refuse options.sasl, user, password_file or token_file; "
                  "it is tried again")
        wait_for(lambda: "password_file" in source.http("/readyz")[1], 30, "so does readyz")
        check(source.http("/readyz")[0] == 503, "it is ready all the same")
        pathlib.Path(m.path("password")).write_text(real.PASSWORD + "\n")
        source.restart()
        wait_for(settled(m, len(night)), 60, "all is settled with the right ones")
        m.drain()


def topic_goes():
    """A topic that is deleted is named; one that appears is found."""
    with Mesh("a topic goes, another comes", redis=True) as m:
        port, n = free_port(), 200
        night = simulated(m, 2 * n)
        CLUSTER.create("night_1", 2)
        CLUSTER.feed("night_1", spread(night[:n], 2))
        source = ingest(m, port, topics=["^night_[0-9]+$"], group="nights")
        m.sink([port])
        m.start()
        wait_for(settled(m, n), 60, "the first night is settled")
        CLUSTER.create("night_2", 2)
        CLUSTER.feed("night_2", spread(night[n:], 2))
        wait_for(settled(m, len(night)), 60, "the second night is settled")
        real.tool("drop", CLUSTER.address, "night_2")
        wait_for(lambda: events(source, "KAFKA-TOPIC-GONE") or
                 len(events(source, "KAFKA-RELEASED")) > 1, 60, "it is noticed")
        check(source.running(), "ingest has ended")
        m.drain()


def topic_comes_in_a_restart():
    """A topic appears while ingest restarts within its session: the broker gives
    its old partitions back and asks nobody. A restart alone joins nothing anew."""
    with Mesh("a topic comes while ingest restarts", redis=True) as m:
        port, n = free_port(), 100
        night = simulated(m, 3 * n)
        CLUSTER.create("fall_1", 2)
        CLUSTER.feed("fall_1", spread(night[:n], 2))
        source = ingest(m, port, topics=["^fall_[0-9]+$"], group="falls", kafka=LONG_SESSION)
        m.sink([port])
        m.start()
        wait_for(settled(m, n), 60, "the first topic is settled")
        source.restart()
        CLUSTER.feed("fall_1", spread(night[n:2 * n], 2))
        wait_for(settled(m, 2 * n), 60, "it is read on")
        time.sleep(5)
        check(not events(source, "KAFKA-NOBODY-READS") and len(events(source, "KAFKA-STARTS")) == 4,
              "a restart alone has joined anew: %s" % events(source, "KAFKA-STARTS"))
        source.kill(15)
        CLUSTER.create("fall_2", 2)
        CLUSTER.feed("fall_2", spread(night[2 * n:], 2))
        source.start()
        wait_for(settled(m, len(night)), 60, "the second topic is settled")
        mesh.said(source, "KAFKA-NOBODY-READS", "read by nobody in group", "the group is joined anew")
        wait_for(lambda: events(source, "KAFKA-ALL-READ"), 30, "it is said that it is over")
        check(source.metric("weft_kafka_unread") == 0, "the metric")
        check(source.http("/readyz") == (200, "ready\n"), "readyz: %s" % (source.http("/readyz"),))
        check(len(events(source, "KAFKA-NOBODY-READS")) == 1, "it has joined anew more than once")
        m.drain()


def topics_change_in_a_restart():
    """One of two replicas restarts with one more topic, and it is not the one that
    shares the partitions out."""
    with Mesh("more topics after a restart", redis=True) as m:
        ports, night = (free_port(), free_port()), simulated(m, 200)
        for topic in ("listed", "added"):
            CLUSTER.create(topic, 2)
        CLUSTER.feed("listed", spread(night[:100], 2))
        CLUSTER.feed("added", spread(night[100:], 2))
        sources = []
        for name, port in zip(("first", "second"), ports):
            source = ingest(m, port, name, topics=["listed"], group="lists", kafka=LONG_SESSION)
            source.config["service"]["data_dir"] = m.path(name + ".data")
            os.mkdir(m.path(name + ".data"))
            source.write()
            sources.append(source)
        m.sink(ports).start()
        sources[0].start()
        wait_for(settled(m, 100), 60, "the first reads")
        sources[1].start()
        wait_for(lambda: events(sources[1], "KAFKA-STARTS"), 60, "the second has joined")
        sources[1].kill(15)
        sources[1].config["options"]["topics"] = ["listed", "added"]
        sources[1].write()
        sources[1].start()
        wait_for(settled(m, len(night)), 60, "the other topic is settled")
        wait_for(lambda: events(sources[0], "KAFKA-ALL-READ") or events(sources[1], "KAFKA-ALL-READ"), 30,
                 "it is said that it is over")
        m.drain()


def named_topic_goes():
    """One of two topics that are named is deleted: it is said, the other is read."""
    with Mesh("a topic that is named goes", redis=True) as m:
        port, night = free_port(), simulated(m, 200)
        for topic in ("stays", "goes"):
            CLUSTER.create(topic, 2)
        CLUSTER.feed("stays", spread(night[:50], 2))
        CLUSTER.feed("goes", spread(night[50:100], 2))
        source = ingest(m, port, topics=["stays", "goes"], group="named")
        m.sink([port])
        m.start()
        wait_for(settled(m, 100), 60, "both are read")
        real.tool("drop", CLUSTER.address, "goes")
        mesh.said(source, "KAFKA-TOPIC-GONE")
        CLUSTER.feed("stays", spread(night[100:], 2))
        wait_for(settled(m, len(night)), 60, "the other is read on")
        m.drain()


def from_the_future():
    """ingest's clock is 40 s behind: messages come from the future, each is read
    once, and both clocks are named."""
    with Mesh("a clock 40 s behind", redis=True) as m:
        port, topic, night = free_port(), "future", simulated(m, 100)
        CLUSTER.create(topic)
        CLUSTER.feed(topic, spread(night))
        source = ingest(m, port, topics=[topic], group=topic)
        pathlib.Path(m.path("clock")).write_text("-40\n")
        source.env = {"LD_PRELOAD": os.path.abspath(os.path.join(mesh.STAGES, "libclock_preload.so")),
                      "WEFT_TEST_CLOCK": m.path("clock"), "ASAN_OPTIONS": "verify_asan_link_order=0"}
        m.sink([port])
        m.start()
        wait_for(settled(m, len(night)), 60, "all is settled")
        wait_for(lambda: CLUSTER.at_end(topic, topic), 30, "offsets are at the end")
        text = mesh.said(source, "KAFKA-CLOCK", "s ahead of this host's clock: that of its producer, of the broker or "
                         "this one is wrong.")
        check(len(events(source, "KAFKA-CLOCK")) == 1, "it is said of each message")
        check(10 < float(text.split(" s ahead")[0].split()[-1]) <= 41, text)
        mesh.said(source, "CLOCK-OFF", "one of the two is wrong")
        m.drain()


def two_of_one_name():
    with Mesh("two replicas of one name", redis=True) as m:
        ports, topic = (free_port(), free_port()), "fenced"
        CLUSTER.create(topic)
        first = ingest(m, ports[0], "first", topics=[topic], group=topic, member="same")
        m.sink(ports)
        m.start()
        wait_for(lambda: events(first, "KAFKA-STARTS"), 60, "the first has joined")
        second = ingest(m, ports[1], "second", topics=[topic], group=topic, member="same")
        second.config["service"]["data_dir"] = m.path("second.data")
        os.mkdir(m.path("second.data"))
        second.write()
        second.start()
        wait_for(lambda: not first.running(), 60, "the first is fenced")
        check(first.popen.returncode == 1 and "options.member" in events(first, "KAFKA-FENCED")[0],
              "it does not say so")
        night = simulated(m, 200)
        CLUSTER.feed(topic, spread(night))
        wait_for(settled(m, len(night)), 60, "the second goes on")
        second.kill(15)


def run(scenarios):
    """Each against one Kafka, which ends with this test, whoever ends that."""
    global CLUSTER
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        CLUSTER = real.Kafka(os.path.join(BUILD, "kafka", "test-%d" % os.getpid()))
    except real.Missing as why:
        packets.skip(str(why))
    try:
        CLUSTER.start()
        mesh.main(scenarios)
    finally:
        CLUSTER.kill()
        shutil.rmtree(CLUSTER.folder, ignore_errors=True)


def main():
    global COPIES
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help="only these (default: all)")
    parser.add_argument("--copies", type=int, default=COPIES,
                        help="permuted copies in every_packet, half of them LSST's (default: %(default)s)")
    options = parser.parse_args()
    COPIES, sys.argv[1:] = options.copies, options.scenario
    run([copies, every_packet, drained, gap, live_before_backlog, wrong_credentials, topic_goes,
         topic_comes_in_a_restart, topics_change_in_a_restart, named_topic_goes, from_the_future, two_of_one_name])


if __name__ == "__main__":
    main()
