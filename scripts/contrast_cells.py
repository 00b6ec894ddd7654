"""Find the cells of a contrast: those that pass its filter, and those of each condition."""

import warnings

import numpy as np
from _cells import contrast_members, read_column
from _job import run
from statediff import DataWarning, InputError
from statediff.store import open_h5ad, write_arrays

MIN_CELLS = 10


def main(job):
    name, contrast = job.wildcards.contrast, job.params.contrast
    with open_h5ad(job.input[0]) as store:
        evaluated, members = contrast_members(store, name, contrast)
        replicates = contrast["sample"] and read_column(
            store, contrast["sample"], f"contrasts.{name}.sample"
        )
    for role, cells in members.items():
        if (n := int(cells.sum())) < MIN_CELLS:
            passing = f" that pass contrasts.{name}.cells" if contrast["cells"] else ""
            raise InputError(
                f"contrasts.{name}.{role}: {contrast[role]!r} has {n} cells{passing}, expected at "
                f"least {MIN_CELLS}"
            )
    samples = find_samples(name, contrast, *replicates, members) if replicates else {}
    counts = {f"n_{role}": int(cells.sum()) for role, cells in members.items()}
    counts |= {"n_cells": len(evaluated), "n_evaluated": int(evaluated.sum())}
    write_arrays(job.output[0], {"evaluated": evaluated} | members | samples, **counts)


def find_samples(name, contrast, codes, levels, members):
    """Code of each cell's replicate (−1: none that counts, or the cell is of neither condition),
    and the codes of each condition."""
    column = contrast["sample"]
    found = {role: np.unique(codes[cells & (codes >= 0)]) for role, cells in members.items()}
    both = np.intersect1d(found["reference"], found["compared"])
    if both.size:
        raise InputError(
            f"contrasts.{name}.sample: {levels[both[0]]!r} of obs column {column!r} occurs in both "
            f"{contrast['reference']!r} and {contrast['compared']!r}; expected replicates that "
            "belong to one condition"
        )
    few = []
    for role, cells in members.items():
        sizes = np.array([(cells & (codes == code)).sum() for code in found[role]], dtype=int)
        found[role] = found[role][sizes >= contrast["min_cells"]]
        if len(found[role]) < 2:
            few.append(
                f"{contrast[role]!r} has {len(found[role])} replicates of at least "
                f"{contrast['min_cells']} cells in obs column {column!r}"
            )
    if len(few) == 2 or (few and not contrast["allow_single_condition_variance"]):
        hint = "" if len(few) == 2 else ", or allow_single_condition_variance: true"
        raise InputError(f"contrasts.{name}.sample: {'; '.join(few)}; expected 2 or more{hint}")
    if few:
        warnings.warn(
            f"{few[0]}: the variance between replicates of the other condition stands for both",
            DataWarning,
            stacklevel=1,
        )
    used = np.isin(codes, np.concatenate(list(found.values())))
    used &= members["reference"] | members["compared"]
    return {"sample": np.where(used, codes, -1)} | {
        f"samples_{role}": codes_of for role, codes_of in found.items()
    }


run(main, snakemake)
