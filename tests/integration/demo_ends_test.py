#!/usr/bin/env python3
"""What ends at its start ends ./run demo and ./run up too, with its own words: a
catalogue of other columns once left a night that never settled."""

import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.abspath("tests/mesh"))
import demo  # noqa: E402
from mesh import Mesh, last_error  # noqa: E402
from night import options_for, simulate  # noqa: E402


def starts(mesh):
    """A whole mesh over a few packets, with a catalogue whose columns have other names."""
    folder = mesh.folder
    simulate(mesh, folder / "night", 1, 20)
    catalog = folder / "gcvs.csv"
    catalog.write_text("ra,dec,VarType\n10.0,20.0,RRAB\n")
    mesh.redis.start()
    mesh.configure(options_for(mesh, [str(folder / "night" / "alerts")], catalog=catalog))
    mesh.start()


def is_told(text, mesh):
    assert text.startswith("crossmatch-0 ended: "), text
    assert 'no column "id"' in text, text
    assert text.endswith(f"see {mesh.folder}/log/crossmatch-0.log"), text


def a_service_that_ended_ends_what_waits_for_it(folder):
    mesh = Mesh(folder)
    try:
        starts(mesh)
        failed = demo.progress(mesh, time.time())
        assert failed is not None, "the night went on without crossmatch"
        is_told(failed.ended(), mesh)
        try:
            mesh.wait_ready()
        except SystemExit as said:
            is_told(str(said), mesh)
        else:
            raise AssertionError("a mesh without crossmatch is ready")
    finally:
        mesh.kill_all()


def the_last_error_is_the_one(folder):
    log = folder / "said.txt"
    for text, last in (("", "nothing is said"), ("no such option\n", "no such option"),
                       ('{"level":"error","text":"one"}\n{"level":"error","text":"two"}\n'
                        '{"id":"STAGE-STATE","level":"error","text":"ERROR"}\n'
                        '{"level":"info","text":"three"}\nfour\n', "two")):
        log.write_text(text)
        assert last_error(log) == last, last_error(log)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-demo-"))
    try:
        the_last_error_is_the_one(folder)
        a_service_that_ended_ends_what_waits_for_it(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
