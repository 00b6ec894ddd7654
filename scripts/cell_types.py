"""Type of each cell, from the obs column that the configuration names."""

import pandas as pd
from _job import run
from statediff.disk import atomic
from statediff.observations import StoredObservations, read_cell_types
from statediff.store import open_h5ad


def main(job):
    with open_h5ad(job.input[0]) as store:
        types = read_cell_types(StoredObservations(store), job.params.column)
    with atomic(job.output[0]) as part:
        pd.DataFrame({"cell_type": types}).to_parquet(part, index=False)


if __name__ == "__main__":
    run(main, snakemake)
