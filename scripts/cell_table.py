"""Cells of a contrast: abundance change, densities, uncertainty of smoothed expression."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import save
from anndata.io import read_elem
from statediff.provenance import DIRECTIONS
from statediff.store import read_arrays

COLUMNS = ["lfc", "lfc_zscore", "neg_log10_lfc_ptp", "log_density_reference",
           "log_density_compared"]  # fmt: skip


def main(job):
    column, cell_type = job.params.column, job.params.cell_type
    with h5py.File(job.input.store, "r") as store:
        obs = read_elem(store["obs"])
    table = pd.DataFrame({"cell": obs.index, "condition": obs[column].array})
    if cell_type is not None:
        table["cell_type"] = obs[cell_type].array
    arrays, _ = read_arrays(job.input.abundance, *COLUMNS, "lfc_direction")
    arrays["lfc_direction"] = np.array(DIRECTIONS)[arrays["lfc_direction"]]
    std, _ = read_arrays(job.input.fit, "std_reference", "std_compared")
    save(job, table.assign(**arrays, **std))


run(main, snakemake)
