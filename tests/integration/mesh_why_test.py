#!/usr/bin/env python3
"""weft why, filters and sinks against a notifier that runs."""

import datetime
import json
import os
import signal
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for
from receiver import SECRET, Receiver

FILTERS = [
    {"name": "ours", "owner": "ana", "sinks": ["hook"], "conditions": [
        {"name": "survey", "sql": "survey = 'ztf'"}, {"name": "placed", "sql": "ra > -1"}]},
    {"name": "theirs", "owner": "ben", "sinks": ["hook"], "conditions": [
        {"name": "placed", "sql": "ra IS NOT NULL"}, {"name": "survey", "sql": "survey = 'lsst'"}]},
    {"name": "heavy", "owner": "eve", "sinks": ["hook"], "conditions": [
        {"name": "endless", "sql": "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
                                   " SELECT i + 1 FROM n) SELECT max(i) FROM n) > 0"}]}]


def weft(m, *words, expected=0):
    done = subprocess.run([os.path.join(BUILD, "bin", "weft"), *words, "--redis",
                           m.redis.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    check(done.returncode == expected, "%s: exit %d: %s" % (
        " ".join(words), done.returncode, done.stderr))
    return json.loads(done.stdout) if "--json" in words else done.stdout


def states(m):
    return {f["name"]: f for f in weft(m, "filters", "--json")["filters"]}


def set_up(m, receiver, n):
    port = free_port()
    with open(m.path("secret"), "w") as f:
        f.write(SECRET)
    m.source(port, ["tom-notifier"], alerts=n, golden=True)
    os.makedirs(m.path("data"))
    return m.add("notifier", os.path.join(BUILD, "bin", "weft-tom-notifier"), {
        "service": {"data_dir": m.path("data")},
        "link": {"upstreams": ["127.0.0.1:%d" % port], "beat_ms": 100},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": {"filters": FILTERS, "sinks": [
            {"name": "hook", "kind": "webhook", "url": receiver.url,
             "secret_file": m.path("secret")}]}})


def answers(m, n):
    for text, key in (("7", "seen"), ("ztf/7", "seen")):
        check(weft(m, "why", "ours", text, "--json")[key], text)
    yes = weft(m, "why", "ours", "0", "--json")
    check((yes["then"], yes["verdict"], yes["owner"]) == ("yes", "yes", "ana"), yes)
    check([c["verdict"] for c in yes["conditions"]] == ["true", "true"], yes)
    check(yes["conditions"][0]["value"] == "ztf", yes)
    no = weft(m, "why", "theirs", str(n - 1), "--json")
    check((no["then"], no["verdict"]) == ("no", "no"), no)
    check([c["verdict"] for c in no["conditions"]] == ["true", "false"], no)
    check("this one decided" in weft(m, "why", "theirs", "3"), "in words")
    late = weft(m, "why", "heavy", str(n - 1), "--json")
    check((late["then"], late["verdict"]) == ("quarantined", "failed"), late)
    check(not weft(m, "why", "ours", str(n + 5), "--json", expected=3)["seen"], "not seen")
    check(not weft(m, "why", "other", "3", "--json", expected=3)["known"], "no such filter")
    said = weft(m, "why", "other", "3", expected=3)
    check("those filters had no other; there is no filter other now (weft filters)" in said, said)
    done = subprocess.run([os.path.join(BUILD, "bin", "weft"), "why", "ours", "ZTF18abc", "--redis",
                           m.redis.address], stderr=subprocess.PIPE, text=True, check=False)
    check(done.returncode == 2 and "ALERT is the alert's id (alert_id in the sink's rows), not the object's"
          in done.stderr, done.stderr)


def a_quarantine_and_its_release(m, process):
    since = weft(m, "filters", "--json")["since"]
    head = weft(m, "filters").splitlines()[0]
    told = datetime.datetime.strptime(head + "+0000", "passed and missed since %Y-%m-%dT%H:%M:%S.%fZ%z")
    check(abs(told.timestamp() - since) < 0.01, head)
    found = states(m)
    check(found["heavy"]["state"] == "quarantined" and found["heavy"]["owner"] == "eve", found)
    check("budget" in found["heavy"]["failure"] and found["heavy"]["missed"] > 0, found)
    check(found["ours"]["state"] == "live" and found["ours"]["failure"] == "", found)
    check("eve" in process.events("FILTER-QUARANTINED")[0]["text"], "owner")
    weft(m, "filters", "release", "nobody", expected=3)
    weft(m, "filters", "release", "heavy")
    wait_for(lambda: states(m)["heavy"]["state"] == "live", 20, "released")


