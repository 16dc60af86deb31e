#!/usr/bin/env python3
"""ingest and a real Kafka: every message has one outcome, and is told."""

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
COPIES = int(os.environ.get("WEFT_KAFKA_COPIES", "5000"))
CLUSTER = None


def ingest(m, port, name="ingest", link=None, **options):
    options = {"brokers": CLUSTER.address, "member": name, "store": "off",
               "discover_s": 1, **options}
    return m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": dict({"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]}, **(link or {})),
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": options})


def ledger(m):
    run = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE)
    return json.loads(run.stdout)["total"]


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
        m.sink([port], base=packets.BASE, most=max(COPIES, 1))
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
        url = "kafka://%s/%s?last=25" % (CLUSTER.address, topic)
        looked = subprocess.run([WEFT, "peek", "--schemas", str(got.schemas), url],
                                stdout=subprocess.PIPE, check=False).stdout.splitlines()
        places = [json.loads(line)["path"].split("#")[0] for line in looked]
        check(len(set(places)) == 100, "%d messages looked at" % len(set(places)))
        check(CLUSTER.at_end(topic, topic), "looking moved an offset")
        print("     %d messages in %.1f s, %.0f MB of memory" % (
            fed, took, source.memory_mb()))
        m.drain()


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
                        backlog_from=500, rate=150)
        m.sink([port], base=packets.BASE, most=backlog + live)
        m.start()
        wait_for(lambda: ledger(m)["settled"] > 200, 60, "the backlog is begun")
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
        wait_for(lambda: events(source, "KAFKA-CREDENTIALS"), 60, "it says so")
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


def main():
    global CLUSTER
    #  Whoever ends this test ends Kafka with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        CLUSTER = real.Kafka(os.path.join(BUILD, "kafka", "test-%d" % os.getpid()))
    except real.Missing as why:
        packets.skip(str(why))
    try:
        CLUSTER.start()
        mesh.main([every_packet, drained, gap, live_before_backlog, wrong_credentials, topic_goes, two_of_one_name])
    finally:
        CLUSTER.kill()
        shutil.rmtree(CLUSTER.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
