#!/usr/bin/python3
"""test_pass in Python: adds a section; does what it is told on given ids."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../proto/python"))
import msgpack  # noqa: E402
import weft_contracts as wc  # noqa: E402
import weft_stage  # noqa: E402

GOLDEN = -1


class Section:
    def __init__(self, data):
        self.data = data

    def encode(self):
        return self.data


def listed(key, number):
    return str(number) in map(str, weft_stage.options.get(key, []))


def pass_on(alert):
    number = wc.EnvelopeV1.decode(alert.frames[0]).alert_id
    if listed("crash", number):
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(weft_stage.options.get("seconds", 0) if number >= 0 else 0)
    while listed("hang", number):
        time.sleep(60)
    if listed("reject", number) or weft_stage.options.get("broken"):
        raise ValueError(f"told to reject {number}")
    if listed("crash", GOLDEN):
        raise ValueError("broken")
    return Section(msgpack.packb({"contract": "pass.v1", "id": number}))


GOLDEN_ALERT = wc.EnvelopeV1(
    survey="ztf", alert_id=GOLDEN, object_id="golden", topic="golden",
    partition=0, offset=0, night=0, t_obs=0.0, t_received=0.0)

if __name__ == "__main__":
    weft_stage.main(os.environ.get("WEFT_TEST_STAGE", "pass"), pass_on,
                    "alert.v1", "pass.v1", [GOLDEN_ALERT])
