"""Cells of each type: by direction of abundance change, and their share of either condition."""

import pandas as pd
from _job import run
from _table import direction_counts, read_types, save
from statediff.composition import type_shares
from statediff.store import read_arrays


def main(job):
    members, _ = read_arrays(job.input.cells)
    types = read_types(job.input.get("cell_types"), len(members["reference"]))
    table = direction_counts(job)
    shares = type_shares(types, members).reindex(table["cell_type"])
    save(job, pd.concat([table, shares.reset_index(drop=True)], axis=1))


if __name__ == "__main__":
    run(main, snakemake)
