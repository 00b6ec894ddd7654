"""Where each called gene changes: by cell type, or by region where there are no types."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import read_localisation, save
from statediff.localisation import in_groups
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names

# A type of which a smaller share of the cells changes is left out: blocks hold some neighbours.
LEAST_SHARE = 0.1
DIRECTIONS = {"up": 1, "down": -1}


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_names(store["var"])
    found, cells, types = read_localisation(job.input)
    table = by_region(found, cells[0]) if types is None else by_type(found, cells, types)
    table.insert(0, "gene", names[found["genes"][table["of"]]])
    statistics, attributes = read_arrays(job.input.fdr)
    rank = np.argsort(rank_genes(statistics, attributes["ranking"]))
    table["rank"] = rank[found["genes"][table["of"]]]
    table = table.sort_values(["rank", "share"], ascending=[True, False], kind="stable")
    save(job, table.drop(columns=["of", "rank"]))


def by_type(found, cells, types):
    """A row for each gene, direction and type of which some of the cells change so."""
    parts = []
    for name, sign in DIRECTIONS.items():
        share, lfc = in_groups(found["direction"] == sign, found["lfc"], cells)
        genes, at = np.nonzero(share >= LEAST_SHARE)
        columns = {"of": genes, "cell_type": np.asarray(types, dtype=object)[at]}
        columns |= {"direction": name, "share": share[genes, at], "lfc": lfc[genes, at]}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def by_region(found, cells):
    """A row for each gene and region in which it changes; regions are numbered from 1."""
    rows = []
    for gene, region in enumerate(found["region"]):
        for number in np.unique(region[region >= 0]):
            blocks = region == number
            lfc = np.average(found["lfc"][gene, blocks], weights=cells[blocks])
            direction = "up" if lfc > 0 else "down"
            rows.append((gene, number + 1, direction, cells[blocks].sum() / cells.sum(), lfc))
    table = pd.DataFrame(rows, columns=["of", "region", "direction", "share", "lfc"])
    return table.astype({"of": int, "region": int, "share": float, "lfc": float})


run(main, snakemake)
