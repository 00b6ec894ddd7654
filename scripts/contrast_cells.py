"""Find the cells of both conditions of a contrast."""

import numpy as np
from _job import run
from anndata.io import read_elem
from statediff import InputError
from statediff.store import open_h5ad, write_arrays

MIN_CELLS = 10


def main(job):
    name, contrast = job.wildcards.contrast, job.params.contrast
    with open_h5ad(job.input[0]) as store:
        obs = read_elem(store["obs"])
    column = contrast["column"]
    if column not in obs:
        raise InputError(
            f"contrasts.{name}.column: no obs column {column!r}; "
            f"there are: {', '.join(map(str, obs.columns))}"
        )
    values = obs[column].astype(str).to_numpy()
    levels = list(map(str, obs[column].dropna().unique()))
    members = {}
    for role in ("reference", "compared"):
        level = contrast[role]
        if level not in levels:
            more = " …" if len(levels) > 20 else ""
            raise InputError(
                f"contrasts.{name}.{role}: {level!r} does not occur in obs column {column!r}; "
                f"its levels are: {', '.join(sorted(levels)[:20])}{more}"
            )
        members[role] = values == level
        if (n := int(members[role].sum())) < MIN_CELLS:
            raise InputError(
                f"contrasts.{name}.{role}: {level!r} has {n} cells, expected at least {MIN_CELLS}"
            )
    write_arrays(
        job.output[0],
        members,
        n_reference=members["reference"].sum(),
        n_compared=members["compared"].sum(),
        n_cells=np.int64(len(obs)),
    )


run(main, snakemake)
