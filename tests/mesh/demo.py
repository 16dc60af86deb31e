#!/usr/bin/env python3
"""./run demo: a night through the whole mesh, on this machine, in a minute.

A private Redis, a simulated season (or your own packets), a classifier that is
trained on another simulated season, all six services as processes; progress
while it runs, a summary at the end, and everything left in build/demo to look
at.
"""

import argparse
import csv
import json
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mesh import Mesh, ROOT, sink_lines  # noqa: E402
from night import (DEMO_FILTERS, options_for, publish_models, quantile,  # noqa: E402
                   simulate_survey, survey_of)


def parse():
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=5000, help="alerts of the simulated night")
    parser.add_argument("--survey", choices=["ztf", "lsst", "mixed"],
                        help="whose packets: simulated ones, or what the model is trained for"
                        " (ztf; with --schemas lsst)")
    parser.add_argument("--input", nargs="+", metavar="PATH",
                        help="your own packets instead: files, folders, tar archives")
    parser.add_argument("--schemas", metavar="DIR", help="Avro schemas for Confluent-framed packets")
    parser.add_argument("--mappings", metavar="DIR", type=lambda p: pathlib.Path(p).resolve(),
                        help="mapping files (*.map) of surveys that are not built in")
    parser.add_argument("--catalog", metavar="CSV", type=lambda p: pathlib.Path(p).resolve(),
                        help="a catalogue to match with: columns ra, dec (degrees), id, type, z;"
                        " the names must be these")
    parser.add_argument("--rate", type=float, default=0, help="alerts per second, 0 = as fast as it goes")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    parser.add_argument("--json", metavar="FILE", help="write the summary as JSON")
    return parser.parse_args()


def progress(mesh, start):
    """One line a second until ingest has read and booked everything: None, or the
    service that has ended with an error, as without it nothing ends."""
    ingest = mesh.of("ingest")[0]
    last = 0
    while ingest.alive():
        time.sleep(0.5)
        for instance in mesh.instances.values():
            instance.look()
            if instance.failed():
                return instance
        ledger = mesh.ledger()
        if not ledger or time.time() - last < 1:
            continue
        last = time.time()
        total = ledger["total"]
        done = total["settled"] + total["duplicate"] + total["dead"]
        print(f"  {time.time() - start:5.1f} s  received {total['received']:7d}  "
              f"settled {total['settled']:7d}  in flight {total['in_flight']:5d}  "
              f"{done / max(0.1, time.time() - start):7.0f}/s", flush=True)
    return ingest if ingest.failed() else None


def truth_of(night):
    path = night / "truth.csv"
    if not path.exists():
        return {}
    with open(path, newline="") as f:
        return {row["alert_id"]: row["class"] for row in csv.DictReader(f)}


def top_class(line):
    """The likeliest class that a sink line tells, None if it was not scored."""
    best = max(line.get("scores") or [], key=lambda s: s["p"], default=None)
    return best["class"] if best else None


def classes_against_truth(lines, truth):
    table = {}
    for line in lines:
        real, found = truth.get(str(line["alert_id"])), top_class(line)
        if real and found:
            row = table.setdefault(real, {"alerts": 0, "right": 0})
            row["alerts"] += 1
            row["right"] += real == found
    return table


def summarise(mesh, options, lines, truth, seconds):
    ages = sorted(l["latency_s"] for l in lines if l.get("latency_s") is not None)
    ledger = mesh.last_ledger()
    filters = {}
    for line in sink_lines(mesh.folder / "sinks" / "science.jsonl"):
        filters[line["filter"]] = filters.get(line["filter"], 0) + 1
    return {
        "alerts": ledger["total"]["settled"],
        "seconds": round(seconds, 2),
        "rate": round(ledger["total"]["received"] / seconds, 1),
        "latency_ms": {"p50": round(1000 * quantile(ages, 0.5), 1),
                       "p99": round(1000 * quantile(ages, 0.99), 1)},
        "classes": classes_against_truth(lines, truth),
        "queries": queries_issued(mesh),
        "filters": filters,
        "dead_letters": dead_letters(mesh),
        "own_packets": bool(options.input),
        "catalog": str(options.catalog) if options.catalog else None,
        "memory_mb": {i.name: round(i.max_rss, 1) for i in mesh.instances.values()},
        "ledger": ledger,
    }


def queries_issued(mesh):
    return sum(1 for line in sink_lines(mesh.folder / "sinks" / "queries.jsonl"))


def dead_letters(mesh):
    listing = mesh.weft("dlq", "ls", "--json", check=False)
    return json.loads(listing.stdout) if listing.returncode == 0 and listing.stdout else []


def wanted(letters):
    """What option would have read them, as far as their reasons tell."""
    for reason, option in (("say where the schemas are", "Confluent-framed packets want --schemas DIR"),
                           ("no mapping file says", "a survey that is not built in wants --mappings DIR"
                            " (services/ingest/README.md)")):
        if any(reason in (letter.get("reason") or "") for letter in letters):
            return f". {option}"
    return ""


