"""What figures read, and saving them as PDF and PNG."""

import h5py
import numpy as np
import pandas as pd
from _fit import read_coefficients
from anndata.io import read_elem
from statediff.plots.style import GREY, styled
from statediff.provenance import DIRECTIONS
from statediff.significance import rank_genes
from statediff.store import atomic, read_arrays, read_columns


def conditions(job):
    return job.params.contrast["reference"], job.params.contrast["compared"]


def coordinates(job):
    """Two coordinates of each cell, and their names."""
    name = job.params.embedding.removeprefix("X_").upper()
    xy = read_arrays(job.input.embedding, "embedding")[0]["embedding"][:, :2]
    return xy, [f"{name} {i}" for i in (1, 2)]


def abundance(job):
    """Change of abundance at each cell, directions by name."""
    arrays, _ = read_arrays(job.input.abundance)
    return arrays | {"lfc_direction": [DIRECTIONS[code] for code in arrays["lfc_direction"]]}


def significance(job, cells):
    """−log10 of what decides about the change of abundance of a cell, its name and thresholds."""
    thresholds = job.params.thresholds
    calibrated = "qvalue" in cells
    tiny = np.finfo(float).tiny
    return {
        "significance": -np.log10(np.maximum(cells["qvalue"], tiny))
        if calibrated
        else cells["neg_log10_lfc_ptp"],
        "measure": "q-value" if calibrated else "posterior tail probability",
        "lfc_threshold": thresholds["lfc_threshold"],
        "threshold": thresholds["fdr_threshold" if calibrated else "ptp_threshold"],
    }


def chosen_genes(job):
    """Columns of the genes to show by their names: those of the configuration, or the best."""
    with h5py.File(job.input.store, "r") as store:
        names = read_elem(store["var"]).index
    columns = read_arrays(job.input.choices, "genes")[0]["genes"]
    if not len(columns):
        genes, fdr = read_arrays(job.input.fdr)
        columns = rank_genes(genes, fdr["ranking"])[: job.params.most]
    return {names[column]: int(column) for column in columns}


def shown_types(job):
    """Type of each cell, unknown for the types that the configuration leaves out."""
    types = pd.read_parquet(job.input.cell_types)["cell_type"].array
    kept = [name for name in types.categories if name not in job.params.without]
    return types.set_categories(kept).remove_unused_categories()


def fold_changes(job):
    """Mean log fold change of genes over the cells of each type, from the compressed layers."""
    genes, types = chosen_genes(job), shown_types(job)
    order = np.argsort(list(genes.values()))
    with h5py.File(job.input.fit, "r") as fit:
        reference, compared, _ = read_coefficients(fit, np.array(list(genes.values()))[order])
        phi = fit["phi"][:]
    means = np.stack([phi[types == name].mean(axis=0) for name in types.categories])
    change = np.empty((len(genes), len(means)))
    change[order] = (means @ (compared - reference)).T
    return pd.DataFrame(change, index=list(genes), columns=list(types.categories))


def measured(job, genes):
    """Measured expression of genes (names) at all cells, sparse."""
    with h5py.File(job.input.store, "r") as store:
        names = read_elem(store["var"]).index
        return read_columns(store["X"], names.get_indexer(list(genes)))


def own_colors(store, column, shown):
    """The data set's own colours of some categories of a column, if it has one for each of all."""
    with h5py.File(store, "r") as file:
        key = f"uns/{column}_colors"
        if key not in file or h5py.check_string_dtype(file[key].dtype) is None:
            return None
        colors = file[key].asstr()[:]
        categories = read_elem(file["obs"])[column].astype("category").cat.categories
    # Colours go by position among all categories, of which those without cells are not shown.
    if len(colors) != len(categories):
        return None
    palette = dict(zip(map(str, categories), colors, strict=True))
    return [palette.get(name, GREY) for name in shown]


@styled
def save(job, figure):
    for path in (job.output.pdf, job.output.png):
        with atomic(path) as part:
            figure.savefig(part, format=path.rsplit(".", 1)[1], dpi=300)
