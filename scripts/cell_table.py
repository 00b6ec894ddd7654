"""Cells of a contrast: abundance change, densities, uncertainty of smoothed expression."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import read_types, save
from statediff.provenance import DIRECTIONS
from statediff.store import read_arrays, read_levels, read_names

COLUMNS = [
    "lfc",
    "lfc_per_unit",
    "lfc_zscore",
    "neg_log10_lfc_ptp",
    "pvalue",
    "qvalue",
    "lfc_direction",
    "log_density_reference",
    "log_density_compared",
    "std_reference",
    "std_compared",
]


def main(job):
    with h5py.File(job.input.store, "r") as store:
        cells = read_names(store["obs"])
        conditions = pd.Categorical.from_codes(*read_levels(store["obs"][job.params.column]))
    table = pd.DataFrame({"cell": cells, "condition": conditions})
    if job.input.get("cell_types"):
        table["cell_type"] = read_types(job.input.cell_types, len(cells))
    change, _ = read_arrays(job.input.abundance)
    change["lfc_direction"] = np.array(DIRECTIONS)[change["lfc_direction"]]
    density, _ = read_arrays(job.input.density, "log_density_reference", "log_density_compared")
    columns = change | density
    if job.input.get("fit"):
        columns |= read_arrays(job.input.fit, "std_reference", "std_compared")[0]
    save(job, table.assign(**{name: columns[name] for name in COLUMNS if name in columns}))


run(main, snakemake)
