#!/usr/bin/env python3
"""Ingest as a member of a group, on librdkafka's own cluster."""

import json
import os
import struct
import subprocess
import sys

from mesh import BUILD, Mesh, check, free_port, main, wait_for

MOCK = os.path.join(BUILD, "tests", "kafka_mock_main")
WEFT = os.path.join(BUILD, "bin", "weft")


class Cluster:
    def __init__(self):
        self.popen = subprocess.Popen([MOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, universal_newlines=True)
        self.brokers = self.popen.stdout.readline().strip()
        if self.brokers.startswith("SKIP"):
            print(self.brokers)
            sys.exit(77)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        self.popen.wait()

    def do(self, *words):
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        self.popen.stdin.flush()
        check(self.popen.stdout.readline() == "done\n", "the cluster does %s" % (words,))

    def put(self, topic, partition, data):
        self.do("put", topic, partition, data.hex())


def ingest_of(m, cluster, topic, **options):
    return m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict(brokers=cluster.brokers, topics=[topic], security="plaintext",
                        store="off", **dict(dict(group="g"), **options))})


def total(m):
    run = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE, check=False)
    return json.loads(run.stdout or b"{}").get("total", {})


def a_share_of_a_group_is_refused():
    with Mesh("a share of a group", redis=True) as m, Cluster() as cluster:
        ingest = ingest_of(m, cluster, "shared", share="1/2")
        m.start()
        wait_for(lambda: not ingest.running(), 60, "ingest has ended")
        check(ingest.wait() == 2, "it ended with %s" % ingest.popen.returncode)
        said = ingest.events("INGEST-INPUT-BAD")
        check(said and "options.share is '1/2', expected 1/1" in said[0]["text"], "said %s" % said)


def a_schema_that_waits_holds_up_its_partition_alone():
    with Mesh("a schema that waits, without pauses", redis=True) as m, Cluster() as cluster:
        cluster.do("topic", "waits", 2)
        #  A registry that never answers.
        ingest = ingest_of(m, cluster, "waits", pause_on_schema="false", start="earliest",
                           registry="http://127.0.0.1:%d" % free_port())
        cluster.put("waits", 0, b"\0" + struct.pack(">I", 7) + b"a packet of schema 7")
        m.start()
        wait_for(lambda: any("schema id 7" in e["text"] for e in ingest.events("INGEST-SCHEMA-WAITED")),
                 60, "it is said that schema 7 is waited for")
        cluster.put("waits", 1, b"what is no packet")
        wait_for(lambda: total(m).get("dead") == 1, 60, "the other partition is read on")
        said = ingest.events("INGEST-SCHEMA-WAITED")
        check("waits/0 stands still at offset 0" in said[0]["text"], "said %s" % said)


def what_was_booked_before_its_first_reading_is_said():
    """As of a topic that was made anew: its offsets are gone, its positions are booked."""
    with Mesh("positions that were booked before", redis=True) as m, Cluster() as cluster:
        cluster.do("topic", "anew", 1)
        cluster.put("anew", 0, b"what is no packet")
        ingest = ingest_of(m, cluster, "anew", start="earliest")
        m.start()
        wait_for(lambda: total(m).get("dead") == 1, 60, "it is a dead letter")
        #  Read again by its own group, that is what a crash does: nothing to say.
        ingest.kill()
        check(not ingest.events("KAFKA-BOOKED-BEFORE"), "it is said of what was read once")
        ingest.config["options"]["group"] = "h"
        ingest.write()
        ingest.start()
        wait_for(lambda: ingest.events("KAFKA-BOOKED-BEFORE"), 60, "it is said")
        check("anew/0 at 0" in ingest.events("KAFKA-BOOKED-BEFORE")[0]["text"], "what it says")
        check(total(m).get("dead") == 1, "it was booked twice")


if __name__ == "__main__":
    main([a_share_of_a_group_is_refused, a_schema_that_waits_holds_up_its_partition_alone,
          what_was_booked_before_its_first_reading_is_said])
