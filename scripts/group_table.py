"""Genes in each group of a contrast, group by group, those of largest distance first."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import save
from statediff.store import read_arrays, read_names

COLUMNS = ["mean_lfc", "mahalanobis", "local_fdr", "tail_fdr", "pvalue", "is_de"]


def main(job):
    with h5py.File(job.input.store, "r") as store:
        genes = read_names(store["var"])
    arrays, _ = read_arrays(job.input.groups)
    tables = []
    for i, name in enumerate(arrays["names"]):
        order = np.argsort(-arrays["mahalanobis"][i], kind="stable")
        columns = {column: arrays[column][i][order] for column in COLUMNS}
        tables.append(pd.DataFrame({"gene": genes[order], "group": name} | columns))
    save(job, pd.concat(tables, ignore_index=True))


run(main, snakemake)
