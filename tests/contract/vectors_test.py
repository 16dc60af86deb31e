#!/usr/bin/env python3
"""Golden vectors of the contracts against the Python classes.

Every good vector is read, gives the JSON beside it and the same bytes again;
every hostile one is refused with the name beside it. Uses Debian's
python3-msgpack; skips (77) without it.
"""

import json
import os
import sys

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
sys.path.insert(0, os.path.join(ROOT, "proto", "python"))

try:
    import msgpack  # noqa: F401
except ImportError:
    # Another Python may come first in PATH; Debian's has Debian's modules.
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and os.environ.get("WEFT_REEXEC") != "1":
        os.environ["WEFT_REEXEC"] = "1"
        os.execv(debian, [debian] + sys.argv)
    print("SKIP: no module msgpack (Debian: python3-msgpack)")
    sys.exit(77)

import weft_contracts as wc

# Where the bytes break off or break down, msgpack does not say which.
BROKEN = {"WEFT_ETRUNCATED", "WEFT_EMALFORMED"}


def check_good(cls, vector, data):
    record = cls.decode(data)
    assert wc.decode(data).json() == record.json()
    assert record.json() == vector["json"], "another JSON"
    expected = bytes.fromhex("".join(vector.get("canonical", vector["hex"])))
    assert record.encode() == expected, "other bytes"
    again = cls.from_json(vector["json"])
    assert again.encode() == expected, "other bytes by way of JSON"


def check_bad(cls, vector, data):
    try:
        cls.decode(data)
    except wc.Refused as refused:
        same = refused.name == vector["error"]
        broken = {refused.name, vector["error"]} <= BROKEN
        assert same or broken, f"{refused.name}, not {vector['error']}"
        return
    raise AssertionError("was not refused")


def check_file(cls, vectors):
    failures = 0
    for vector in vectors:
        data = bytes.fromhex("".join(vector["hex"]))
        try:
            if "error" in vector:
                check_bad(cls, vector, data)
            else:
                check_good(cls, vector, data)
                for n in range(len(data)):
                    check_bad(cls, {"error": "WEFT_ETRUNCATED"}, data[:n])
        except AssertionError as error:
            failures += 1
            print(f"FAILED: {cls.CONTRACT}: {vector['name']}: {error}")
    return failures


def main():
    folder = os.path.join(ROOT, "proto", "vectors")
    inner = {f.sub for cls in wc.contracts.values() for f in cls.FIELDS}
    failures = count = 0
    for name, cls in wc.contracts.items():
        path = os.path.join(folder, name + ".json")
        if not os.path.exists(path):
            if name not in inner:
                failures += 1
                print(f"FAILED: {name} has no vectors")
            continue
        with open(path, encoding="utf-8") as file:
            vectors = json.load(file)
        count += len(vectors)
        failures += check_file(cls, vectors)
    print(f"{count} vectors, {failures} failed")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main())
