"""Write the main numbers of a contrast, as JSON."""

import json
from pathlib import Path

import numpy as np
from _job import run
from _record import record
from statediff.disk import atomic
from statediff.fields import DIRECTIONS
from statediff.provenance import versions
from statediff.store import read_arrays
from terminal import read_usage, read_warnings


def main(job):
    members, cells = read_arrays(job.input.cells)
    abundance, _ = read_arrays(job.input.abundance, "lfc_direction")
    _, density = read_arrays(job.input.density, "variance")
    genes, fdr = read_arrays(job.input.fdr, "mean_lfc", "is_de")
    _, fit = read_arrays(job.input.fit, "phi_mean")
    direction = np.bincount(abundance["lfc_direction"], minlength=len(DIRECTIONS))
    called = genes["mean_lfc"][genes["is_de"]]
    result = {
        "dataset": job.params.dataset,
        "contrast": job.wildcards.contrast,
        "conditions": job.params.contrast | describe_halves(cells),
        "conventions": job.params.conventions,
        "cells": {
            "total": cells["n_cells"],
            "evaluated": cells["n_evaluated"],
            "reference": cells["n_reference"],
            "compared": cells["n_compared"],
            "samples": cells["n_samples"],
            "samples_reference": len(members.get("samples_reference", ())),
            "samples_compared": len(members.get("samples_compared", ())),
        },
        "abundance": density | dict(zip(DIRECTIONS, map(int, direction), strict=True)),
        "expression": fit
        | {
            "noise": job.params.noise,
            "genes": len(genes["is_de"]),
            "n_de": fdr["n_de"],
            "n_de_up": int((called > 0).sum()),
            "n_de_down": int((called <= 0).sum()),
            "test": fdr["test"],
            "ranking": fdr["ranking"],
            "fdr_threshold": fdr["threshold"],
            "fdr_gaps": fdr["gaps"],
            "mahalanobis_threshold": fdr["mahalanobis_threshold"] if fdr["n_de"] else None,
        },
        "counts": describe_counts(job.input.linear, cells),
        "preprocessed": read_json(job.input.get("preprocessed")),
        "blocks": read_arrays(job.input.blocks, "conditions")[1] if job.input.blocks else None,
        "groups": describe_groups(job) if job.input.get("groups") else None,
        "truth": read_json(job.input.get("truth")),
        "warnings": read_warnings(job.input.logs),
        "stages": read_usage(job.input.benchmarks, job.input.logs),
        "versions": versions(),
        "provenance": record(job, fdr),
    }
    with atomic(job.output[0]) as part:
        part.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def describe_halves(cells):
    """Mean and range of the values of both halves of a numeric condition."""
    if "mean_reference" not in cells:
        return {}
    return {
        "values": {
            role: {what: cells[f"{what}_{role}"] for what in ("mean", "min", "max")}
            for role in ("reference", "compared")
        }
    }


def describe_counts(path, cells):
    """Where counts per 10,000 come from, and the counts of a cell in each condition."""
    _, attributes = read_arrays(path, "depth")
    depth = {role: cells.get(f"depth_{role}") for role in ("reference", "compared")}
    return {key: attributes[key] for key in ("origin", "transform")} | {"depth": depth}


def read_json(path):
    """Contents of a file that may not be called for."""
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else None


def describe_groups(job):
    """Cells of each group, whether it was evaluated, and its differential genes."""
    groups, _ = read_arrays(job.input.groups)
    rates, _ = read_arrays(job.input.group_fdr, "names", "is_de")
    n_de = dict(zip(rates["names"], rates["is_de"].sum(axis=1).tolist(), strict=True))
    keys = ("cells", "reference", "compared", "underrepresented", "left_out")
    return {
        name: {key: groups[key][i].item() for key in keys} | {"n_de": n_de.get(name)}
        for i, name in enumerate(groups["names"])
    }


if __name__ == "__main__":
    run(main, snakemake)