def show(summary, folder):
    total = summary["ledger"]["total"]
    if summary["alerts"]:
        print(f"\n{summary['alerts']} alerts settled in {summary['seconds']} s: "
              f"{summary['rate']:.0f} packets/s, receipt to sink p50 {summary['latency_ms']['p50']} ms, "
              f"p99 {summary['latency_ms']['p99']} ms")
    elif total["received"]:
        print(f"\nNOTHING was settled: of {total['received']} packets {total['dead']} were refused; why is below"
              + wanted(summary["dead_letters"]))
    else:
        print("\nNOTHING was read: there is no packet in what --input names")
    for name, row in sorted(summary["classes"].items()):
        print(f"  {name:14s} {row['right']:6d} of {row['alerts']:6d} alerts classified right "
              f"({100 * row['right'] / row['alerts']:.0f} %)")
    print(f"queries for spectra: {summary['queries']}")
    for name, count in sorted(summary["filters"].items()):
        print(f"  filter {name:20s} {count:6d} alerts")
    print(f"ledger: received {total['received']} = settled {total['settled']} + duplicate "
          f"{total['duplicate']} + dead {total['dead']} + in flight {total['in_flight']}: "
          f"{'balanced' if total['balanced'] else 'NOT BALANCED'}")
    for letter in summary["dead_letters"][:8]:
        print(f"  dead letter {letter.get('path') or letter.get('key')}: {letter.get('reason')}")
    if len(summary["dead_letters"]) > 8:
        print(f"  and {len(summary['dead_letters']) - 8} more: ./run up with the same --input, --schemas and "
              "--mappings, then build/bin/weft dlq ls")
    if summary["own_packets"]:
        print("classes of your own packets are those of a model that has only seen simulated ones"
              + ("" if summary["catalog"] else "; nothing is crossmatched without --catalog"))
    print(f"memory of all services, at most: {sum(summary['memory_mb'].values()):.0f} MB")
    print(f"""
Where to look next:
  {folder}/sinks/*.jsonl     what was told to whom, one JSON object a line
  {folder}/config/*.yaml     the configuration of each service
  {folder}/log/*.log         their logs, one JSON object a line
  ./run up                      the same mesh, in the background, to play with
  docs/ARCHITECTURE.md          one alert followed through the files""")


def main():
    options = parse()
    folder = ROOT / "build" / "demo"
    inputs = [str(pathlib.Path(p).resolve()) for p in options.input or []]
    for path in [*inputs, *filter(None, [options.catalog, options.mappings])]:
        if not pathlib.Path(path).exists():
            print(f"demo: there is no {path}", file=sys.stderr)
            return 2
    if options.json and not pathlib.Path(options.json).resolve().parent.is_dir():
        print(f"demo: there is no folder for {options.json}", file=sys.stderr)
        return 2
    if not inputs and options.alerts < 1:
        print("demo: --alerts wants at least 1", file=sys.stderr)
        return 2
    options.survey = survey_of(options)
    shutil.rmtree(folder, ignore_errors=True)
    mesh = Mesh(folder)
    night = folder / "night"
    if not inputs:
        print(f"simulating a night of {options.alerts} alerts (seed {options.seed}), {options.survey}",
              flush=True)
        inputs, options.schemas = simulate_survey(mesh, night, options.seed, options.alerts,
                                                  options.survey)
    print("training the classifier on another simulated season", flush=True)
    mesh.redis.start()
    try:
        models, said = publish_models(mesh, folder / "training", options.seed + 1000,
                                      options.survey)
        print("\n".join("  " + line for line in said), flush=True)
        return run_night(mesh, options, inputs, night, models)
    finally:
        mesh.kill_all()


def run_night(mesh, options, inputs, night, models):
    schemas = pathlib.Path(options.schemas).resolve() if options.schemas else None
    mesh.configure(options_for(mesh, inputs, schemas=schemas, rate=options.rate,
                               catalog=options.catalog or night / "catalog.csv",
                               filters=DEMO_FILTERS,
                               models=models, mappings=options.mappings))
    print("starting ingest, crossmatch, feature, classifier, active-learner, tom-notifier",
          flush=True)
    start = time.time()
    mesh.start()
    failed = progress(mesh, start)
    seconds = time.time() - start
    if failed:
        print(f"demo: {failed.ended()}", file=sys.stderr)
        return 1
    time.sleep(1.5)  # the learner and the notifier's queries follow each beat
    summary = summarise(mesh, options, list(sink_lines(mesh.folder / "sinks" / "all.jsonl")),
                        truth_of(night), seconds)
    codes = mesh.stop()
    show(summary, mesh.folder.relative_to(ROOT))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(summary, indent=1) + "\n")
    bad = [name for name, value in codes.items() if value]
    if bad:
        print(f"demo: these did not drain: {', '.join(bad)}", file=sys.stderr)
    return 0 if summary["alerts"] and summary["ledger"]["total"]["balanced"] and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
