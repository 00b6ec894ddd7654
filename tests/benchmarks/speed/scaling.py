"""Time and memory of abundance and expression as the data grow, in docs/scaling.md.

States are given, so that what grows is what the models do. Of as many cells all figures are drawn,
too. Sizes measured before are kept in results/scaling; the largest needs 5 GB of disk.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from anndata.io import write_elem
from statediff.preprocess import log_normalise
from statediff.simulate import Simulation
from statediff.store import create_h5ad, write_csr

from speed.report_scaling import write
from speed.workflow import ROOT, Workflow

HERE = Path(__file__).parent
# Cells, genes; a tenth of the values is stored.
SIZES = [(n, 2000) for n in (10_000, 30_000, 100_000, 300_000, 1_000_000)] + [(100_000, 20_000)]
COUNTS_PER_GENE = 0.21
# Of the states around what is true, so that they are no line.
NOISE_SD = 0.1
TARGETS = ("young_vs_old/stages/abundance.h5", "young_vs_old/stages/fdr.h5")


def simulate(path, cells, genes):
    """A file of log expression and true states, written block by block."""
    counts_per_cell = int(COUNTS_PER_GENE * genes)
    simulation = Simulation(1, cells, genes=genes, counts_per_cell=counts_per_cell)
    states = simulation.programs()
    states += np.random.default_rng(1).normal(0.0, NOISE_SD, states.shape)
    with create_h5ad(path) as file:
        write_elem(file, "obs", simulation.obs)
        write_elem(file, "var", simulation.var)
        write_elem(file, "obsm", {"X_states": states.astype(np.float32)})
        write_elem(file, "layers", {})
        layer = file["layers"].create_group("logged_counts")
        write_csr(layer, map(log_normalise, simulation.counts()), genes)


def measure_size(folder, cells, genes):
    """Jobs of a size: name, seconds, memory."""
    kept = folder / f"{cells}x{genes}.json"
    if not kept.exists():
        source = folder / f"{cells}x{genes}.h5ad"
        if not source.exists():
            simulate(source, cells, genes)
        config = yaml.safe_load((HERE / "scaling.yaml").read_text())
        config["dataset"]["source"] = {"path": str(source.resolve())}
        workflow = Workflow(folder / f"{cells}x{genes}", config)
        workflow.clean()
        usage = workflow.run(*TARGETS)
        found = {"seconds": usage.seconds, "peak_mb": usage.peak_mb}
        found["jobs"] = workflow.jobs().to_dict("records")
        workflow.run("figures")
        found["figures"] = figures(workflow)
        workflow.clean()
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(found))
        os.replace(part, kept)
        source.unlink()
    return json.loads(kept.read_text())


def figures(workflow):
    """Seconds and memory of each figure, and the size of its PDF."""
    jobs = workflow.jobs().set_index("job")
    rows = []
    for path in sorted(workflow.results.rglob("figures/*.pdf")):
        job = jobs.loc[f"plot_{path.stem}"]
        taken = {"seconds": job["seconds"], "peak_mb": job["peak_mb"]}
        rows.append({"figure": path.stem, "pdf_mb": path.stat().st_size / 1e6} | taken)
    return rows


def main(*sizes):
    folder, rows, drawn = Path("results/scaling"), [], {}
    folder.mkdir(parents=True, exist_ok=True)
    for cells, genes in SIZES[: int(sizes[0])] if sizes else SIZES:
        found = measure_size(folder, cells, genes)
        whole = {"job": "all", "seconds": found["seconds"], "peak_mb": found["peak_mb"]}
        for job in [*found["jobs"], whole]:
            rows.append({"cells": cells, "genes": genes} | job)
        drawn[cells] = found["figures"]
    write(ROOT / "docs", pd.DataFrame(rows), max(drawn), pd.DataFrame(drawn[max(drawn)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
