#!/usr/bin/env python3
"""./run up starts the mesh in the background; ./run down stops it.

The mesh of the demo, fed by a simulated night at a survey's pace, or by your
own packets. Its folder (build/up) holds configurations, logs, Redis and the
sinks' files; the process ids are in build/up/pids.json.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mesh import Mesh, ROOT  # noqa: E402
from night import (DEMO_FILTERS, options_for, publish_models, simulate_survey,  # noqa: E402
                   survey_of)

FOLDER = ROOT / "build" / "up"
USAGE = """./run up [--alerts N] [--rate RATE] [--survey ztf|lsst|mixed] [--input PATH...]
                [--schemas DIR] [--mappings DIR] [--catalog CSV] [--keys]
       ./run down"""
PIDS = FOLDER / "pids.json"


def parse():
    parser = argparse.ArgumentParser(prog="./run", usage=USAGE, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down"], help=argparse.SUPPRESS)
    parser.add_argument("--alerts", type=int, default=20000, help="alerts of the simulated night")
    parser.add_argument("--rate", type=float, default=256, help="alerts per second, 0 = as fast as it goes")
    parser.add_argument("--survey", choices=["ztf", "lsst", "mixed"],
                        help="whose packets: simulated ones, or what the model is trained for"
                        " (ztf; with --schemas lsst)")
    parser.add_argument("--input", nargs="+", metavar="PATH", help="your own packets instead")
    parser.add_argument("--schemas", metavar="DIR", help="Avro schemas for Confluent-framed packets")
    parser.add_argument("--mappings", metavar="DIR", type=lambda p: pathlib.Path(p).resolve(),
                        help="mapping files (*.map) of surveys that are not built in")
    parser.add_argument("--catalog", metavar="CSV", type=lambda p: pathlib.Path(p).resolve(),
                        help="a catalogue to match with: columns ra, dec (degrees), id, type, z;"
                        " the names must be these")
    parser.add_argument("--keys", action="store_true", help="all links encrypted, keys in build/up/keys")
    return parser.parse_args()


def is_ours(pid, program):
    """Is that process still the one that `up` started?"""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return program.encode() in f.read()
    except OSError:
        return False


def keep_last():
    """Each start is a new mesh; the files of the last one may have been edited."""
    before = FOLDER.with_name("up.before")
    if FOLDER.exists():
        shutil.rmtree(before, ignore_errors=True)
        FOLDER.rename(before)
        print(f"up: a new mesh; the last one's files are in {before.relative_to(ROOT)}", flush=True)


def up(options):
    known = json.loads(PIDS.read_text()) if PIDS.exists() else []
    ended = [pathlib.Path(name).name for name, pid in known if not is_ours(pid, name)]
    if len(ended) < len(known):
        print("up: it runs already; ./run down stops it", file=sys.stderr)
        if ended:
            print(f"up: but {', '.join(ended)} ended, see {FOLDER.relative_to(ROOT)}/log; the same program "
                  f"with --config {FOLDER.relative_to(ROOT)}/config/... starts it again", file=sys.stderr)
        return 1
    inputs = [str(pathlib.Path(p).resolve()) for p in options.input or []]
    for path in [*inputs, *filter(None, [options.catalog, options.mappings])]:
        if not pathlib.Path(path).exists():
            print(f"up: there is no {path}", file=sys.stderr)
            return 2
    keep_last()
    mesh = Mesh(FOLDER, keys=options.keys)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("up: ended before the mesh was there"))
    try:
        start(mesh, options, inputs)
    except BaseException:  # Ctrl-C, too: `down` knows only a mesh that is there
        mesh.kill_all()
        raise
    return tell(mesh)


def start(mesh, options, inputs):
    """A night, a model, and all services until each of them is ready."""
    survey = survey_of(options)
    schemas = pathlib.Path(options.schemas).resolve() if options.schemas else None
    night = FOLDER / "night"
    if not inputs:
        print(f"simulating a night of {options.alerts} alerts, {survey}", flush=True)
        inputs, schemas = simulate_survey(mesh, night, 1, options.alerts, survey)
    print("training the classifier on another simulated season", flush=True)
    mesh.redis.start()
    models, said = publish_models(mesh, FOLDER / "training", 1001, survey)
    print("\n".join("  " + line for line in said), flush=True)
    mesh.configure(options_for(mesh, inputs, schemas=schemas, rate=options.rate, models=models,
                               catalog=options.catalog or night / "catalog.csv", filters=DEMO_FILTERS, stay=True,
                               mappings=options.mappings))
    print("starting ingest, crossmatch, feature, classifier, active-learner, tom-notifier",
          flush=True)
    mesh.start()
    mesh.wait_ready()
    pids = [("redis-server", mesh.redis.process.pid)]
    pids += [(str(i.program), i.process.pid) for i in mesh.instances.values()]
    PIDS.write_text(json.dumps(pids))


def tell(mesh):
    where = FOLDER.relative_to(ROOT)
    print(f"""the mesh runs; it keeps running when this command ends.
  export WEFT__REDIS__ADDRESS={mesh.redis.address}
  build/bin/weft ps              who is there
  build/bin/weft ledger          what has become of the alerts
  build/bin/weft dlq ls          dead letters
  tail -f {where}/sinks/all.jsonl   what is told
  {where}/config/*.yaml     filters, sinks, catalogues: edit, then kill -HUP the PID of weft ps
  ./run down                     stop it""")
    return 0


def down():
    if not PIDS.exists():
        print("down: nothing runs that ./run up has started")
        return 0
    pids = json.loads(PIDS.read_text())
    services = [(n, p) for n, p in pids if n != "redis-server"]
    redis = [(n, p) for n, p in pids if n == "redis-server"]
    for group in (services, redis):  # Redis last: draining needs it
        for name, pid in group:
            if is_ours(pid, name):
                os.kill(pid, signal.SIGTERM)
        end = time.time() + 15
        while any(is_ours(p, n) for n, p in group) and time.time() < end:
            time.sleep(0.1)
        for name, pid in group:
            if is_ours(pid, name):
                print(f"down: {name} did not drain in time, killed")
                os.kill(pid, signal.SIGKILL)
    PIDS.unlink()
    print("the mesh is down")
    return 0


if __name__ == "__main__":
    arguments = parse()
    sys.exit(up(arguments) if arguments.command == "up" else down())
