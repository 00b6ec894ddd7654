"""Time the workflow beside kompot on one simulated file, and write docs/benchmark.md.

Needs a machine with nothing else to do. What was measured is kept in results/benchmark: kompot,
which takes longest, runs again only if its file is deleted.
"""

import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import yaml
from statediff.store import read_arrays

from speed.measure import measure
from speed.report import write
from speed.workflow import ROOT, Workflow

HERE = Path(__file__).parent
# A fifth of the values is stored; 2,713 and 3,380 cells are compared.
CASE = {
    "cells": 8090,
    "genes": 16285,
    "shares": [2713, 1997, 3380],
    "counts_per_cell": 6500,
    "seed": 1,
}
REPEATS = 3
# Our stages: what each command makes, given those before.
STATES = ("data/store.h5ad", "data/cell_states.h5", "data/embedding.h5")
STAGES = {
    "cell states": STATES,
    "abundance": ("young_vs_old/stages/abundance.h5",),
    "expression": ("young_vs_old/stages/fdr.h5",),
}


def configured(folder, source, **changes):
    """The workflow on the benchmark's configuration, with another source."""
    config = yaml.safe_load((HERE / "config.yaml").read_text()) | changes
    config["dataset"]["source"] = source
    return Workflow(folder, config)


def simulate(folder):
    """The data set, as a file of the user's would be."""
    path = folder / "simulated.h5ad"
    if not path.exists():
        ours = configured(folder / "simulation", {"simulate": CASE})
        ours.run("data/simulated.h5ad")
        os.replace(ours.results / "data/simulated.h5ad", path)
    return path


def time_ours(folder, source):
    """Usage of each stage, and of a whole run, a row a repeat; jobs of the last whole run."""
    ours, rows = configured(folder / "ours", {"path": str(source.resolve())}), []
    for repeat in range(REPEATS):
        ours.clean()
        for stage, targets in STAGES.items():
            rows.append({"stage": stage, "repeat": repeat} | asdict(ours.run(*targets)))
        ours.clean()
        rows.append({"stage": "everything", "repeat": repeat} | asdict(ours.run()))
    return pd.DataFrame(rows), ours.jobs()


def time_published(python, folder, stage, source):
    """Kompot's analysis in its own environment, once."""
    out = folder / f"kompot_{stage}.tsv"
    if not out.exists():
        part = folder / f"part_{out.name}"
        measure([python, str(HERE / "published.py"), stage, str(source), str(part)])
        os.replace(f"{part}.json", f"{out}.json")
        os.replace(part, out)
    return pd.read_csv(out, sep="\t")["value"], json.loads(Path(f"{out}.json").read_text())


def time_in_process(ours):
    """Seconds of each analysis in one process, again and again; the first time also compiles."""
    paths = (ours / name for name in (*STATES[:1], "young_vs_old/stages/cells.h5", *STATES[1:2]))
    command = [sys.executable, "-m", "speed.in_process", *map(str, paths), str(REPEATS)]
    return json.loads(measure(command)[1].splitlines()[-1])


def agreement(ours, published, folder, source, ls):
    """Rank correlation of the distances, and relative differences at the same length scale."""

    def distances(results):
        return read_arrays(results / "young_vs_old/stages/fdr.h5", "mahalanobis")[0]["mahalanobis"]

    found = pd.Series(distances(ours))
    same = configured(folder / "same_ls", {"path": str(source.resolve())}, gp={"ls": ls})
    same.clean()
    shutil.copytree(ours / "data", same.results / "data")
    same.run("young_vs_old/stages/fdr.h5")
    relative = (pd.Series(distances(same.results)) / published - 1).abs()
    return {
        "spearman": found.corr(published, method="spearman"),
        "relative_median": relative.median(),
        "relative_max": relative.max(),
    }


def compared(results):
    """Cells of the conditions, as text."""
    members, _ = read_arrays(results / "young_vs_old/stages/cells.h5", "reference", "compared")
    return " + ".join(f"{mask.sum():,}" for mask in members.values())


def main(published_python):
    folder, start = Path("results/benchmark"), time.perf_counter()
    source = simulate(folder)
    usage, taken = time_ours(folder, source)
    results = folder / "ours/results/speed"
    published, before = {}, 0.0
    for stage in ("abundance", "expression"):
        begun = time.perf_counter()
        values, facts = time_published(
            published_python, folder, stage, results / "young_vs_old/adata.h5ad"
        )
        published[stage] = facts
        # What was kept took its time in an earlier session.
        before += max(facts["seconds"] - (time.perf_counter() - begun), 0.0)
    write(
        ROOT / "docs/benchmark.md",
        case=CASE,
        ours=usage.groupby("stage").median(numeric_only=True),
        published=published,
        jobs=taken,
        in_process=time_in_process(results),
        agreement=agreement(results, values, folder, source, published["expression"]["ls"]),
        compared=compared(results),
        repeats=REPEATS,
        minutes=(before + time.perf_counter() - start) / 60,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
