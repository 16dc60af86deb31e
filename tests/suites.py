"""ctest, test by test: what run_tests.py and ci.py both need.

Nothing is ever tried again: a test that fails sometimes has failed.
"""

import subprocess
import xml.etree.ElementTree as ElementTree
from collections import namedtuple

LAST_LINES = 60  # of a failed test's output

Case = namedtuple("Case", "name verdict seconds text")


def skip_reason(text):
    """The line that says why: tests print one that begins with SKIP."""
    for line in (text or "").splitlines():
        if "SKIP" in line or "skipped" in line:
            return line.strip()
    return "no reason given"


def parts_left_out(case):
    """What a test that passed has skipped of itself, a reason each."""
    return [line.strip() for line in case.text.splitlines()
            if case.verdict == "passed" and line.strip().startswith("SKIP")]


def run(build, selection, env=None, timeout=None):
    """Runs ctest; returns its cases, or the reason why there are none. Only a
    test that said so itself (exit 77) is a skip: one that is not there failed."""
    report = build / "ctest.xml"
    report.unlink(missing_ok=True)
    try:
        subprocess.run(["ctest", "--test-dir", str(build), "-j2", "-Q", *selection,
                        "--output-junit", str(report)], env=env, timeout=timeout, check=False,
                       stdin=subprocess.DEVNULL)
        found = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (subprocess.TimeoutExpired, OSError, ElementTree.ParseError) as why:
        return [], f"ctest wrote no report: {why}"
    return [to_case(c) for c in found], None if found else "there are no tests"


def to_case(found):
    text = found.findtext("system-out") or ""
    skipped = found.find("skipped")
    if found.get("status") == "run":
        verdict = "passed"
    elif skipped is not None and skipped.get("message", "").startswith("SKIP_RETURN_CODE"):
        verdict = "skipped"
    else:
        verdict = "failed"
        text = text or (skipped.get("message", "") if skipped is not None else "")
    return Case(found.get("name"), verdict, float(found.get("time", 0)), text)


def last_words(name, case):
    """What a failed test said last, for whoever was not there."""
    lines = (case.text.strip() or "it said nothing").splitlines()[-LAST_LINES:]
    return (f"--- {name}{case.name} failed after {case.seconds:.1f} s, its last lines:\n"
            + "\n".join("  | " + line[:400] for line in lines))
