"""Tables of results: counting directions, and saving for people (TSV) and machines (Parquet)."""

import numpy as np
import pandas as pd
from statediff.localisation import in_groups, patterns, strongest_group
from statediff.provenance import DIRECTIONS
from statediff.store import atomic, read_arrays

# A type of which a smaller share of the cells changes is left out: blocks hold some neighbours.
LEAST_SHARE = 0.1
SIGNS = {"up": 1, "down": -1}


def read_types(paths, n_cells):
    """Cell types as a categorical, in their own order; one type for all if there are none."""
    if paths:
        return pd.read_parquet(paths)["cell_type"].array
    return pd.Categorical(["all cells"] * n_cells)


def direction_counts(job):
    """Cells of each type by direction of abundance change, as counts and shares."""
    codes = read_arrays(job.input.abundance, "lfc_direction")[0]["lfc_direction"]
    types = pd.Series(read_types(job.input.get("cell_types"), len(codes)), name="cell_type")
    counts = pd.crosstab(types, np.array(DIRECTIONS)[codes])
    counts = counts.reindex(columns=["up", "neutral", "down"], fill_value=0)
    total = counts.sum(axis=1)
    shares = counts.div(total, axis=0).add_suffix("_share")
    table = pd.concat([total.rename("cells"), counts, shares], axis=1)
    return table.rename_axis(columns=None).reset_index()


def read_localisation(files):
    """Where the called genes of a contrast change, the cells of each type in each block, and the
    names of the types.

    Cells that take part in the contrast; one type and no names, where the configuration has none.
    """
    found, _ = read_arrays(files.localisation)
    codes = read_arrays(files.blocks, "code")[0]["code"][0]
    types = read_types(files.get("cell_types"), len(codes))
    inside = codes >= 0
    cells = np.zeros((len(types.categories), codes.max() + 1))
    np.add.at(cells, (types.codes[inside], codes[inside]), 1.0)
    return found, cells, types.categories if files.get("cell_types") else None


def where_changed(files, n_genes):
    """Columns that tell where the called genes change; nothing for the others."""
    found, cells, types = read_localisation(files)
    share, pattern = patterns(found["direction"], cells.sum(axis=0))
    columns = {"changed_share": share, "pattern": pattern}
    if types is not None:
        strongest, lfc = strongest_group(found["direction"], found["lfc"], cells)
        # The last is none.
        columns["strongest_type"] = np.array([*types, None], dtype=object)[strongest]
        columns["strongest_type_lfc"] = lfc
    everywhere = {}
    for name, values in columns.items():
        nothing = np.nan if values.dtype.kind == "f" else None
        everywhere[name] = np.full(n_genes, nothing, dtype=values.dtype)
        everywhere[name][found["genes"]] = values
    return everywhere


def changes_by_type(found, cells, types):
    """A row for each gene, direction and type of which some of the cells change so."""
    parts = []
    for name, sign in SIGNS.items():
        share, lfc = in_groups(found["direction"] == sign, found["lfc"], cells)
        genes, at = np.nonzero(share >= LEAST_SHARE)
        columns = {"of": genes, "cell_type": np.asarray(types, dtype=object)[at]}
        columns |= {"direction": name, "share": share[genes, at], "lfc": lfc[genes, at]}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def save(job, table):
    save_as(table, job.output.tsv, job.output.parquet)


def save_as(table, tsv, parquet):
    with atomic(tsv) as part:
        table.to_csv(part, sep="\t", index=False)
    with atomic(parquet) as part:
        table.to_parquet(part, index=False)
