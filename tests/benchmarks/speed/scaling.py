"""Time and memory of the whole workflow as the data grow, from raw counts, in docs/scaling.md.

Sizes measured before are kept in results/scaling, and a run that was interrupted goes on from them.
The largest needs 20 GB of disk. `python -m speed.scaling 3` measures the first three sizes only.
"""

import json
import os
import sys
from pathlib import Path

import pandas as pd
import yaml
from anndata.io import write_elem
from statediff.simulate import Simulation
from statediff.store import create_h5ad, write_csr

from speed.report_scaling import write
from speed.workflow import ROOT, Workflow

HERE = Path(__file__).parent
# Cells, genes; a tenth of the values is stored.
SIZES = [(10_000, 2000), (30_000, 2000), (100_000, 2000), (300_000, 2000)]
SIZES += [(100_000, 20_000), (1_000_000, 2000)]
COUNTS_PER_GENE = 0.21
TARGETS = ("all", "report")


def simulate(path, cells, genes):
    """A file of raw counts of four samples an age, written block by block."""
    counts_per_cell = int(COUNTS_PER_GENE * genes)
    simulation = Simulation(1, cells, genes=genes, counts_per_cell=counts_per_cell)
    with create_h5ad(path) as file:
        write_elem(file, "obs", simulation.obs)
        write_elem(file, "var", simulation.var)
        write_csr(file.create_group("X"), simulation.counts(), genes)


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
        found["source_mb"] = source.stat().st_size / 1e6
        found["files"] = files(workflow)
        found["figures"] = figures(workflow)
        workflow.clean()
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(found))
        os.replace(part, kept)
        source.unlink()
    return json.loads(kept.read_text())


def files(workflow):
    """Megabytes of the results that users open or pass on, and of all stages together."""
    found = {
        name: next(workflow.results.rglob(name)).stat().st_size / 1e6
        for name in ("adata.h5ad", "explore.html", "report.html")
    }
    stages = [path for path in workflow.results.rglob("*.h5") if path.is_file()]
    return found | {"stages": sum(path.stat().st_size for path in stages) / 1e6}


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
    folder, rows, largest = Path("results/scaling"), [], None
    folder.mkdir(parents=True, exist_ok=True)
    for cells, genes in SIZES[: int(sizes[0])] if sizes else SIZES:
        found = measure_size(folder, cells, genes)
        whole = {"job": "all", "seconds": found["seconds"], "peak_mb": found["peak_mb"]}
        for job in [*found["jobs"], whole]:
            rows.append({"cells": cells, "genes": genes} | job)
        if largest is None or cells > largest["cells"]:
            largest = {"cells": cells, "genes": genes} | found
    write(ROOT / "docs", pd.DataFrame(rows), largest)


if __name__ == "__main__":
    main(*sys.argv[1:])
