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


def ingest_alone(folder, inputs, until, **more):
    """Starts ingest with these options: it, and what `until` gave that was true."""
    mesh = Mesh(folder)
    mesh.redis.start()
    try:
        mesh.configure(options_for(mesh, [str(inputs)], **more))
        ingest = mesh.of("ingest")[0]
        ingest.start()
        end = time.time() + 300
        while time.time() < end:
            found = until(mesh, ingest)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError("nothing comes of it: " + ingest.log.read_text())
    finally:
        mesh.kill_all()


def three_letters(mesh, _):
    letters = demo.dead_letters(mesh)
    return letters if len(letters) == 3 else None


def what_packets_lack_is_said(folder):
    """Framed ones want schemas, those of an unknown survey a mapping; others none."""
    simulate(Mesh(folder), folder / "lsst", 1, 3, "--survey", "lsst")
    letters = ingest_alone(folder / "framed", folder / "lsst" / "alerts", three_letters)
    assert "want --schemas DIR" in demo.wanted(letters), letters
    unknown = {"reason": "schema x is of no survey that Weft knows, and no mapping file says whose"}
    assert "wants --mappings DIR" in demo.wanted([unknown])
    assert demo.wanted([{"reason": "not an Avro file"}, {"reason": None}]) == ""


def mappings_reach_ingest(folder):
    maps = folder / "maps"
    maps.mkdir()
    (maps / "one.map").write_text("nonsense\n")
    said = ingest_alone(folder / "mapped", folder / "lsst" / "alerts", mappings=maps,
                        until=lambda _, ingest: ingest.failed() and ingest.ended())
    assert "one.map:1: expected survey, like" in said, said


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-demo-"))
    try:
        the_last_error_is_the_one(folder)
        a_service_that_ended_ends_what_waits_for_it(folder)
        what_packets_lack_is_said(folder)
        mappings_reach_ingest(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
