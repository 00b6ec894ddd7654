"""Type of each cell, from the obs column that the configuration names."""

import warnings

import pandas as pd
from _job import run
from statediff import DataWarning, InputError
from statediff.disk import atomic
from statediff.observations import MAX_GROUPS, StoredObservations, read_column
from statediff.store import open_h5ad

UNKNOWN = "not annotated"
# Cell types from which on their names on a figure overlap.
MANY = 60


def main(job):
    with open_h5ad(job.input[0]) as store:
        obs = StoredObservations(store)
        codes, levels = read_column(obs, job.params.column, "dataset.cell_type")
    types = pd.Categorical.from_codes(codes, levels).remove_unused_categories()
    check_number(len(types.categories), job.params.column)
    if (codes < 0).any():
        types = types.add_categories(UNKNOWN).fillna(UNKNOWN)
    with atomic(job.output[0]) as part:
        pd.DataFrame({"cell_type": types}).to_parquet(part, index=False)


def check_number(found, column):
    """Refuse names of cells and measurements that are taken for cell types."""
    what = f"dataset.cell_type: obs column {column!r} has {found} levels"
    if found > MAX_GROUPS:
        raise InputError(
            f"{what}, expected at most {MAX_GROUPS}: cell types, not names of cells or numbers"
        )
    if found > MANY:
        warnings.warn(
            f"{what}: tables by cell type will be long, and names in figures will overlap; use a "
            "coarser annotation: see docs/warnings.md#many-cell-types",
            DataWarning,
            stacklevel=1,
        )


if __name__ == "__main__":
    run(main, snakemake)
