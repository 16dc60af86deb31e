#!/usr/bin/env python3
"""The packet store: a reference that left ingest finds its packet, whatever
dies; a full disk stops the store, not the stream."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import mesh
from mesh import BUILD, STAGES, Mesh, check, free_port, said, wait_for
from small_disk import SmallDisk

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "proto", "python"))
import weft_packets  # noqa: E402

WEFT = os.path.join(BUILD, "bin", "weft")


def simulate(folder, alerts, *more):
    subprocess.run([WEFT, "sim", "--seed", "9", "--alerts", str(alerts),
                    "--out", folder, "--quiet", *more], check=True)
    return os.path.join(folder, "alerts")


def ingest(m, port, inputs, name="ingest", **options):
    return m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict({"store_free": 0}, inputs=inputs, **options)})


def refs_sink(m, ports):
    return m.add("sink", os.path.join(STAGES, "test_refs_main"), {
        "link": {"upstreams": ["127.0.0.1:%d" % p for p in ports]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {"file": m.path("refs")}})


def references(m):
    """(alert, reference) of every alert that has reached the last stage."""
    return [tuple(row[:2]) for row in mesh.lines(m.path("refs"))]


def settled(m):
    return mesh.ledger(m.redis.address)


def all_found(m, folder=None, address=None):
    """Every reference so far, read by Python. Returns packets by alert."""
    found = {}
    for key, ref in references(m):
        if ref != "-":
            found[key] = weft_packets.read(ref, folder, address, timeout=60)
    return found


def alerts_in(m, packets):
    """The alerts that weft itself finds in these packets."""
    folder = m.path("found")
    os.makedirs(folder)
    for i, packet in enumerate(packets):
        with open(os.path.join(folder, "%06d.avro" % i), "wb") as f:
            f.write(packet)
    run = subprocess.run([WEFT, "peek", folder], stdout=subprocess.PIPE)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return ["%s:%s" % (row["survey"], row["alert_id"]) for row in rows]


def ended(process, seconds):
    wait_for(lambda: not process.running(), seconds,
             "%s ends by itself" % process.name)
    check(process.popen.returncode == 0,
          "%s ended with %s" % (process.name, process.popen.returncode))


def killed_again_and_again():
    with Mesh("no reference to what is not there", redis=True) as m:
        ports = free_port(), free_port()
        alerts = simulate(m.path("sim"), 1500, "--malformed", "5")
        for i in (0, 1):
            ingest(m, ports[i], [alerts], "ingest%d" % i,
                   share="%d/2" % (i + 1), rate=250, store_segment=3000000)
        refs_sink(m, ports)
        m.start()
        both = [m.processes["ingest0"], m.processes["ingest1"]]
        folder = m.path("packets")
        start = time.monotonic()
        random.seed(2)
        kills = 0
        while any(p.running() for p in both) and \
                time.monotonic() - start < 90 * mesh.PATIENCE:
            time.sleep(0.3)
            victim = random.choice(both)
            if victim.running() and time.monotonic() - start < 8:
                victim.kill()
                kills += 1
                #  Nobody writes the victim's segments: torn or not, what was
                #  told is there.
                all_found(m, folder)
                victim.start()
        for process in both:
            ended(process, 30)
        found = all_found(m, folder)
        check("-" not in dict(references(m)).values(), "some were not stored")
        got = settled(m)
        check(got["balanced"] and got["settled"] == len(found),
              "ledger %s, %d packets" % (got, len(found)))
        check(alerts_in(m, found.values()) == list(found),
              "a packet is that of another alert")
        stores = {name[:3] for name in os.listdir(folder)
                  if name.endswith(".packets")}
        check(len(stores) == 2, "two replicas, stores %s" % stores)
        records = [r for name in os.listdir(folder) if name.endswith(".packets")
                   for r in weft_packets.scan(os.path.join(folder, name))]
        #  Refused packets are there as well.
        check(len(records) >= len(found) + 4, "%d records" % len(records))
        print("     %d kills, %d references, %d records" % (
            kills, len(references(m)), len(records)))


def over_http():
    with Mesh("packets over HTTP", redis=True) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 40)
        one = ingest(m, port, [alerts], stay=True)
        refs_sink(m, [port])
        m.start()
        wait_for(lambda: settled(m)["settled"] == 40, 30, "all are settled")
        address = one.config["http"]["address"]
        check(m.redis.command("HGET", "store:places", "1") == address,
              "store:places does not name %s" % address)
        found = all_found(m, None, address)
        check(found == all_found(m, m.path("packets")), "HTTP and disk differ")
        ref = references(m)[0][1]
        other = ref[:-1] + ("0" if ref[-1] != "0" else "1")
        for wrong, status in ((other, 409), ("00900001" + ref[8:], 404),
                              ("x", 400), ("../../" + ref, 400)):
            check(one.http("/packets/" + wrong)[0] == status,
                  "%s: %s" % (wrong, one.http("/packets/" + wrong)))
        try:
            weft_packets.read(other, m.path("packets"), address)
            check(False, "a wrong sum was taken")
        except weft_packets.Gone:
            pass
        m.drain()


def on_small_disk(title, work, **options):
    with Mesh(title, redis=True) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 400)
        try:
            disk = SmallDisk(m, 3000000, "ingest", "sink")
        except PermissionError:
            print("SKIP: %s: only root can mount a small disk" % title)
            return
        with disk:
            one = ingest(m, port, [alerts], stay=True, rate=100,
                         store=os.path.join(disk.path, "packets"),
                         store_segment=1000000, **options)
            refs_sink(m, [port])
            m.start()
            said(one, "STORE-STOPPED", "No space left on device")
            wait_for(lambda: one.metric("weft_store_stopped") == 1, 10,
                     "the metric says so")
            work(m, one, disk)
            m.drain()
            found = all_found(m, os.path.join(disk.path, "packets"))
            check(len(found) > 10, "%d found" % len(found))
            check(settled(m)["balanced"], "ledger %s" % settled(m))


def full_disk():
    def work(m, one, disk):
        wait_for(lambda: "not stored" in one.http("/readyz")[1], 10,
                 "readyz says so")
        check(one.http("/readyz")[0] == 200, "a full disk is not unready")
        wait_for(lambda: settled(m)["settled"] == 400, 60, "the stream goes on")
        unstored = sum(ref == "-" for _, ref in references(m))
        check(unstored > 0 and one.metric("weft_store_skipped_total") > 0,
              "%d went on unstored" % unstored)
        check(len(one.events("STORE-STOPPED")) == 1, "said more than once")

    on_small_disk("a full disk does not stop the stream", work)


def full_disk_that_holds():
    def work(m, one, disk):
        wait_for(lambda: one.http("/readyz")[0] == 503, 10, "it waits")
        check("not stored" in one.http("/readyz")[1], one.http("/readyz")[1])
        disk.resize(60000000)
        said(one, "STORE-RESUMES")
        wait_for(lambda: settled(m)["settled"] == 400, 60, "all are settled")
        check(all(ref != "-" for _, ref in references(m)), "one is unstored")

    on_small_disk("a full disk holds the stream if told so", work,
                  store_hold=True)


def full_at_the_start():
    """Where there is no room even for the store's number, ingest starts without a
    store, counts what it does not keep, and opens it when there is."""
    with Mesh("a disk that is full at the start", redis=True) as m:
        port, page = free_port(), 4096
        alerts = simulate(m.path("sim"), 40)
        try:
            disk = SmallDisk(m, page, "ingest", "sink")
        except PermissionError:
            print("SKIP: a disk that is full at the start: only root can mount a small disk")
            return
        with disk:
            with open(os.path.join(disk.path, "fill"), "wb") as f:
                f.write(b"x" * page)
            one = ingest(m, port, [alerts], stay=True, store=os.path.join(disk.path, "packets"))
            refs_sink(m, [port])
            m.start()
            said(one, "STORE-STOPPED", "No space left on device")
            check(one.metric("weft_store_stopped") == 1, "the metric does not say so")
            wait_for(lambda: settled(m)["settled"] == 40, 60, "the stream goes on")
            check(one.metric("weft_store_skipped_total") == 40,
                  "%s are counted" % one.metric("weft_store_skipped_total"))
            time.sleep(7)  # it is tried again every 5 s
            check(len(one.events("STORE-STOPPED")) == 1, "said more than once")
            check(not m.redis.command("HGET", "store:places", "1"), "it has a place")
            disk.resize(60000000)
            said(one, "STORE-RESUMES", "packets were not stored")
            check("; 40 packets" in one.events("STORE-RESUMES")[0]["text"], "how many?")
            wait_for(lambda: one.metric("weft_store_stopped") == 0, 10, "the metric says so")
            wait_for(lambda: m.redis.command("HGET", "store:places", "1") == one.config["http"]["address"], 10,
                     "its place is told")
            m.drain()


def standard_input():
    with Mesh("packets from standard input", redis=True) as m:
        port = free_port()
        alerts = simulate(m.path("sim"), 60)
        one = ingest(m, port, ["-"])
        refs_sink(m, [port]).start()
        files = sorted(os.path.join(at, name) for at, _, names in
                       os.walk(alerts) for name in names)
        with open(one.log, "ab") as log:
            one.popen = subprocess.Popen([one.program, "--config", one.path],
                                         stdin=subprocess.PIPE, stdout=log,
                                         stderr=log)
        for path in files:
            with open(path, "rb") as f:
                one.popen.stdin.write(f.read())
        one.popen.stdin.close()
        ended(one, 60)
        check(settled(m)["received"] == len(files) and settled(m)["balanced"],
              "ledger %s of %d" % (settled(m), len(files)))
        check(len(all_found(m, m.path("packets"))) == 60, "packets")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1]))


def is_gone(ref, folder=None, address=None):
    try:
        weft_packets.read(ref, folder, address, timeout=60)
    except weft_packets.Gone:
        return True
    return False


def a_damaged_segment():
    """One byte of a packet and one of a header are others: that costs the packet,
    and nothing that lies behind it."""
    with Mesh("a damaged segment stays", redis=True) as m:
        port = free_port()
        one = ingest(m, port, [simulate(m.path("sim"), 60)], stay=True)
        refs_sink(m, [port])
        m.start()
        wait_for(lambda: settled(m)["settled"] == 60, 30, "all are settled")
        one.kill(signal.SIGTERM)
        folder, address = m.path("packets"), one.config["http"]["address"]
        (name,) = [n for n in os.listdir(folder) if n.endswith(".packets")]
        path = os.path.join(folder, name)
        refs = sorted((r for _, r in references(m)), key=lambda r: int(r.split("-")[1]))
        flip(path, int(refs[20].split("-")[1]) + 100)
        flip(path, int(refs[30].split("-")[1]) - 40)
        with open(path, "rb") as f:
            before = f.read()
        #  Other packets: where do they go?
        one.config["options"]["inputs"] = [
            simulate(m.path("more"), 30, "--seed", "10")]
        one.write()
        one.start()
        said(one, "STORE-DAMAGED", "are no whole packet")
        check(path in one.events("STORE-DAMAGED")[0]["text"], "which segment?")
        wait_for(lambda: settled(m)["settled"] == 90, 30, "all are settled")
        with open(path, "rb") as f:
            check(f.read() == before, "the segment has changed")
        check(not one.events("STORE-TAIL-CUT"), "something was cut off")
        new = [r for _, r in references(m) if r[:8] != name[:8]]
        check(len(new) == 30, "%d in another segment" % len(new))
        for ref in refs + new:
            #  A reference needs no header.
            for where in ({"folder": folder}, {"address": address}):
                check(is_gone(ref, **where) == (ref == refs[20]),
                      "%s by %s" % (ref, where))
        scanned = {r for r, _, _ in weft_packets.scan(path)}
        check(set(refs) - scanned == {refs[30]}, "%d are read on" % len(scanned))
        m.drain()


mesh.main([standard_input, killed_again_and_again, over_http, a_damaged_segment,
           full_disk, full_disk_that_holds, full_at_the_start])
