"""Genes of a contrast, those that changed most clearly first."""

import h5py
import pandas as pd
from _job import run
from _table import save, where_changed
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_labels, read_names

# Of these, those that the test gives.
COLUMNS = [
    "feature_name",
    "mean_lfc",
    "adjusted_lfc",
    "lfc_per_unit",
    "mahalanobis",
    "standardised",
    "local_fdr",
    "tail_fdr",
    "pvalue",
    "qvalue",
    "is_de",
    "neg_log10_ptp",
    "sample_effect",
    "changed_share",
    "pattern",
    "strongest_type",
    "strongest_type_lfc",
]


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names, labels = read_names(store["var"]), read_labels(store["var"])
    arrays, fdr = read_arrays(job.input.fdr)
    if job.input.get("localisation"):
        arrays |= where_changed(job.input, len(names))
    if (labels != names).any():
        arrays["feature_name"] = labels
    columns = {column: arrays[column] for column in COLUMNS if column in arrays}
    save(job, pd.DataFrame({"gene": names} | columns).iloc[rank_genes(arrays, fdr["ranking"])])


run(main, snakemake)
