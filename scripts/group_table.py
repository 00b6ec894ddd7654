"""Genes in each group of a contrast, group by group, those that changed most clearly first."""

import h5py
import pandas as pd
from _job import run
from _table import save
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names

# Of these, those that the test gives.
COLUMNS = [
    "mean_lfc",
    "adjusted_lfc",
    "mahalanobis",
    "standardised",
    "local_fdr",
    "tail_fdr",
    "pvalue",
    "qvalue",
    "is_de",
]


def main(job):
    with h5py.File(job.input.store, "r") as store:
        genes = read_names(store["var"])
    arrays, attributes = read_arrays(job.input.groups)
    tables = []
    for i, name in enumerate(arrays["names"]):
        columns = {column: arrays[column][i] for column in COLUMNS if column in arrays}
        table = pd.DataFrame({"gene": genes, "group": name} | columns)
        tables.append(table.iloc[rank_genes(columns, attributes["ranking"])])
    save(job, pd.concat(tables, ignore_index=True))


run(main, snakemake)
