"""Results of a contrast as tables: genes, cells, cell types."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from anndata.io import read_elem
from statediff.provenance import DIRECTIONS
from statediff.store import atomic, read_arrays

GENE_COLUMNS = ["mean_lfc", "mahalanobis", "local_fdr", "tail_fdr", "pvalue", "is_de",
                "neg_log10_ptp"]  # fmt: skip
CELL_COLUMNS = ["lfc", "lfc_zscore", "neg_log10_lfc_ptp", "log_density_reference",
                "log_density_compared"]  # fmt: skip


def main(job):
    with h5py.File(job.input.store, "r") as store:
        obs, genes = read_elem(store["obs"]), read_elem(store["var"]).index
    save(job, "genes", gene_table(genes, read_arrays(job.input.fdr)[0]))
    cells = cell_table(obs, job, read_arrays(job.input.abundance)[0])
    save(job, "cells", cells)
    save(job, "cell_types", direction_counts(cells))


def gene_table(names, arrays):
    table = pd.DataFrame({"gene": names} | {name: arrays[name] for name in GENE_COLUMNS})
    return table.sort_values("mahalanobis", ascending=False, kind="stable", ignore_index=True)


def cell_table(obs, job, arrays):
    column, cell_type = job.params.column, job.params.cell_type
    table = pd.DataFrame({"cell": obs.index, "condition": obs[column].astype(str).to_numpy()})
    known = cell_type is not None
    types = obs[cell_type].astype("category") if known else pd.Categorical(["all cells"] * len(obs))
    table["cell_type"] = pd.Categorical(types)
    for name in CELL_COLUMNS:
        table[name] = arrays[name]
    table["lfc_direction"] = np.array(DIRECTIONS)[arrays["lfc_direction"]]
    fit, _ = read_arrays(job.input.fit, "std_reference", "std_compared")
    return table.assign(**fit)


def direction_counts(cells):
    """Cells of each type by direction, as counts and shares, in the data set's order of types."""
    counts = pd.crosstab(cells["cell_type"], cells["lfc_direction"])
    counts = counts.reindex(columns=["up", "neutral", "down"], fill_value=0)
    total = counts.sum(axis=1)
    shares = counts.div(total, axis=0).add_suffix("_share")
    table = pd.concat([total.rename("cells"), counts, shares], axis=1)
    return table.rename_axis(columns=None).reset_index()


def save(job, name, table):
    with atomic(job.output[f"{name}_tsv"]) as part:
        table.to_csv(part, sep="\t", index=False)
    with atomic(job.output[f"{name}_parquet"]) as part:
        table.to_parquet(part, index=False)


run(main, snakemake)
