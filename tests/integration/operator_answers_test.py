#!/usr/bin/env python3
"""What people are told: bad options and files, a Redis that is full, a refused worker."""

import json
import os
import subprocess

import mesh
from mesh import BUILD, Mesh, check, free_port, wait_for

WEFT = os.path.join(BUILD, "bin", "weft")


def weft(m, *words, code=0, redis=True):
    where = ["--redis", m.redis.address] if redis else []
    done = subprocess.run([WEFT, *words, *where], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600, check=False)
    out, said = done.stdout.decode(), done.stderr.decode()
    check(done.returncode == code, "weft %s: exit %d: %s%s" % (
        " ".join(words), done.returncode, out, said))
    return out, said


def numbers_that_are_none():
    with Mesh("weft top: numbers", redis=True) as m:
        for words in (("--count", "abc"), ("--count", "1x"), ("--count", ""),
                      ("--count", "1", "--interval", "2s")):
            weft(m, "top", *words, code=2)
        weft(m, "top", "--count", "1")
        weft(m, "sinks", "rows", "all", "--state", "dad", code=2)


def names_that_are_none():
    """A misspelt name must not look as if it had been heard."""
    with Mesh("names that are none", redis=True) as m:
        _, said = weft(m, "dlq", "release", "clasifier")
        check("no stage clasifier is registered now (weft ps)" in said, said)
        _, said = weft(m, "model", "show", "demo", code=3)
        check("no version of demo is live; weft model ls" in said, said)
        _, said = weft(m, "model", "show", "demo", "candidate", code=3)
        check("no version of demo is a candidate" in said, said)
        out, _ = weft(m, "ps")
        check(out == "nobody has registered within the last 6 seconds\n", out)
        out, said = weft(m, "object", "show", "ztf", "ZTF24none", code=3)
        check(not out and "no history of ztf ZTF24none" in said, out + said)
        _, said = weft(m, "learn", "--base", "/no/such", "--test", "/no/such", code=1)
        check(said == "weft learn: /no/such: No such file or directory\n", said)


def what_a_command_wants_is_said():
    with Mesh("weft: what it wants", redis=True) as m:
        for words, reason in ((("3045",), "say --store DIR or PATH for night '3045'"),
                              (("3045", "--store", "a", "b"), "say --store DIR or PATH, not both")):
            _, said = weft(m, "replay", *words, code=2)
            check(reason in said and "usage" not in said, said)
        for command in ("peek", "decode", "lightcurve", "features"):
            out, _ = weft(m, command, "--help", redis=False)
            check("--mappings DIR  mapping files" in out, out)


def options_are_described_in_whole_sentences():
    said = {name: subprocess.run([os.path.join(BUILD, "bin", "weft-" + name), "--describe"],
                                 stdout=subprocess.PIPE, check=True).stdout.decode()
            for name in ("ingest", "active-learner", "tom-notifier")}
    for name, option, meaning in (
            ("tom-notifier", "filters[].conditions[].sql", "an SQL expression on the tables below"),
            ("tom-notifier", "sinks[].url", "webhook: where to (or url_file)"),
            ("tom-notifier", "sinks[].tries", "webhook: answers 5xx to one row before it is dead"),
            ("active-learner", "max_age_d",
             "objects last seen so long before the newest alert are not asked for"),
            ("ingest", "rows_most", "most rows of the curve in a message"),
            ("ingest", "history_days", "how far back from an object's newest row rows are kept; 0: all"),
            ("ingest", "store_segment", "size of one segment file")):
        row = [x for x in said[name].splitlines() if x.startswith("| `options.%s` |" % option)]
        check(row and row[0].endswith("| %s |" % meaning), "%s %s: %s" % (name, option, row))