def a_reload_is_whole_or_nothing(m, process, n):
    process.config["options"]["filters"] = FILTERS[:1] + [
        dict(FILTERS[1], conditions=[{"name": "bad", "sql": "no_such_column > 1"}])]
    process.write()
    process.send(signal.SIGHUP)
    wait_for(lambda: process.events("NOTIFIER-OPTIONS"), 20, "refused")
    check("no_such_column" in process.events("NOTIFIER-OPTIONS")[0]["text"], "named")
    check(set(states(m)) == {"ours", "theirs", "heavy"}, "as before")
    since = weft(m, "filters", "--json")["since"]
    process.config["options"]["filters"] = FILTERS[:2]
    process.write()
    process.send(signal.SIGHUP)
    wait_for(lambda: set(states(m)) == {"ours", "theirs"}, 20, "taken over")
    check(weft(m, "filters", "--json")["since"] > since, "counted anew")
    check(weft(m, "why", "heavy", "0", "--json")["then"] == "failed", "as it was then")


def a_dry_run(m, process, n):
    config = dict(process.config, options=dict(process.config["options"], filters=FILTERS[:2]))
    with open(m.path("try.yaml"), "w") as f:
        json.dump(config, f)
    night = weft(m, "why", "ours", "0", "--json")["night"]
    found = weft(m, "filters", "try", m.path("try.yaml"), "--night", str(night), "--json")
    check(found["alerts"] == n and [f["passed"] for f in found["filters"]] == [n, 0], found)
    check([c["left"] for c in found["filters"][1]["conditions"]] == [n, 0], found)
    weft(m, "filters", "try", m.path("try.yaml"), "--night", str(night + 7), expected=3)
    weft(m, "filters", "try", m.path("secret"), "--night", str(night), expected=3)


def dead_rows_are_sent_again(m, receiver, n):
    rows = {r["state"]: r["rows"] for r in weft(m, "sinks", "--json")}
    check(rows == {"dead": n}, rows)
    weft(m, "sinks", "rows", "hok", expected=3)
    dead = weft(m, "sinks", "rows", "hook", "--limit", "3", "--json")
    check(len(dead) == 3 and dead[0]["last_status"] == 422, dead)
    receiver.refuse = False
    weft(m, "sinks", "retry", "hook", dead[0]["key"])
    wait_for(lambda: len(receiver.keys()) == 1, 20, "one is sent")
    weft(m, "sinks", "retry", "hook", dead[0]["key"], expected=3)
    weft(m, "sinks", "retry", "hook", "--all")
    wait_for(lambda: len(receiver.keys()) == n, 20, "all are sent")
    wait_for(lambda: {r["state"] for r in weft(m, "sinks", "--json")} == {"done"}, 20, "done")
    check(receiver.resent() == 0, "each once")


def what_cannot_be_written_is_said(m, process):
    path = m.path("data/outbox.db.record/filters.json")
    os.mkdir(path + ".new")
    wait_for(lambda: process.events("FILTERS-UNTOLD"), 20, "the state is not told")
    text = process.events("FILTERS-UNTOLD")[0]["text"]
    check(text == path + " cannot be written: weft filters shows an old state", text)
    os.rmdir(path + ".new")


def the_operator_asks():
    with Mesh("why, filters, sinks", redis=True) as m:
        n, receiver = 60, Receiver()
        take, receiver.refuse = receiver.take, True

        def refuse(request):
            if not receiver.refuse:
                return take(request)
            request.rfile.read(int(request.headers["Content-Length"]))
            request.send_response(422)
            request.send_header("Content-Length", "0")
            return request.end_headers()

        receiver.take = refuse
        process = set_up(m, receiver, n)
        m.start()
        check(m.processes["source"].wait(60) == 0, "source failed")
        wait_for(lambda: m.redis.command("HLEN", "notifier:places") == 1, 20, "place")
        wait_for(lambda: os.path.exists(m.path("data/outbox.db.record/filters.json")) and
                 states(m)["ours"]["passed"] == n, 20, "state")
        wait_for(lambda: process.metric('weft_sink_queue{sink="hook"}') == 0, 20, "refused")
        answers(m, n)
        a_quarantine_and_its_release(m, process)
        a_dry_run(m, process, n)
        a_reload_is_whole_or_nothing(m, process, n)
        dead_rows_are_sent_again(m, receiver, n)
        what_cannot_be_written_is_said(m, process)
        m.drain()
        check(weft(m, "why", "ours", "5", "--json")["then"] == "yes", "and afterwards")


if __name__ == "__main__":
    mesh.main([the_operator_asks])
