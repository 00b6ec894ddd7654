"""Where each called gene changes: by cell type, or by region where there are no types."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import changes_by_type, read_localisation, save
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_names(store["var"])
    found, cells, types = read_localisation(job.input)
    table = by_region(found, cells[0]) if types is None else changes_by_type(found, cells, types)
    table.insert(0, "gene", names[found["genes"][table["of"]]])
    statistics, attributes = read_arrays(job.input.fdr)
    rank = np.argsort(rank_genes(statistics, attributes["ranking"]))
    table["rank"] = rank[found["genes"][table["of"]]]
    table = table.sort_values(["rank", "share"], ascending=[True, False], kind="stable")
    save(job, table.drop(columns=["of", "rank"]))


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
