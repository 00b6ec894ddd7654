"""What figures of single genes read."""

import h5py
import numpy as np
import pandas as pd
from _fit import read_coefficients
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_columns, read_labels


def chosen_genes(job, most):
    """Columns of the genes to show by their labels: those of the configuration, or the best."""
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    columns = read_arrays(job.input.choices, "genes")[0]["genes"]
    if not len(columns):
        genes, fdr = read_arrays(job.input.fdr)
        columns = rank_genes(genes, fdr["ranking"])[:most]
    return {names[column]: int(column) for column in columns}


def shown_types(job):
    """Type of each cell, unknown for the types that the configuration leaves out."""
    types = pd.read_parquet(job.input.cell_types)["cell_type"].array
    kept = [name for name in types.categories if name not in job.params.without]
    return types.set_categories(kept).remove_unused_categories()


def fold_changes(job):
    """Mean log fold change of genes over the cells of each type, from the compressed layers."""
    genes, types = chosen_genes(job, job.params.heatmap_genes), shown_types(job)
    order = np.argsort(list(genes.values()))
    with h5py.File(job.input.fit, "r") as fit:
        reference, compared, _ = read_coefficients(fit, np.array(list(genes.values()))[order])
        phi = fit["phi"][:]
    means = np.stack([phi[types == name].mean(axis=0) for name in types.categories])
    change = np.empty((len(genes), len(means)))
    change[order] = (means @ (compared - reference)).T
    return pd.DataFrame(change, index=list(genes), columns=list(types.categories))


def measured(job, genes):
    """Measured expression of genes (labels) at all cells, sparse."""
    with h5py.File(job.input.store, "r") as store:
        names = pd.Index(read_labels(store["var"]))
        return read_columns(store["X"], names.get_indexer(list(genes)))
