"""Cells of each type: by direction of abundance change, and their share of either condition."""

import numpy as np
import pandas as pd
from _job import run
from _table import direction_counts, read_types, save
from statediff.plots.cell_types import mean_intervals
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def main(job):
    members, _ = read_arrays(job.input.cells)
    types = read_types(job.input.get("cell_types"), len(members["reference"]))
    table = direction_counts(job)
    shares = condition_shares(types, members).reindex(table["cell_type"])
    save(job, pd.concat([table, shares.reset_index(drop=True)], axis=1))


def condition_shares(types, members):
    """Share of each type in both conditions: the mean over the samples with its 95 % interval, or
    that of all cells where there are no samples."""

    def share(cells):
        counts = pd.Series(types[cells]).value_counts(sort=False)
        return (counts / max(counts.sum(), 1)).reindex(types.categories, fill_value=0.0)

    sampled = "sample" in members
    parts = {
        # A condition without samples that count is one of all its cells.
        role: [members["sample"] == code for code in members.get(f"samples_{role}", ())]
        or [members[role]]
        for role in ROLES
    }
    shares = [np.column_stack([share(cells) for cells in parts[role]]) for role in ROLES]
    found = pd.DataFrame(index=types.categories)
    for role, values, ends in zip(ROLES, shares, mean_intervals(shares), strict=True):
        found[f"{role}_share"] = values.mean(axis=1)
        if sampled:
            found[f"{role}_share_low"], found[f"{role}_share_high"] = ends.T
    return found


if __name__ == "__main__":
    run(main, snakemake)
