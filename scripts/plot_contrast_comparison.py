"""Fold changes of genes in two contrasts against each other."""

import h5py
import numpy as np
import pandas as pd
from _figure import run
from statediff.plots import contrast_comparison
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_labels

# Genes named in a panel.
MOST = 5


def draw(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    tables = {
        contrast: read(path, names)
        for contrast, path in zip(job.params.contrasts, job.input.every_fdr, strict=True)
    }
    _, adjusted = zip(*tables.values(), strict=True)
    return contrast_comparison(
        {contrast: table for contrast, (table, _) in tables.items()},
        change="Adjusted log₂ fold change" if all(adjusted) else "Mean log fold change",
        labelled=min(job.params.labelled_genes, MOST),
        size=job.params.point_size,
    )


def read(path, names):
    """Fold change, call and rank of all genes in a contrast; whether it is the adjusted change."""
    genes, fdr = read_arrays(path)
    rank = np.empty(len(names), dtype=int)
    rank[rank_genes(genes, fdr["ranking"])] = np.arange(len(names))
    lfc = genes.get("adjusted_lfc", genes["mean_lfc"])
    columns = {"lfc": lfc, "is_de": genes["is_de"], "rank": rank}
    return pd.DataFrame(columns, index=names), "adjusted_lfc" in genes


if __name__ == "__main__":
    run(draw, snakemake)
