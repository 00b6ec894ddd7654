"""Type of each cell, from the obs column that the configuration names."""

import pandas as pd
from _job import run
from statediff.observations import StoredObservations, read_column
from statediff.store import atomic, open_h5ad

UNKNOWN = "not annotated"


def main(job):
    with open_h5ad(job.input[0]) as store:
        obs = StoredObservations(store)
        codes, levels = read_column(obs, job.params.column, "dataset.cell_type")
    types = pd.Categorical.from_codes(codes, levels).remove_unused_categories()
    if (codes < 0).any():
        types = types.add_categories(UNKNOWN).fillna(UNKNOWN)
    with atomic(job.output[0]) as part:
        pd.DataFrame({"cell_type": types}).to_parquet(part, index=False)


run(main, snakemake)
