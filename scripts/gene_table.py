"""Genes of a contrast, those of largest distance first."""

import h5py
import pandas as pd
from _job import run
from _table import save
from anndata.io import read_elem
from statediff.store import read_arrays

COLUMNS = ["mean_lfc", "mahalanobis", "local_fdr", "tail_fdr", "pvalue", "is_de", "neg_log10_ptp"]


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_elem(store["var"]).index
    arrays, _ = read_arrays(job.input.fdr, *COLUMNS)
    table = pd.DataFrame({"gene": names} | arrays)
    save(job, table.sort_values("mahalanobis", ascending=False, kind="stable"))


run(main, snakemake)
