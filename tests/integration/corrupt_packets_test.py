#!/usr/bin/env python3
"""Every damaged or unreadable packet of the packs is refused, each with a reason
that says what is wrong with it."""

import json
import os
import subprocess
import sys

BUILD = os.environ.get("WEFT_BUILD", "build/debug")
WEFT = os.path.join(os.environ.get("WEFT_BIN", os.path.join(BUILD, "bin")), "weft")
UNPACK = "../shared/data/unpack"

SHORT = ("container: ends before the sync marker of block 1, bytes are missing (cut short, or line ends "
         "converted?)")
SHIFTED = "container: no sync marker after block 1, bytes were lost or changed (line ends converted?)"
EMPTY = "container: no record in it"
BARE = ("neither an Avro container (Obj 01) nor a Confluent-framed message (00, schema id); the schema of a bare "
        "datum is not guessed")
TWICE = "lsst.alert: schema: defined twice: type lsst.alert.diaSource"

# The end of the file's path, and why.
MALFORMED = {
    "ipac/121540793515135009.avro": SHORT,
    "uli/test_alerts_Ia_Hsiao_v2_52.avro": SHORT,
    "uli/test_alerts_Ia_Hsiao_v2_53.avro": SHIFTED,
    "uli/test_alerts_Ia_Hsiao_v2_54.avro": SHORT,
    "uli/test_alerts_Ia_Hsiao_v2_55.avro": SHORT,
    "ztf_public_20180601/516434762915010006.avro": SHORT,
    "ztf_public_20180601/516442330015015017.avro": SHORT,
    "empty_ocf_2_part-00000-44467dbc-a497-4ffe-a640-fc3aad8d5b30-c000.avro": EMPTY,
}
NATIVE = {
    "data/87704463155000.021f713c.avro": BARE,
    "data/87704463155001.2b81bde5.avro": BARE,
    "data/87704463155002.f3a38f6a.avro": BARE,
    "alert_mjd60563.1120_obj104044681_src208089362038.avro": BARE,
    "alert_packet/data/fakeAlert.avro": BARE,
    "schema/2/0/sample_data/fakeAlert.avro": BARE,
    "unit/pipeline/ingest/msg.avro": BARE,
    "schemas/template_schema_LSST.avro": TWICE,
}


def refused(data, packs):
    """path -> reason of all that is refused, and how many were decoded."""
    done = subprocess.run([WEFT, "peek", "--schemas", os.path.join(data, "schemas"),
                           *[os.path.join(data, pack) for pack in packs]], stdout=subprocess.PIPE, check=False)
    assert done.returncode == 3, done.returncode
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {r["path"]: r["refused"] for r in rows if "refused" in r}, sum("refused" not in r for r in rows)


def compare(found, want):
    for end, reason in want.items():
        said = [why for path, why in found.items() if path.endswith(end)]
        assert said == [reason], (end, said)
    others = [path for path in found if not path.endswith(tuple(want))]
    assert not others, {path: found[path] for path in others}


def main():
    if not os.path.exists(UNPACK):
        print("SKIP: no data packs in ../shared/data")
        return 77
    data = os.path.join(BUILD, "data")
    subprocess.run([UNPACK, data, "malformed", "ztf_native", "lsst_native", "schemas"], check=True,
                   stdout=subprocess.DEVNULL)
    found, decoded = refused(data, ["malformed"])
    compare(found, MALFORMED)
    assert decoded == 0, decoded
    found, decoded = refused(data, ["ztf_native", "lsst_native"])
    compare(found, NATIVE)
    assert decoded >= 597, decoded
    return 0


if __name__ == "__main__":
    sys.exit(main())