def what_is_wrong_with_the_address_is_said():
    """One cause, not all that there may be."""
    with Mesh("weft: addresses that are none", redis=True) as m:
        def ps(address, **env):
            done = subprocess.run([WEFT, "ps", "--redis", address], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=600, check=False,
                                  env=dict(os.environ, **env))
            check(done.returncode == 2, "%s: exit %d" % (address, done.returncode))
            return done.stderr.decode().splitlines()[-1]

        empty = m.path("empty")
        with open(empty, "wb"):
            pass
        said = ps("nowhere")
        check(said.endswith("'nowhere' is none of unix:/path, host:port and cluster:host:port,..."), said)
        said = ps(m.redis.address, WEFT__REDIS__PASSWORD_FILE="/no/such")
        check(said == "weft ps: WEFT__REDIS__PASSWORD_FILE: /no/such: No such file or directory", said)
        said = ps(m.redis.address, WEFT__REDIS__PASSWORD_FILE=empty)
        check(said.endswith(empty + ": it is empty"), said)
        said = ps(m.redis.address, WEFT__REDIS__TLS="true")
        check(said.endswith("there is no TLS on a Unix socket"), said)
        said = ps("127.0.0.1:1", WEFT__REDIS__TLS="true", WEFT__REDIS__TLS_CA="/no/such")
        check("WEFT__REDIS__TLS_*: " in said and "/no/such" in said, said)


def output_that_is_lost():
    """Who reads a file that is cut off must not believe that it is whole."""
    with Mesh("output that cannot be written", redis=True) as m:
        weft(m, *label_file(m, b"object_id,class\nA,x\n"))
        for words in (("label", "--ls", "--json"), ("ledger",), ("contract",), ("--help",)):
            where = ["--redis", m.redis.address] if len(words) > 1 or words[0] == "ledger" else []
            with open("/dev/full", "wb") as full:
                done = subprocess.run([WEFT, *words, *where], stdout=full,
                                      stderr=subprocess.PIPE, timeout=600, check=False)
            said = done.stderr.decode()
            check(done.returncode == 1, "weft %s: exit %d" % (words, done.returncode))
            check("cannot be written" in said, said)


def label_file(m, data):
    with open(m.path("labels.csv"), "wb") as f:
        f.write(data)
    return "label", "--csv", m.path("labels.csv"), "--source", "me"


def label_files_that_are_wrong():
    with Mesh("weft label: files", redis=True) as m:
        said = weft(m, "label", "--csv", m.path("none.csv"), "--source", "me", code=1)[1]
        check("No such file" in said, said)
        said = weft(m, *label_file(m, b"object_id,class,class\nA,x,y\n"), code=1)[1]
        check("line 1: column 'class' stands twice" in said, said)
        said = weft(m, *label_file(m, b"object_id,klass\nA,x\n"), code=1)[1]
        check("line 1: column 'klass' is no field" in said, said)
        said = weft(m, *label_file(m, b"object_id,class,time\nA,x,2026-02-30\n"), code=3)[1]
        check("line 2" in said, said)
        #  What stands before a quote without end is written and counted.
        out, said = weft(m, *label_file(
            m, b"\xef\xbb\xbfobject_id,class\r\nA,x\r\nB,\"y\"\r\nC,\"z\r\nD,x\r\n"), code=3)
        check("line 4: a quote" in said and out.startswith("2 added"), out + said)
        rows = weft(m, "label", "--ls", "--json")[0].splitlines()
        check(len(rows) == 2, rows)
        head = weft(m, "label", "--ls")[0].splitlines()[0]
        check("received MJD" in head, head)


def a_full_redis_is_named():
    with Mesh("a full Redis is named", redis=True) as m:
        m.redis.command("CONFIG", "SET", "maxmemory", "1")
        said = weft(m, "label", "A", "x", "--source", "me", code=1)[1]
        check(m.redis.address in said and "maxmemory" in said, said)
        m.redis.command("CONFIG", "SET", "maxmemory", "0")
        weft(m, "label", "A", "x", "--source", "me")


