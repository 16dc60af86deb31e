#!/usr/bin/env python3
"""What .ci/run does, step by step; each step counts as tests of its own.

Steps can be named to run only these: `.ci/run static asan`.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

import suites

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "fuzz"))
import corpus  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"


class Count:
    """Shared by the lanes that run side by side."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def add(self, passed=0, failed=0, skipped=0):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped

    def note(self, name, verdict, detail="", seconds=0.0):
        self.add(**{verdict: 1})
        word = {"passed": "ok  ", "failed": "FAIL", "skipped": "SKIP"}[verdict]
        print(f"{word} {name} ({seconds:.0f} s){': ' + detail if detail else ''}", flush=True)


COUNT = Count()

# What only computes takes the time that the suites leave: a test that waits
# for something is never behind it.
BEHIND = ["chrt", "--idle", "0"]


def command(name, words, timeout, env=None, tail=60):
    """Runs one command as one test; returns its output, None if it failed."""
    start = time.time()
    try:
        result = subprocess.run([str(w) for w in words], cwd=ROOT, timeout=timeout, text=True,
                                errors="replace", env={**os.environ, **(env or {})},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        text, code = result.stdout, result.returncode
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
        text = out if isinstance(out, str) else out.decode(errors="replace")
        text, code = text + f"\nnot done after {timeout} s", -1
    except FileNotFoundError:
        COUNT.note(name, "skipped", f"{words[0]} is not installed")
        return None
    seconds = time.time() - start
    lines = text.strip().splitlines()
    if code == 77:
        why = next((l for l in lines if "SKIP" in l), "no reason given")
        COUNT.note(name, "skipped", why, seconds)
    elif code:
        print("\n".join(lines[-tail:]), flush=True)
        COUNT.note(name, "failed", f"exit {code}", seconds)
        return None
    else:
        COUNT.note(name, "passed", lines[-1][:200] if lines else "", seconds)
    return text


def step_test():
    """./run test, the command of the README; its own counts are taken over."""
    start = time.time()
    process = subprocess.Popen(["./run", "test"], cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                               errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    last = ""
    for line in process.stdout:
        if re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", line.strip()):
            last = line.strip()
        else:
            print("  " + line, end="", flush=True)
    code = process.wait()
    found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    if found:
        COUNT.add(*map(int, found.groups()))
    if code or not found:
        COUNT.note("./run test", "failed", f"exit {code}, {last or 'no closing line'}",
                   time.time() - start)
    else:
        print(f"ok   ./run test ({time.time() - start:.0f} s): {last}", flush=True)


def sources(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, check=True).stdout.split()
    return [name for name in listed if (ROOT / name).exists()]


def step_static():
    command("clang-format", ["clang-format", "--dry-run", "-Werror", *sources("*.c", "*.h")], 120)
    command("shellcheck", ["shellcheck", "run", ".ci/run", *sources("*.sh")], 60)
    product = sources("libcommon/*.c", "services/*.c")
    command("cppcheck", [*BEHIND, "cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "-j2",
                         "--std=c11", "--enable=warning,portability", "--library=posix",
                         "--suppress=missingIncludeSystem", "--suppress=unknownMacro",
                         "--suppressions-list=.cppcheck", "-DWEFT_VERSION=\"0\"",
                         *[f"-I{d}" for d in include_folders()], *product], 900)
    if shutil.which("clang-tidy"):
        command("clang-tidy", [*BEHIND, "sh", "-c", "printf '%s\\n' " + " ".join(product) +
                               " | xargs -P2 -n8 clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p build 2>/dev/null"], 1800)
    else:
        COUNT.note("clang-tidy", "skipped", "clang-tidy is not installed")


def include_folders():
    return ["."] + sorted({str(p.relative_to(ROOT)) for p in ROOT.glob("libcommon/*")}
                          | {str(p.relative_to(ROOT)) for p in ROOT.glob("services/*")})


def suite(name, build, env, selection, timeout=1500):
    """Much of ctest as one test; whatever fails says why."""
    start = time.time()
    cases, why = suites.run(build, selection, {**os.environ, **env}, timeout)
    failed = [c for c in cases if c.verdict == "failed"]
    for case in failed:
        print(suites.last_words(f"{name}: ", case), flush=True)
    for case in cases:
        if case.verdict == "skipped":
            print(f"  skipped in {name}: {case.name}: {suites.skip_reason(case.text)}", flush=True)
        for why in suites.parts_left_out(case):
            print(f"  skipped in {name}: {case.name}, a part: {why}", flush=True)
    COUNT.note(name, "failed" if failed or why else "passed",
               why or ", ".join(c.name for c in failed) or f"{len(cases)} tests",
               time.time() - start)


class Once:
    """A build that several ask for; the first one makes it."""

    def __init__(self, preset):
        self.preset, self.done, self.good = preset, False, False
        self.lock = threading.Lock()

    def get(self):
        with self.lock:
            if not self.done:
                make = f"cmake --preset {self.preset} && cmake --build --preset {self.preset}"
                self.good = command(f"{self.preset}/build", [*BEHIND, "sh", "-c", make],
                                    1800) is not None
                self.done = True
        return self.good


BUILDS = {preset: Once(preset) for preset in ("asan", "tsan", "fuzz")}

# Every sample packet against fastavro takes minutes of Python; under the
# sanitizers the same packets go through our own code only.
WHOLE = ["-E", "fastavro"]
# Everything in C, and the scripts in which all six services and every sink
# meet; `.ci/run asan-whole tsan-whole` runs the others too.
SHORT = ["-R", "^(unit|contract|regress)/|integration/(weft_|registry|mesh_chain|mesh_describe|"
         "mesh_loop|mesh_notifier|mesh_packs|mesh_tap|packet_store)", *WHOLE]


def sanitized(preset, selection):
    if not BUILDS[preset].get():
        return
    env, build = SANITIZERS[preset], BUILD / preset
    suite(f"{preset}/suite", build, env, selection)
    command(f"{preset}/sample-packets", ["tests/peek_samples.sh", build], 300, env)
    command(f"{preset}/simulation", [build / "tests" / "sim_main", "--seconds", "10"], 120, env)
    command(f"{preset}/chaos", [sys.executable, "tests/chaos/chaos.py", "--seconds", "15", "--rate",
                                "100", "--act", "poison-and-kills", "--interval", "2",
                                "--folder", BUILD / f"chaos-{preset}"],
            400, {**env, "WEFT_BUILD": str(build)})


SANITIZERS = {
    "asan": {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
             "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
    "tsan": {"TSAN_OPTIONS": f"halt_on_error=1:suppressions={ROOT / 'tests' / 'tsan.supp'}"},
}


def seed_with_vectors(corpus):
    """The golden vectors of the contracts, good and hostile, as first inputs."""
    for path in sorted((ROOT / "proto" / "vectors").glob("*.json")):
        for number, vector in enumerate(json.loads(path.read_text())):
            text = vector["hex"]
            text = text if isinstance(text, str) else "".join(text)
            (corpus / f"{path.stem}-{number}").write_bytes(bytes.fromhex(text))


def run_fuzzer(fuzzer, environment):
    corpus = BUILD / "fuzz" / "corpus" / fuzzer.name
    corpus.mkdir(parents=True, exist_ok=True)
    if fuzzer.name == "contract_fuzz":
        seed_with_vectors(corpus)
    seeds = ROOT / "tests" / "fuzz" / "seeds" / fuzzer.name
    command(f"fuzz/{fuzzer.name}", [*BEHIND, fuzzer, "-max_total_time=60", "-timeout=120",
                                    "-rss_limit_mb=3000", "-print_final_stats=1", corpus,
                                    *([seeds] if seeds.exists() else [])], 400, environment)


def step_fuzz():
    """Each fuzzer is a piece of work of its own, for 60 s."""
    if not shutil.which("clang"):
        COUNT.note("fuzz", "skipped", "clang is not installed")
        return []
    if not BUILDS["fuzz"].get():
        return []
    fuzzers = sorted((BUILD / "fuzz" / "fuzzers").glob("*_fuzz"))
    environment, packs = corpus.make(BUILD / "bin" / "weft", BUILD / "fuzz" / "corpus")
    if not packs:
        COUNT.note("fuzz/sample-packets", "skipped", "SKIP: no data packs in ../shared/data: simulated ones only")
    return [lambda f=f: run_fuzzer(f, environment) for f in fuzzers]


def step_simulation():
    seed = int.from_bytes(os.urandom(4), "little")
    command(f"simulation/60-seconds seed {seed}",
            [*BEHIND, BUILD / "tests" / "sim_main", "--seconds", "60", "--seed", seed], 200)


def step_chaos():
    chaos = [sys.executable, "tests/chaos/chaos.py"]
    command("chaos/kill-unpaced", [*chaos, "--seconds", "120"], 600)
    command("chaos/kill-500-per-s", [*chaos, "--seconds", "120", "--rate", "500"], 600)
    acts = ("stop", "redis-kill", "redis-empty", "branch-down", "poison-crash", "poison-hang",
            "fifty-rejects", "bad-replica", "all-reject", "upstream-restarts", "replay",
            "redis-and-ingest", "redis-hangs", "redis-full", "storm", "rotate", "swap", "cluster")
    side_by_side([lambda act=act: command(
        f"chaos/{act}", [*chaos, "--act", act, "--seconds", "20", "--rate", "300",
                         "--folder", BUILD / f"chaos-{act}"], 300) and None for act in acts], 3)


def step_kafka():
    """ingest and a real Kafka; without Java and Maven nothing of it was tested."""
    tests = {"ingest": "kafka_test.py", "secure": "secure_test.py", "schemas": "schemas_test.py",
             "schema-pause": "schema_pause_test.py"}
    #  Each has a Kafka of its own, and waits for it much of the time.
    side_by_side([lambda name=name, script=script: command(
        f"kafka/{name}", [sys.executable, f"tests/kafka/{script}"], 600,
        {"WEFT_BUILD": str(BUILD)}) and None for name, script in tests.items()])
    command("kafka/chaos", [sys.executable, "tests/chaos/kafka_chaos.py", "--seconds", "30", "--rate",
                            "150"], 600, {"WEFT_BUILD": str(BUILD)})
    #  Eleven more processes than the others, and builds beside them: the window is wider.
    command("kafka/chaos-of-clusters",
            [sys.executable, "tests/chaos/kafka_chaos.py", "--seconds", "40", "--rate", "150", "--brokers", "3",
             "--redis-cluster", "--window", "30", "--folder", BUILD / "chaos-clusters"], 600, {"WEFT_BUILD": str(BUILD)})


def step_builds():
    for name in ("asan", "tsan"):
        BUILDS[name].get()


def step_fresh():
    """One after the other: they share the container engine."""
    command("fresh/debian-12", ["tests/fresh/fresh.sh", "bookworm"], 1500)
    command("fresh/debian-13", ["tests/fresh/fresh.sh", "trixie"], 1500)


def step_containers():
    """A skip is loud here: without an engine nothing of compose was tested."""
    command("containers/compose", ["tests/containers/containers.sh"], 900)


# One after the other, with the machine to themselves as far as they want it.
FRONT = {"test": step_test, "chaos": step_chaos, "kafka": step_kafka,
         "containers": step_containers,
         "asan": lambda: sanitized("asan", SHORT), "tsan": lambda: sanitized("tsan", SHORT),
         "sanitizers": lambda: side_by_side([lambda: sanitized("asan", SHORT), lambda: sanitized("tsan", SHORT)])}
# Beside them, two at a time.
BESIDE = {"builds": step_builds, "static": step_static, "fuzz": step_fuzz, "fresh": step_fresh,
          "simulation": step_simulation}
# Only when they are named.
NAMED = {"asan-whole": lambda: sanitized("asan", WHOLE),
         "tsan-whole": lambda: sanitized("tsan", WHOLE)}
STEPS = {**FRONT, **BESIDE, **NAMED}


def side_by_side(work, count=2):
    """A few workers over one list; a piece of work may return more of it."""
    work, busy, change = list(work), 0, threading.Condition()

    def worker():
        nonlocal busy
        while True:
            with change:
                change.wait_for(lambda: work or not busy)
                if not work:
                    return
                piece = work.pop(0)
                busy += 1
            try:
                more = piece() or []
            except Exception as error:  # pylint: disable=broad-except
                more = []
                COUNT.note("ci", "failed", f"{type(error).__name__}: {error}")
            with change:
                work.extend(more)
                busy -= 1
                change.notify_all()

    workers = [threading.Thread(target=worker) for _ in range(count)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()


def main():
    start = time.time()
    #  The two sanitizers' suites wait much of their time.
    names = sys.argv[1:] or [name for name in (*FRONT, *BESIDE) if name not in ("asan", "tsan")]
    unknown = [n for n in names if n not in STEPS]
    if unknown:
        print(f"ci: there is no step '{unknown[0]}'; there are {', '.join(STEPS)}")
        return 2
    # It installs what all steps need.
    strict = "./run build && cmake build -DWEFT_WERROR=ON >/dev/null && ./run build"
    if command("werror/build", ["sh", "-c", strict], 1800, {"WEFT_WERROR": "ON"}) is None:
        print(f"{COUNT.passed} passed, {COUNT.failed} failed, {COUNT.skipped} skipped")
        return 1
    beside = threading.Thread(target=side_by_side,
                              args=([STEPS[name] for name in names if name in BESIDE],))
    beside.start()
    for name in names:
        if name not in BESIDE:
            STEPS[name]()
    beside.join()
    print(f"ci: {time.time() - start:.0f} s")
    print(f"{COUNT.passed} passed, {COUNT.failed} failed, {COUNT.skipped} skipped")
    return 1 if COUNT.failed or not COUNT.passed else 0


if __name__ == "__main__":
    sys.exit(main())
