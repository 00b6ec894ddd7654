"""Cells of a contrast: abundance change, densities, uncertainty of smoothed expression."""

import h5py
import pandas as pd
from _job import run
from _table import read_types, save
from statediff.store import read_arrays, read_levels, read_names
from statediff.tables import cell_table


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_names(store["obs"])
        conditions = pd.Categorical.from_codes(*read_levels(store["obs"][job.params.column]))
    arrays, _ = read_arrays(job.input.abundance)
    density = "log_density_reference", "log_density_compared"
    arrays |= read_arrays(job.input.density, *density)[0]
    if job.input.get("fit"):
        arrays |= read_arrays(job.input.fit, "std_reference", "std_compared")[0]
    types = read_types(job.input.cell_types, len(names)) if job.input.get("cell_types") else None
    save(job, cell_table(names, conditions, arrays, types))


if __name__ == "__main__":
    run(main, snakemake)
