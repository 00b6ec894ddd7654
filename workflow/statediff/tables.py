"""Tables of results as DataFrames, and results as columns of an AnnData."""

import json

import numpy as np
import pandas as pd

from statediff.abundance import in_log2
from statediff.basis_values import phi_means
from statediff.fields import DIRECTIONS
from statediff.localisation import in_groups, patterns, strongest_group
from statediff.significance import rank_genes

__all__ = [
    "cell_table",
    "cells_in_blocks",
    "changes_by_type",
    "contrast_row",
    "direction_table",
    "fold_changes_by_type",
    "gene_table",
    "group_table",
    "named_change",
    "region_table",
    "sample_table",
    "standardised_levels",
    "swarm_table",
    "where_changed",
    "with_fields",
]

# Called genes that the table of contrasts names.
NAMED_GENES = 5
# Columns of genes, those of them that there are.
OF_GENES = [
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
OF_GROUPS = [
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
OF_CELLS = [
    "lfc",
    "lfc_per_unit",
    "lfc_zscore",
    "neg_log10_lfc_ptp",
    "pvalue",
    "qvalue",
    "lfc_direction",
    "log_density_reference",
    "log_density_compared",
    "std_reference",
    "std_compared",
]
# Fewer cells of a type in a block are no point of a swarm, but for the largest part of a type.
LEAST_CELLS = 5
# A type of which a smaller share of the cells changes is left out: blocks hold some neighbours.
LEAST_SHARE = 0.1
SIGNS = {"up": 1, "down": -1}


def gene_table(names, labels, statistics, ranking):
    """Genes of a contrast, those with the strongest evidence of change first.

    Parameters
    ----------
    names : ndarray of str, shape (genes,)
    labels : ndarray of str, shape (genes,)
        Names by which genes are shown; a column where they are others.
    statistics : dict of ndarray, shape (genes,)
    ranking : str
        Statistic that ranks the genes: see `statediff.significance.rank_genes`.

    Returns
    -------
    pandas.DataFrame
    """
    shown = {"feature_name": labels} if (labels != names).any() else {}
    arrays = statistics | shown
    columns = {name: arrays[name] for name in OF_GENES if name in arrays}
    return pd.DataFrame({"gene": names} | columns).iloc[rank_genes(statistics, ranking)]


def group_table(genes, arrays, ranking):
    """Genes in each group of a contrast, those with the strongest evidence of change first.

    Parameters
    ----------
    genes : ndarray of str, shape (genes,)
    arrays : dict of ndarray
        ``names`` of the groups, and statistics of shape (groups, genes).
    ranking : str
        As for `gene_table`.

    Returns
    -------
    pandas.DataFrame
    """
    tables = []
    for i, name in enumerate(arrays["names"]):
        columns = {column: arrays[column][i] for column in OF_GROUPS if column in arrays}
        table = pd.DataFrame({"gene": genes, "group": name} | columns)
        tables.append(table.iloc[rank_genes(columns, ranking)])
    return pd.concat(tables, ignore_index=True)


def cell_table(names, conditions, arrays, types=None):
    """Cells of a contrast: change of abundance, densities, uncertainty of smoothed expression.

    Parameters
    ----------
    names : ndarray of str, shape (cells,)
    conditions : pandas.Categorical
    arrays : dict of ndarray, shape (cells,)
        Of abundance in natural logarithms; the table has log2.
    types : pandas.Categorical, optional

    Returns
    -------
    pandas.DataFrame
    """
    table = pd.DataFrame({"cell": names, "condition": conditions})
    if types is not None:
        table["cell_type"] = types
    arrays = in_log2(arrays) | {"lfc_direction": np.array(DIRECTIONS)[arrays["lfc_direction"]]}
    return table.assign(**{name: arrays[name] for name in OF_CELLS if name in arrays})


def cells_in_blocks(codes, types):
    """Cells of each type in each block.

    Parameters
    ----------
    codes : ndarray of int, shape (cells,)
        Block of each cell; −1 for none.
    types : pandas.Categorical

    Returns
    -------
    ndarray, shape (types, blocks)
    """
    inside = codes >= 0
    cells = np.zeros((len(types.categories), codes.max() + 1))
    np.add.at(cells, (types.codes[inside], codes[inside]), 1.0)
    return cells


def where_changed(found, cells, types, n_genes):
    """Columns that describe where the called genes change; empty for other genes.

    Parameters
    ----------
    found : dict of ndarray
        From `statediff.gene_tests.locate_genes`.
    cells : ndarray, shape (types, blocks)
        From `cells_in_blocks`.
    types : sequence of str or None
        None where there is one type and no name.
    n_genes : int

    Returns
    -------
    dict of ndarray, shape (genes,)
        ``changed_share`` and ``pattern``, with types also ``strongest_type`` and its log2 fold
        change, ``strongest_type_lfc``.
    """
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


def region_table(found, cells, types, names, order):
    """Where each called gene changes: by cell type, or by region where there are no types.

    Parameters
    ----------
    found, cells, types
        As for `where_changed`.
    names : ndarray of str, shape (genes,)
    order : ndarray of int, shape (genes,)
        From `statediff.significance.rank_genes`.

    Returns
    -------
    pandas.DataFrame
        Columns gene, cell_type (of all types) or region, direction, share (of its cells) and lfc
        (log2).
    """
    table = _by_region(found, cells[0]) if types is None else changes_by_type(found, cells, types)
    table.insert(0, "gene", names[found["genes"][table["of"]]])
    table["rank"] = np.argsort(order)[found["genes"][table["of"]]]
    table = table.sort_values(["rank", "share"], ascending=[True, False], kind="stable")
    table = table.drop(columns=["of", "rank"]).reset_index(drop=True)
    if types is not None:
        # With the types in which nothing changes, and in the order of all.
        table["cell_type"] = pd.Categorical(table["cell_type"], types)
    return table


def changes_by_type(found, cells, types):
    """A row for each gene, direction and type of which at least a tenth of the cells change so.

    Parameters
    ----------
    found, cells, types
        As for `where_changed`.

    Returns
    -------
    pandas.DataFrame
        Columns of (position among the called genes), cell_type, direction, share, lfc (log2).
    """
    parts = []
    for name, sign in SIGNS.items():
        share, lfc = in_groups(found["direction"] == sign, found["lfc"], cells)
        genes, at = np.nonzero(share >= LEAST_SHARE)
        columns = {"of": genes, "cell_type": np.asarray(types, dtype=object)[at]}
        columns |= {"direction": name, "share": share[genes, at], "lfc": lfc[genes, at]}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def swarm_table(blocks, types, lfc, directions):
    """Change of abundance of the cells of each type in each block of similar cells.

    Parameters
    ----------
    blocks : ndarray of int, shape (cells,)
        Block of each cell; −1 for none.
    types : pandas.Categorical
    lfc : ndarray, shape (cells,)
    directions : sequence of str, shape (cells,)
        down, neutral or up.

    Returns
    -------
    pandas.DataFrame
        Columns block, cell_type, lfc (mean), cells, and direction: that in which more than half of
        the cells are called.
    """
    directions = np.asarray(directions, dtype=object)
    each = pd.DataFrame(
        {"block": blocks, "cell_type": types, "lfc": lfc}
        | {name: directions == name for name in SIGNS}
    )
    groups = each[blocks >= 0].groupby(["block", "cell_type"], observed=True)
    table = groups.mean().assign(cells=groups.size()).reset_index()
    largest = table.groupby("cell_type", observed=True)["cells"].transform("max")
    table = table[(table["cells"] >= LEAST_CELLS) | (table["cells"] == largest)]
    called = [table[name] > 0.5 for name in SIGNS]
    return table.assign(direction=np.select(called, list(SIGNS), "neutral"))


def named_change(role, conditions):
    """What a fold change of genes is, for the axis of a figure.

    Parameters
    ----------
    role : {"adjusted_lfc", "mean_lfc"}
    conditions : pair of str

    Returns
    -------
    str
    """
    kind, unit = {
        "adjusted_lfc": ("Adjusted log₂", "normalised counts"),
        "mean_lfc": ("Mean log", "units of the layer"),
    }[role]
    reference, compared = conditions
    return f"{kind} fold change, {compared} / {reference} ({unit})"


def direction_table(directions, types):
    """Cells of each type by direction of abundance change, as counts and shares.

    Parameters
    ----------
    directions : array of str, shape (cells,)
    types : pandas.Categorical

    Returns
    -------
    pandas.DataFrame
        `cell_type`, `cells`, the counts `up`, `neutral` and `down`, and their shares.
    """
    counts = pd.crosstab(pd.Series(types, name="cell_type"), np.asarray(directions, dtype=str))
    counts = counts.reindex(columns=["up", "neutral", "down"], fill_value=0)
    total = counts.sum(axis=1)
    shares = counts.div(total, axis=0).add_suffix("_share")
    table = pd.concat([total.rename("cells"), counts, shares], axis=1)
    return table.rename_axis(columns=None).reset_index()


def fold_changes_by_type(phi, difference, genes, types):
    """Mean log fold change of genes over the cells of each type.

    Parameters
    ----------
    phi : ndarray or h5py.Dataset, shape (cells, r)
    difference : ndarray, shape (r, genes)
        Of the coefficients of the conditions.
    genes : sequence of str
    types : pandas.Categorical

    Returns
    -------
    pandas.DataFrame, shape (genes, types)
    """
    means = phi_means(phi, [np.asarray(types == name) for name in types.categories])
    return pd.DataFrame((means @ difference).T, index=list(genes), columns=list(types.categories))


def standardised_levels(values, genes, types, members):
    """Mean measured expression by type and condition, as z-scores of each gene.

    Parameters
    ----------
    values : ndarray or scipy.sparse matrix, shape (cells, genes)
    genes : sequence of str
    types : pandas.Categorical
    members : dict of ndarray of bool, shape (cells,)
        Cells of each condition, by its name.

    Returns
    -------
    pandas.DataFrame, shape (genes, 2 × types)
        Columns are pairs of type and condition; NaN where there is no cell.
    """
    columns = {}
    for name in types.categories:
        for condition, mask in members.items():
            cells = (types == name) & mask
            mean = values[cells].mean(axis=0) if cells.any() else np.full(values.shape[1], np.nan)
            columns[name, condition] = np.asarray(mean).ravel()
    levels = pd.DataFrame(columns, index=list(genes))
    spread = levels.std(axis=1).replace(0.0, 1.0)
    return levels.sub(levels.mean(axis=1), axis=0).div(spread, axis=0)


def contrast_row(summary, genes):
    """Row of a contrast in the table of contrasts.

    Parameters
    ----------
    summary : dict
        Content of ``summary.json``.
    genes : pandas.DataFrame
        `gene`, `mahalanobis` and `is_de`, the genes with the strongest evidence of change first.

    Returns
    -------
    dict
    """
    conditions, cells, fit = summary["conditions"], summary["cells"], summary["expression"]
    abundance = summary["abundance"]
    return {
        "contrast": summary["contrast"],
        "reference": conditions["reference"],
        "compared": conditions["compared"],
        "n_de": fit["n_de"],
        "n_de_up": fit["n_de_up"],
        "n_de_down": fit["n_de_down"],
        "cells_up": abundance["up"],
        "cells_up_share": abundance["up"] / cells["total"],
        "cells_down": abundance["down"],
        "cells_down_share": abundance["down"] / cells["total"],
        "top_genes": ";".join(genes["gene"][genes["is_de"]][:NAMED_GENES]),
        "genes": fit["genes"],
        "cells_reference": cells["reference"],
        "cells_compared": cells["compared"],
        "column": conditions["column"],
        "sample": conditions["sample"],
        "pair": conditions["pair"],
        "adjust": ";".join(conditions["adjust"]) or None,
        "filter": json.dumps(conditions["cells"]) if conditions["cells"] else None,
        "cells_evaluated": cells["evaluated"],
        "test": fit["test"],
        "freedom_reference": fit["freedom_reference"],
        "freedom_compared": fit["freedom_compared"],
        "ls": fit["ls"],
        "ls_learnt": fit["learnt"],
        "extent": fit.get("extent", float("nan")),
        "rank": fit["rank"],
        "residual_max": fit["residual_max"],
        "truncated": fit["truncated"],
        "mahalanobis_threshold": fit["mahalanobis_threshold"],
        "mahalanobis_max": genes["mahalanobis"].max(),
    }


def sample_table(values, genes, types, samples, conditions, pairs=None):
    """Pseudobulk expression of genes in each sample and cell type.

    Parameters
    ----------
    values : scipy.sparse.csr_matrix, shape (cells, genes)
        Counts per 10,000.
    genes : sequence of str
    types : pandas.Categorical, shape (cells,)
        Cells without a type are left out.
    samples : ndarray of int, shape (cells,)
        Number of the sample, −1 for cells that are left out.
    conditions : ndarray of int, shape (samples,)
        0 for a sample of the reference, 1 for one of the compared condition.
    pairs : ndarray, shape (samples,), optional

    Returns
    -------
    pandas.DataFrame
        The table of `statediff.plots.samples.sample_expression`.
    """
    groups = pd.DataFrame({"sample": samples, "cell_type": types})
    groups = groups[samples >= 0].groupby(["sample", "cell_type"], observed=True)
    parts, cells = [], np.flatnonzero(samples >= 0)
    for (sample, name), rows in groups.indices.items():
        means = np.asarray(values[cells[rows]].mean(axis=0)).ravel()
        part = {"gene": list(genes), "expression": np.log2(1 + means), "cells": len(rows)}
        part |= {"sample": sample, "cell_type": name, "condition": conditions[sample]}
        part |= {} if pairs is None else {"pair": pairs[sample]}
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    order = {gene: place for place, gene in enumerate(genes)}
    return table.sort_values("gene", key=lambda names: names.map(order), kind="stable")


def with_fields(table, arrays, fields):
    """Table (obs or var) with the result columns that belong in it.

    Parameters
    ----------
    table : pandas.DataFrame
    arrays : dict of ndarray or pandas.Categorical, shape (rows,)
        By role.
    fields : dict
        Of each role the slot and the name: see `statediff.fields`.

    Returns
    -------
    pandas.DataFrame
    """
    columns = {}
    for role in [role for role in fields if role in arrays]:
        values = arrays[role]
        if role == "lfc_direction":
            values = pd.Categorical.from_codes(values, DIRECTIONS)
        elif values.dtype == object:
            values = pd.Categorical(values)
        elif values.dtype.kind == "f":
            # Kompot's figures print no numbers of single precision.
            values = values.astype(np.float64)
        columns[fields[role][1]] = values
    kept = table.drop(columns=columns, errors="ignore")
    return pd.concat([kept, pd.DataFrame(columns, index=table.index)], axis=1)


def _by_region(found, cells):
    """A row for each gene and region in which it changes; regions are numbered from 1."""
    rows = []
    for gene, region in enumerate(found["region"]):
        for number in np.unique(region[region >= 0]):
            blocks = region == number
            lfc = np.average(found["lfc"][gene, blocks], weights=cells[blocks])
            direction = "up" if lfc > 0 else "down"
            rows.append((gene, number + 1, direction, cells[blocks].sum() / cells.sum(), lfc))
    table = pd.DataFrame(rows, columns=["of", "region", "direction", "share", "lfc"])
    return table.astype({"of": int, "region": int, "share": float, "lfc": float})
