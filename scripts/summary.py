"""Write the main numbers of a contrast, as JSON."""

import json
from pathlib import Path

from _job import run
from _record import record
from statediff import summary
from statediff.disk import atomic
from statediff.provenance import versions
from statediff.store import read_arrays
from terminal import read_usage, read_warnings


def main(job):
    files, about = job.input, job.params
    members, cells = read_arrays(files.cells)
    genes, fdr = read_arrays(files.fdr, "mean_lfc", "is_de")
    codes, _ = read_arrays(files.abundance, "lfc_direction")
    # Arrays are read by name; of these files only the attributes are needed.
    named = {"density": "variance", "fit": "phi_mean", "linear": "depth"}
    known = {name: read_arrays(files[name], array)[1] for name, array in named.items()}
    groups = None
    if files.get("groups"):
        found = read_arrays(files.groups)[0], read_arrays(files.group_fdr, "names", "is_de")[0]
        groups = summary.describe_groups(*found)
    counts = {key: known["linear"][key] for key in ("origin", "transform")}
    depth = {role: cells.get(f"depth_{role}") for role in ("reference", "compared")}
    given = {
        name: json.loads(Path(files[name]).read_text(encoding="utf-8")) if files.get(name) else None
        for name in ("preprocessed", "truth")
    }
    result = {
        "dataset": about.dataset,
        "contrast": job.wildcards.contrast,
        "conditions": about.contrast | summary.describe_halves(cells),
        "conventions": about.conventions,
        "cells": summary.describe_cells(members, cells),
        "abundance": known["density"] | summary.describe_abundance(codes["lfc_direction"]),
        "expression": known["fit"]
        | {"noise": about.noise}
        | summary.describe_expression(genes, fdr),
        "counts": counts | {"depth": depth},
        "preprocessed": given["preprocessed"],
        "blocks": read_arrays(files.blocks, "conditions")[1] if files.blocks else None,
        "groups": groups,
        "truth": given["truth"],
        "warnings": read_warnings(files.logs),
        "stages": read_usage(files.benchmarks, files.logs),
        "versions": versions(),
        "provenance": record(job, fdr),
    }
    with atomic(job.output[0]) as part:
        part.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
