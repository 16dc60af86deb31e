#!/usr/bin/env python3
"""The mesh of compose/compose.yaml in real containers, while things happen.

Called by containers.sh. All healthy; then, while alerts flow: a stage scaled
up and down, random containers killed, the classifier swapped for its Python
twin and back; then the rest of the night at full speed, a balanced ledger, and
a polite end. Who was lost is decided here, from the input's own ids and the
sink's lines.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SERVICES = ["ingest", "crossmatch", "feature", "classifier", "active-learner", "tom-notifier"]
LIMIT = 180  # seconds for anything that happens in a few on an idle machine


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", required=True)
    parser.add_argument("--clone", required=True, type=pathlib.Path)
    parser.add_argument("--alerts", type=int, default=40000)
    parser.add_argument("--rate", type=float, default=100, help="alerts/s while things happen")
    parser.add_argument("--seconds", type=float, default=60, help="of kills")
    parser.add_argument("--interval", type=float, default=2.5, help="seconds between kills")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("compose", nargs="+", help="the command, after --")
    return parser.parse_args()


class Failed(Exception):
    pass


def say(text):
    print(text, flush=True)


def docker(*words, check=True):
    result = subprocess.run(["docker", *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    if check and result.returncode:
        raise Failed(f"docker {' '.join(words)}: {result.stderr.strip()}")
    return result.stdout


class Project:
    """The compose project: its commands, its containers, its volumes."""

    def __init__(self, options):
        self.options = options
        self.name = options.project
        self.overlays = []
        self.environment = {"WEFT_ALERTS": str(options.alerts), "WEFT_RATE": f"{options.rate:g}"}

    def compose(self, *words, check=True):
        folder = self.options.clone / "compose"
        files = [folder / "compose.yaml", HERE / "redis.yaml", *self.overlays]
        command = [*self.options.compose, "--ansi", "never", "-p", self.name]
        for file in files:
            command += ["-f", str(file)]
        result = subprocess.run([*command, *words], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**os.environ, **self.environment})
        if check and result.returncode:
            raise Failed(f"compose {' '.join(words)}: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def containers(self, service=None):
        """What there is of a service, by container id: docker's own words."""
        labels = ["--filter", f"label=com.docker.compose.project={self.name}"]
        if service:
            labels += ["--filter", f"label=com.docker.compose.service={service}"]
        ids = docker("ps", "-aq", *labels).split()
        return json.loads(docker("inspect", *ids, check=False) or "[]") if ids else []

    def healthy(self, service, count=1):
        found = self.containers(service)
        return len(found) == count and all(
            c["State"].get("Health", {}).get("Status") == "healthy" for c in found)

    def path(self, volume):
        return pathlib.Path(docker("volume", "inspect", "-f", "{{.Mountpoint}}",
                                   f"{self.name}_{volume}").strip())

    def sink_size(self):
        path = self.path("notifier") / "all.jsonl"
        return path.stat().st_size if path.exists() else 0

    def ledger(self):
        found = self.containers("feature")
        text = docker("exec", found[0]["Id"], "weft", "ledger", "--json",
                      check=False) if found else ""
        try:
            return json.loads(text)["total"]
        except ValueError:
            return None


