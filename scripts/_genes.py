"""Reading the input of figures of single genes."""

import h5py
import numpy as np
import pandas as pd
from _fit import read_coefficients
from _table import read_localisation
from statediff.localisation import first_genes, patterns
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_columns, read_labels
from statediff.tables import changes_by_type, fold_changes_by_type


def chosen_genes(job, most):
    """Columns of the genes to show, by label: those of the configuration, or the top-ranked."""
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    columns = read_arrays(job.input.choices, "genes")[0]["genes"]
    if not len(columns):
        genes, fdr = read_arrays(job.input.fdr)
        ranked = rank_genes(genes, fdr["ranking"])
        known = job.input.get("localisation")
        columns = first_genes(ranked, pattern_of_genes(job, len(ranked)) if known else None, most)
    return {names[column]: int(column) for column in columns}


def pattern_of_genes(job, n_genes):
    """Pattern of each gene's change; nothing for those that could not be localised."""
    found, cells, _ = read_localisation(job.input)
    of_all = np.full(n_genes, None, dtype=object)
    _, of_all[found["genes"]] = patterns(found["direction"], cells.sum(axis=0))
    return of_all


def changed_types(job, genes, types):
    """Whether genes change significantly in some cells of types, genes × types; None if unknown."""
    if not job.input.get("localisation"):
        return None
    found, cells, names = read_localisation(job.input)
    table = changes_by_type(found, cells, names)
    columns = found["genes"][table["of"]]
    known = pd.crosstab(columns, table["cell_type"].to_numpy()) > 0
    shown = known.reindex(index=list(genes.values()), columns=list(types), fill_value=False)
    return shown.set_axis(list(genes))


def shown_types(job):
    """Type of each cell, unknown for the types that the configuration leaves out."""
    types = pd.read_parquet(job.input.cell_types)["cell_type"].array
    kept = [name for name in types.categories if name not in job.params.without]
    return types.set_categories(kept).remove_unused_categories()


def fold_changes(job, genes, types):
    """Mean log fold change of genes over the cells of each type, from the compressed layers."""
    stored = sorted(genes, key=genes.get)
    with h5py.File(job.input.fit, "r") as fit:
        reference, compared, _ = read_coefficients(fit, [genes[name] for name in stored])
        table = fold_changes_by_type(fit["phi"], compared - reference, stored, types)
    return table.reindex(list(genes))


def measured(job, genes):
    """Measured expression of genes (labels) at all cells, sparse."""
    with h5py.File(job.input.store, "r") as store:
        names = pd.Index(read_labels(store["var"]))
        return read_columns(store["X"], names.get_indexer(list(genes)))
