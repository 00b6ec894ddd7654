"""Fold changes of genes in two contrasts against each other."""

import h5py
import pandas as pd
from _figure import run
from statediff.plots import contrast_comparison
from statediff.significance import ranks_of_genes
from statediff.store import read_arrays, read_labels

# Genes named in a panel.
MOST = 5


def draw(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    tables, adjusted = {}, True
    for contrast, path in zip(job.params.contrasts, job.input.every_fdr, strict=True):
        genes, fdr = read_arrays(path)
        columns = {"lfc": genes.get("adjusted_lfc", genes["mean_lfc"]), "is_de": genes["is_de"]}
        columns["rank"] = ranks_of_genes(genes, fdr["ranking"])
        tables[contrast] = pd.DataFrame(columns, index=names)
        adjusted &= "adjusted_lfc" in genes
    return contrast_comparison(
        tables,
        change="Adjusted log₂ fold change" if adjusted else "Mean log fold change",
        labelled=min(job.params.labelled_genes, MOST),
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
