"""Cells of each type by direction of abundance change, as counts and shares."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import save
from anndata.io import read_elem
from statediff.provenance import DIRECTIONS
from statediff.store import read_arrays


def main(job):
    with h5py.File(job.input.store, "r") as store:
        obs = read_elem(store["obs"])
    arrays, _ = read_arrays(job.input.abundance, "lfc_direction")
    direction = np.array(DIRECTIONS)[arrays["lfc_direction"]]
    column = job.params.cell_type
    # A categorical keeps its own order of types.
    types = ["all cells"] * len(obs) if column is None else obs[column].array
    counts = pd.crosstab(pd.Series(types, name="cell_type"), direction)
    counts = counts.reindex(columns=["up", "neutral", "down"], fill_value=0)
    total = counts.sum(axis=1)
    shares = counts.div(total, axis=0).add_suffix("_share")
    table = pd.concat([total.rename("cells"), counts, shares], axis=1)
    save(job, table.rename_axis(columns=None).reset_index())


run(main, snakemake)
