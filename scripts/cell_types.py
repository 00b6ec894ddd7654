"""Type of each cell, from the obs column that the configuration names."""

import pandas as pd
from _inputs import read_column
from _job import run
from anndata.io import read_elem
from statediff.store import atomic, open_h5ad

UNKNOWN = "not annotated"


def main(job):
    with open_h5ad(job.input[0]) as store:
        column = read_column(read_elem(store["obs"]), job.params.column, "dataset.cell_type")
    types = column.astype("category").cat.remove_unused_categories()
    types = types.cat.rename_categories([str(name) for name in types.cat.categories])
    if types.isna().any():
        types = types.cat.add_categories(UNKNOWN).fillna(UNKNOWN)
    with atomic(job.output[0]) as part:
        pd.DataFrame({"cell_type": types.array}).to_parquet(part, index=False)


run(main, snakemake)
