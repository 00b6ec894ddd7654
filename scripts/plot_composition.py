"""Cell types of the conditions, and of their samples."""

import pandas as pd
from _figure import condition_colors, conditions, run
from _table import read_types
from statediff.plots import composition
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def draw(job):
    members, _ = read_arrays(job.input.cells)
    types = pd.Series(read_types(job.input.cell_types, len(members["reference"])))

    def counted(cells):
        return types[cells].value_counts(sort=False)

    counts = pd.DataFrame({role: counted(members[role]) for role in ROLES})
    counts.columns = conditions(job)
    samples = None
    if "sample" in members:
        samples = [
            pd.DataFrame({c: counted(members["sample"] == c) for c in members[f"samples_{role}"]})
            for role in ROLES
        ]
    drawn = counts.sum(axis=1) > 0
    return composition(
        counts[drawn],
        conditions=conditions(job),
        samples=samples,
        colors=condition_colors(job),
    )


if __name__ == "__main__":
    run(draw, snakemake)