def keys_of_two_at_once():
    """A list that two write at once would lose the one's keys, or their marks."""
    with Mesh("weft keys, eight at once") as m:
        keys = m.path("keys")
        weft(m, "keys", keys, redis=False)
        with open(os.path.join(keys, "allow")) as f:
            first = [row.split()[0] for row in f if row.strip() and row[0] != "#"]
        running = [subprocess.Popen([WEFT, "keys", "--rotate", keys], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT) for _ in range(8)]
        for process in running:
            out = process.communicate()[0].decode()
            check(process.returncode == 0, "rotate: exit %d: %s" % (process.returncode, out))
        weft(m, "keys", "--retire", keys, redis=False)
        with open(os.path.join(keys, "allow")) as f:
            left = [row.split()[0] for row in f if row.strip() and row[0] != "#"]
        check(len(left) == len(first), "%d lines of %d are left" % (len(left), len(first)))
        check(not set(first) & set(left), "an old key is still in the list")
        for name in os.listdir(keys):
            if name.endswith(".public"):
                with open(os.path.join(keys, name)) as f:
                    check(f.read().strip() in left, "%s is not in the list" % name)


def a_refused_worker_is_named():
    with Mesh("a refused worker is named") as m:
        port = free_port()
        source = m.source(port, ["pass"], alerts=1, golden=True)
        m.sink([port], stage="stranger")
        m.start()
        wait_for(lambda: source.events("LINK-REFUSED"), 30, "refused")
        text = source.events("LINK-REFUSED")[0]["text"]
        check("stage stranger" in text and "not one of this stage's outputs" in text and
              "?" not in text, text)
        source.kill()


def start_refused(m, program, config):
    """What a service says before it ends with 2."""
    path = m.path("wrong.yaml")
    with open(path, "w") as f:
        json.dump(config, f)
    done = subprocess.run([os.path.join(BUILD, "bin", program), "--config", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                          check=False)
    said = done.stdout.decode()
    check(done.returncode == 2, "exit %d: %s" % (done.returncode, said))
    return said


def configurations_that_cannot_be():
    with Mesh("configurations that cannot be") as m:
        said = start_refused(m, "weft-feature", {})
        check(m.path("wrong.yaml") + ": link.upstreams" in said, said)
        filters = [{"name": "mine", "owner": "me", "sinks": ["one"],
                    "conditions": [{"name": "always", "sql": "1"}]}]
        sinks = [{"name": name, "kind": "jsonl", "path": m.path("same.jsonl")}
                 for name in ("one", "two")]
        config = {"service": {"data_dir": m.folder},
                  "link": {"upstreams": ["127.0.0.1:%d" % free_port()]},
                  "http": {"address": ""},
                  "options": {"filters": filters, "sinks": sinks}}
        said = start_refused(m, "weft-tom-notifier", config)
        check('sink \\"two\\": path' in said and "same.jsonl" in said, said)
        sinks[1]["path"] = m.path("other.jsonl")
        filters[0]["owner"] = " "
        said = start_refused(m, "weft-tom-notifier", config)
        check('filter \\"mine\\": owner' in said, said)


def a_name_that_is_no_utf8():
    with Mesh("a file's name that is no UTF-8", redis=True) as m:
        os.mkdir(m.path("in"))
        with open(os.fsencode(m.path("in")) + b"/n\xff.avro", "wb") as f:
            f.write(b"junk")
        for command in ("peek", "lightcurve", "features"):
            out = weft(m, command, m.path("in"), code=3, redis=False)[0]
            check(json.loads(out)["path"] == m.path("in/n") + "\\xff.avro", out)
        ingest = m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": m.folder},
            "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
            "http": {"address": ""}, "options": {"inputs": [m.path("in")]}})
        ingest.start()
        check(ingest.wait(60) == 0, "ingest failed")
        out = json.loads(weft(m, "dlq", "ls", "--json")[0])
        check(out[0]["path"] == m.path("in/n") + "\\xff.avro", out)


if __name__ == "__main__":
    mesh.main([numbers_that_are_none, names_that_are_none,
               what_a_command_wants_is_said,
               options_are_described_in_whole_sentences,
               what_is_wrong_with_the_address_is_said, output_that_is_lost,
               label_files_that_are_wrong, a_full_redis_is_named,
               keys_of_two_at_once, a_refused_worker_is_named,
               configurations_that_cannot_be, a_name_that_is_no_utf8])
