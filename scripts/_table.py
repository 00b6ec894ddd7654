"""Tables of results: counting directions, and saving for people (TSV) and machines (Parquet)."""

import numpy as np
import pandas as pd
from statediff.disk import atomic
from statediff.fields import DIRECTIONS
from statediff.store import read_arrays
from statediff.tables import cells_in_blocks, direction_table
from statediff.text import safe_cells


def read_types(paths, n_cells):
    """Cell types as a categorical, in their own order; one type for all if there are none."""
    if paths:
        return pd.read_parquet(paths)["cell_type"].array
    return pd.Categorical(["all cells"] * n_cells)


def direction_counts(job):
    """Cells of each type by direction of abundance change, as counts and shares."""
    codes = read_arrays(job.input.abundance, "lfc_direction")[0]["lfc_direction"]
    types = read_types(job.input.get("cell_types"), len(codes))
    return direction_table(np.array(DIRECTIONS)[codes], types)


def read_localisation(files):
    """Where the called genes of a contrast change, the cells of each type in each block, and the
    names of the types.

    Cells that take part in the contrast; one type and no names, where the configuration has none.
    """
    found, _ = read_arrays(files.localisation)
    codes = read_arrays(files.blocks, "code")[0]["code"][0]
    types = read_types(files.get("cell_types"), len(codes))
    names = types.categories if files.get("cell_types") else None
    return found, cells_in_blocks(codes, types), names


def save(job, table):
    save_as(table, job.output.tsv, job.output.parquet)


def save_as(table, tsv, parquet):
    with atomic(tsv) as part:
        safe_cells(table).to_csv(part, sep="\t", index=False)
    with atomic(parquet) as part:
        table.to_parquet(part, index=False)
