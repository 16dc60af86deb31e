"""What demo, chaos and bench feed to a mesh: a simulated night, a model that
was trained on another one, and the options of each service."""

import json
import subprocess

DEMO_FILTERS = [
    {"name": "everything", "owner": "demo", "sinks": ["all"],
     "conditions": [{"name": "always", "sql": "1"}]},
    {"name": "young_supernova", "owner": "demo", "sinks": ["science"],
     "conditions": [
         {"name": "public", "sql": "program = 1"},
         {"name": "real", "sql": "drb > 0.5"},
         {"name": "young", "sql": "n_det <= 8"},
         {"name": "likely",
          "sql": "(SELECT sum(p) FROM scores WHERE class IN ('SNIa', 'SNII')) > 0.6"}]},
    {"name": "microlensing", "owner": "demo", "sinks": ["science"],
     "conditions": [
         {"name": "real", "sql": "drb > 0.5"},
         {"name": "likely", "sql": "(SELECT sum(p) FROM scores WHERE class = 'ulens') > 0.7"}]},
    {"name": "bright", "owner": "demo", "sinks": ["science"],
     "conditions": [
         {"name": "bright", "sql": "mag(flux) < 17.5"},
         {"name": "real", "sql": "drb > 0.5"}]},
    {"name": "near_galaxy", "owner": "demo", "sinks": ["science"],
     "conditions": [
         {"name": "real", "sql": "drb > 0.5"},
         {"name": "galaxy", "sql": "EXISTS (SELECT 1 FROM matches WHERE type = 'galaxy' AND sep < 10)"}]},
]


def quantile(ordered, p):
    """The p quantile of a sorted list, 0 if it is empty."""
    return ordered[min(len(ordered) - 1, int(p * len(ordered)))] if ordered else 0.0


def simulate(mesh, folder, seed, alerts, *more):
    mesh.weft("sim", "--seed", seed, "--alerts", alerts, "--out", folder, *more)


def join_tables(folders, name, out):
    """The rows of a table of several seasons under one header."""
    with open(out / name, "w") as joined:
        for i, folder in enumerate(folders):
            rows = (folder / name).read_text().splitlines(keepends=True)
            joined.writelines(rows if i == 0 else rows[1:])


def simulate_survey(mesh, folder, seed, alerts, survey):
    """A season in a survey's shape, or half of it in each ("mixed"): what to read,
    and where its schemas are (None: they are in the packets)."""
    if survey == "ztf":
        simulate(mesh, folder, seed, alerts)
        return [str(folder / "alerts")], None
    if survey == "lsst":
        simulate(mesh, folder, seed, alerts, "--survey", "lsst")
        return [str(folder / "alerts")], folder / "schemas"
    halves = [folder / "ztf", folder / "lsst"]
    folder.mkdir(parents=True, exist_ok=True)
    simulate(mesh, halves[0], seed, alerts - alerts // 2)
    simulate(mesh, halves[1], seed + 500, max(1, alerts // 2), "--survey", "lsst")
    for name in ("truth.csv", "catalog.csv"):
        join_tables(halves, name, folder)
    return [str(half / "alerts") for half in halves], halves[1] / "schemas"


def survey_of(options):
    """Whose alerts these are, if it was not said: framed packets are LSST's."""
    return options.survey or ("lsst" if options.input and options.schemas else "ztf")


def publish_model(mesh, folder, seed, alerts=6000, survey="ztf", name="demo"):
    """Trains on a simulated season and publishes to the mesh's Redis."""
    inputs, schemas = simulate_survey(mesh, folder, seed, alerts, survey)
    report = folder / "model.json"
    mesh.weft("train", "--input", *inputs, *(["--schemas", schemas] if schemas else []),
              "--truth", folder / "truth.csv", "--survey", survey, "--name", name, "--seed", seed,
              "--out", folder / "model", "--redis", mesh.redis.address, "--publish", "--json",
              report)
    numbers = json.loads(report.read_text())
    return (f"model {numbers['version'][:12]}: accuracy {numbers['accuracy']:.3f}, macro-F1 "
            f"{numbers['macro_f1']:.3f} on objects that it has not seen")


def publish_models(mesh, folder, seed, survey):
    """A model for each survey, as each has a feature set of its own: their names,
    and what is to be said of them."""
    if survey != "mixed":
        return ["demo"], [publish_model(mesh, folder, seed, survey=survey)]
    folder.mkdir(parents=True, exist_ok=True)
    said = [publish_model(mesh, folder / each, seed, survey=each, name=name)
            for each, name in (("ztf", "demo"), ("lsst", "demo-lsst"))]
    return ["demo", "demo-lsst"], said


def options_for(mesh, inputs, schemas=None, rate=0, catalog=None, filters=None, budget=30,
                repeat=False, stay=False, models=("demo",), mappings=None):
    """The options: part per service, for Mesh.configure."""
    shares = mesh.replicas.get("ingest", 1)
    sinks = mesh.folder / "sinks"
    sinks.mkdir(parents=True, exist_ok=True)

    def ingest(n):
        return {"inputs": inputs, "schemas": str(schemas or ""),
                "mappings": str(mappings or ""), "rate": rate,
                "share": f"{n + 1}/{shares}", "stay": stay}

    catalogs = []
    if catalog and catalog.exists():
        catalogs = [{"name": "simulated", "file": str(catalog), "radius_arcsec": 30.0,
                     "ra": "ra", "dec": "dec", "id": "id", "type": "type", "z": "z"}]
    return {
        "ingest": ingest,
        "crossmatch": {"catalogs": catalogs},
        "classifier": {"models": list(models)},
        "active-learner": {"model": "demo", "budget": budget, "batch": 10, "interval_ms": 500},
        "tom-notifier": {
            "filters": filters or DEMO_FILTERS[:1],
            "sinks": [{"name": name, "kind": "jsonl", "path": str(sinks / f"{name}.jsonl")}
                      for name in ("all", "science", "queries")],
            "query_sinks": ["queries"],
        },
    }
