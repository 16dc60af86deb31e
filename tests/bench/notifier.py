"""The notifier alone: 25 filters, payload and outbox, CPU per alert."""

import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build")
BUDGET = 25  # us per alert: 25 filters and outbox, docs/ARCHITECTURE.md


def bench_notifier(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run([BUILD / "tests" / "notifier_main", folder, "20000"],
                          stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        row = dict(json.loads(line), peer="", peer_value=None, ratio=None)
        if row["name"].startswith("notifier: 25 filters"):
            row.update(peer="budget", peer_value=BUDGET, ratio=round(row["value"] / BUDGET, 3))
        rows.append(row)
    return rows
