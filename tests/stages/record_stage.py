#!/usr/bin/python3
"""A terminal stage that writes each alert.v1 as a line of JSON, as `weft peek`
prints it, with the source position in `path`."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../proto/python"))
import msgpack  # noqa: E402
import weft_contracts as wc  # noqa: E402
import weft_stage  # noqa: E402

FILTERS = ["u", "g", "r", "i", "z", "y", "zg", "zr", "zi"]


class Nothing:
    def encode(self):
        return msgpack.packb({"contract": "record.v1"})


def record(alert):
    envelope = wc.EnvelopeV1.decode(alert.frames[0])
    line = alert["alert.v1"].json()
    if line.get("band") is not None:
        line["filter"] = FILTERS[line["band"]]
    line["path"] = "%s/%d/%d" % (envelope.topic, envelope.partition, envelope.offset)
    with open(weft_stage.options["file"], "a") as f:
        f.write(json.dumps(line) + "\n")
    return Nothing()


if __name__ == "__main__":
    weft_stage.main(os.environ.get("WEFT_TEST_STAGE", "sink"), record, "alert.v1", "record.v1")