def wait_for(what, true, limit=LIMIT):
    """Seconds until `true` says so."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > limit:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(0.3)
    return time.monotonic() - start


def wait_flow(project, what):
    """Alerts reach the sink after now, and more are to come."""
    before = project.sink_size()
    wait_for(f"{what}: alerts reach the sink", lambda: project.sink_size() > before)
    total = project.ledger()
    if total and total["received"] >= project.options.alerts:
        raise Failed(f"{what}: the night was over before that; this machine is too slow for "
                     f"{project.options.alerts} alerts at {project.options.rate:g}/s")


def act_healthy(project):
    start = time.monotonic()
    project.compose("up", "-d")
    for service in SERVICES:
        wait_for(f"{service} is healthy", lambda: project.healthy(service))
    seconds = time.monotonic() - start
    say(f"all healthy {seconds:.0f} s after the build")
    wait_flow(project, "start")


def act_scale(project):
    for count in (4, 1, 3):
        project.compose("up", "-d", "--no-recreate", "--scale", f"feature={count}")
        seconds = wait_for(f"feature={count}", lambda: project.healthy("feature", count))
        wait_flow(project, f"feature={count}")
        say(f"scaled to feature={count}: healthy after {seconds:.1f} s")


def act_keys(project):
    """Each service gets a new key, and the old ones are taken out."""
    for step in ("--rotate", "--retire"):
        project.compose("run", "--rm", "keys", "weft", "keys", step, "/keys")
        project.compose("kill", "-s", "HUP", *SERVICES)
        wait_flow(project, f"keys {step}")
    say("keys rotated and retired under load")


class Killer:
    """Two ways to die: `docker kill`, which is final for the engine, and
    SIGKILL from outside, which the restart policy answers."""

    def __init__(self, project, rng):
        self.project, self.rng = project, rng
        self.kills = {}
        self.own = 0
        self.last = {}

    def kill(self, container):
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        self.kills[service] = self.kills.get(service, 0) + 1
        if self.rng.random() < 0.5:
            docker("kill", container["Id"])
            time.sleep(self.rng.random())
            docker("start", container["Id"])
        else:
            os.kill(container["State"]["Pid"], signal.SIGKILL)
            wait_for(f"{service} is restarted by its policy", lambda: self.is_new(container))
            self.own += 1

    @staticmethod
    def is_new(container):
        state = json.loads(docker("inspect", container["Id"]))[0]["State"]
        return state["Running"] and state["Pid"] not in (0, container["State"]["Pid"])

    def one(self, services):
        running = [c for c in self.project.containers() if c["State"]["Running"] and
                   c["Config"]["Labels"]["com.docker.compose.service"] in services]
        self.kill(self.rng.choice(running))


def act_kills(project, rng):
    options = project.options
    killer = Killer(project, rng)
    start = time.monotonic()
    redis_at = [options.seconds / 3, 2 * options.seconds / 3]
    while time.monotonic() - start < options.seconds:
        time.sleep(options.interval)
        if redis_at and time.monotonic() - start > redis_at[0]:
            # What Redis has acknowledged in its last seconds lives in the
            # memory of its clients: they are not killed together.
            redis_at.pop(0)
            time.sleep(5)
            killer.one(["redis"])
            time.sleep(5)
        else:
            killer.one(SERVICES)
    wait_flow(project, "after the kills")
    say(f"{sum(killer.kills.values())} kills in {time.monotonic() - start:.0f} s, {killer.own} of them "
        "restarted by policy: " + ", ".join(f"{s} {n}" for s, n in sorted(killer.kills.items())))


def image_of(project, service):
    return [c["Config"]["Image"] for c in project.containers(service)]


def act_swap(project):
    overlay = project.options.clone / "compose" / "python-classifier.yaml"
    for overlays, image in (([overlay], f"{project.name}-python"), ([], project.name)):
        project.overlays = overlays
        start = time.monotonic()
        project.compose("up", "-d", "--no-deps", "classifier")
        wait_for("the other classifier is healthy", lambda: project.healthy("classifier"))
        if image_of(project, "classifier") != [image]:
            raise Failed(f"the classifier is {image_of(project, 'classifier')}, not {image}")
        wait_flow(project, f"classifier from {image}")
        say(f"classifier from {image.replace(project.name, 'weft')}: flows after "
            f"{time.monotonic() - start:.0f} s")


def act_rest(project):
    """The rate is an option, too: the rest as fast as it goes."""
    project.environment["WEFT_RATE"] = "0"
    project.compose("up", "-d", "--no-deps", "ingest")
    packets = sum(1 for _ in (project.path("night") / "season" / "alerts").rglob("*.avro"))
    last, since = 0, time.monotonic()
    while True:
        total = project.ledger() or {}
        if total.get("received") == packets and total["in_flight"] == 0:
            return total
        if total.get("settled", 0) != last:
            last, since = total["settled"], time.monotonic()
        if time.monotonic() - since > LIMIT:
            raise Failed(f"no progress in {LIMIT} s: {packets} packets, {total}")
        time.sleep(1)


def act_judge(project, total):
    """From outside: the ids of the input against the lines of the sink."""
    with open(project.path("night") / "season" / "truth.csv", newline="") as f:
        expected = [row["alert_id"] for row in csv.DictReader(f)]
    counts, keys, python, lines = {}, set(), 0, 0
    with open(project.path("notifier") / "all.jsonl", "rb") as f:
        for text in f:
            line = json.loads(text)
            keys.add(line["key"])
            lines += 1
            if not line.get("event"):  # a class flip is told beside the alert
                counts[line["alert_id"]] = counts.get(line["alert_id"], 0) + 1
            python += any(s["model"] == "baseline" for s in line.get("scores") or [])
    lost = [i for i in expected if i not in counts]
    twice = [i for i, n in counts.items() if n > 1]
    if lines != len(keys):
        raise Failed(f"{lines - len(keys)} lines of the sink have a key that was there before")
    say(f"{len(expected)} alerts: {len(lost)} lost, {len(twice)} twice, {python} scored in Python; "
        f"ledger: received {total['received']} = settled {total['settled']} + duplicate "
        f"{total['duplicate']} + dead {total['dead']}, balanced {total['balanced']}")
    if lost or twice or total["dead"] or not total["balanced"]:
        raise Failed(f"lost {lost[:5]}, twice {twice[:5]}")
    return python


def act_stop(project):
    """SIGTERM reaches the programs, and they drain: exit code 0 everywhere."""
    start = time.monotonic()
    project.compose("stop")
    codes = {c["Name"].lstrip("/"): c["State"]["ExitCode"] for c in project.containers()}
    say(f"stopped in {time.monotonic() - start:.0f} s")
    bad = {name: code for name, code in codes.items() if code}
    if bad:
        raise Failed(f"exit codes: {bad}")


def tell(project):
    """What a person would look at after a failure."""
    say(project.compose("ps", "-a", check=False))
    say(project.compose("logs", "--no-color", "--tail", "12", check=False)[-6000:])


def run(project, rng):
    start = time.monotonic()
    project.compose("build")
    say(f"images built in {time.monotonic() - start:.0f} s")
    act_healthy(project)
    act_scale(project)
    act_keys(project)
    act_kills(project, rng)
    swap = (project.options.clone / "compose" / "python-classifier.yaml").exists()
    if swap:
        act_swap(project)
    python = act_judge(project, act_rest(project))
    if swap and not python:
        raise Failed("no alert was scored by the Python classifier")
    act_stop(project)


def main():
    options = parse()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little")
    say(f"containers: seed {seed}, {options.alerts} alerts")
    project = Project(options)
    start = time.monotonic()
    try:
        run(project, random.Random(seed))
    except Failed as why:
        tell(project)
        say(f"FAILED: {why}")
        return 1
    say(f"containers: 0 lost, 0 twice, in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
