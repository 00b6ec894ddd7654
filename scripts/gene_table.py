"""Genes of a contrast, those that changed most clearly first."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import read_localisation, save
from statediff.localisation import patterns, strongest_group
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names

# Of these, those that the test gives.
COLUMNS = [
    "mean_lfc",
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
        names = read_names(store["var"])
    arrays, fdr = read_arrays(job.input.fdr)
    if job.input.get("localisation"):
        arrays |= where_changed(job, len(names))
    columns = {column: arrays[column] for column in COLUMNS if column in arrays}
    save(job, pd.DataFrame({"gene": names} | columns).iloc[rank_genes(arrays, fdr["ranking"])])


def where_changed(job, n_genes):
    """Columns that tell where the called genes change; nothing for the others."""
    found, cells, types = read_localisation(job.input)
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


run(main, snakemake)
