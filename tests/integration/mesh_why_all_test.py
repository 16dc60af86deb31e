#!/usr/bin/env python3
"""`weft why` agrees with what the filters did, on every alert of a night.

A simulated night through all six services with the demo's five filters; then
each filter is asked about each alert, and its answer compared with the rows in
the sinks. WEFT_WHY_ALERTS says how many (default 2000: 10,000 answers).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mesh"))
from mesh import Mesh, sink_lines  # noqa: E402
from night import DEMO_FILTERS, options_for, publish_model, simulate  # noqa: E402

ALERTS = int(os.environ.get("WEFT_WHY_ALERTS", "2000"))


def settle_a_night(mesh):
    night = mesh.folder / "night"
    simulate(mesh, night, 3, ALERTS)
    mesh.redis.start()
    publish_model(mesh, mesh.folder / "training", 1003, 2000)
    options = options_for(mesh, [str(night / "alerts")], catalog=night / "catalog.csv",
                          filters=DEMO_FILTERS)
    #  The simulated season passes in seconds: all of it is to be remembered.
    options["tom-notifier"]["record_nights"] = 1000
    mesh.configure(options)
    mesh.start()
    mesh.of("ingest")[0].wait(300)
    mesh.stop()


def ask(mesh, name, alerts):
    """The answer of each alert, in order."""
    outbox = next(mesh.folder.rglob("outbox.db"))
    done = subprocess.run([mesh.build / "bin" / "weft", "why", name, "-", "--json", "--outbox",
                           outbox], input="\n".join(alerts), text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, f"weft why {name}: exit {done.returncode}: {done.stderr[-500:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def verdict_of(answer):
    """What the conditions as printed amount to: all of them are true."""
    return "yes" if all(c["verdict"] == "true" for c in answer["conditions"]) else "no"


def main():
    with tempfile.TemporaryDirectory(prefix="weft-why-") as folder:
        mesh = Mesh(pathlib.Path(folder))
        try:
            settle_a_night(mesh)
            told = {}
            for sink in ("all", "science"):
                for line in sink_lines(mesh.folder / "sinks" / f"{sink}.jsonl"):
                    #  Of class flips, those hear who were told otherwise before.
                    if line.get("event") != "class_flip":
                        told.setdefault(line["filter"], set()).add(str(line["alert_id"]))
            alerts = sorted(told["everything"])
            assert len(alerts) > 0.9 * ALERTS, f"{len(alerts)} of {ALERTS} alerts were told"
            wrong, yes, asked = [], {}, 0
            for name in (f["name"] for f in DEMO_FILTERS):
                for alert, answer in zip(alerts, ask(mesh, name, alerts), strict=True):
                    did = "yes" if alert in told.get(name, ()) else "no"
                    said = {answer["then"], answer["verdict"], verdict_of(answer)}
                    asked += 1
                    yes[name] = yes.get(name, 0) + (did == "yes")
                    if answer["alert_id"] != alert or said != {did}:
                        wrong.append((name, alert, did, answer))
            assert not wrong, f"{len(wrong)} answers differ, first: {wrong[0]}"
            few = [n for n, k in yes.items() if n != "everything" and not 0 < k < len(alerts)]
            assert not few, f"these filters tell nothing: {yes}"
            print(f"{asked} answers of {len(alerts)} alerts and {len(yes)} filters agree; "
                  f"sent: {yes}")
        finally:
            mesh.kill_all()


if __name__ == "__main__":
    main()
