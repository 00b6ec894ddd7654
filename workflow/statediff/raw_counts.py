"""Raw counts of a user's file: their checks, and the AnnData that is made from them."""

import numpy as np
from anndata.io import write_elem

from statediff import InputError
from statediff.inputs import check_names, find_counts
from statediff.messages import listed
from statediff.preprocess import (
    FEWEST,
    Moments,
    common_depth,
    covariance,
    expected_logarithm,
    integrate,
    logarithm,
    principal_components,
    project,
    quality,
    scale,
    variable_genes,
)
from statediff.settings import COMPONENTS, INTEGRATED, LAYER
from statediff.store import write_csr

__all__ = ["check_kept", "count_blocks", "find_batches", "preprocess_counts"]

MADE = (COMPONENTS, INTEGRATED)
# What scanpy noted of matrices and components other than those made here.
STALE = ("log1p", "hvg", "pca", "neighbors")


def preprocess_counts(source, file, config, threads=1):
    """Write log expression and principal components of the cells and genes that are kept.

    Parameters
    ----------
    source : statediff.source.Source
        With raw counts.
    file : h5py.File
        New, to which obs, var, varm, obsm, uns and a layer are written.
    config : dict
        Keys of the section dataset.preprocess.
    threads : int
        Of Harmony.

    Returns
    -------
    dict
        Numbers of cells and genes found and kept, and of their counts; for JSON.

    Raises
    ------
    InputError
        For values that are not counts, unsuitable batches, or too few cells or genes.
    """
    option = "dataset.preprocess.counts"
    obs, (matrix, var) = source.obs, find_counts(source, config["counts"], option)
    check_names(obs, var)
    find_batches(obs, config)
    blocks = count_blocks(matrix, option, var.index)
    limits = config["min_counts"] or 0, config["min_genes"] or 0
    found = quality(blocks, len(var), *limits)
    cells, genes = found.kept, found.cells >= (config["min_cells"] or 0)
    check_kept(found, genes, config, obs.index)
    batches, mixed = find_batches(obs[cells], config)

    def kept():
        return _kept_blocks(count_blocks(matrix, option, var.index), cells, genes)

    totals, n_genes = found.counts[cells], int(genes.sum())
    depth, moments = common_depth(totals), Moments(batches, n_genes)
    layer = file.create_group(f"layers/{LAYER}")
    write_csr(layer, _logged_blocks(kept(), config["target_sum"], depth, moments), n_genes)
    chosen = variable_genes(moments, config["highly_variable_genes"])
    columns = np.arange(len(chosen))
    mean, spread = covariance(_thinned_blocks(kept(), totals, depth, chosen), columns)
    loadings, variance = principal_components(spread, config["n_components"])
    thinned = _thinned_blocks(kept(), totals, depth, chosen)
    made = {COMPONENTS: project(thinned, columns, mean, loadings)}
    share = variance / np.trace(spread)
    if harmony := config["harmony"]:
        made[INTEGRATED] = integrate(
            made[COMPONENTS], mixed, harmony["theta"], harmony["seed"], threads
        )
    var = var[genes].assign(highly_variable=np.isin(np.arange(n_genes), chosen))
    weights = np.zeros((n_genes, len(variance)))
    weights[chosen] = loadings
    others = {key: values[cells] for key, values in source.readable("obsm", MADE).items()}
    pca = {"variance": variance, "variance_ratio": share}
    for slot, values in (
        ("obs", obs[cells]),
        ("var", var),
        ("varm", {"PCs": weights}),
        ("obsm", others | made),
        ("uns", source.readable("uns", STALE) | {"pca": pca}),
    ):
        write_elem(file, slot, values)
    return {
        "cells": {
            "found": len(cells),
            "too_few_counts": int((found.counts < limits[0]).sum()),
            "too_few_genes": int((found.genes < limits[1]).sum()),
            "kept": int(cells.sum()),
        },
        "genes": {"found": len(genes), "kept": n_genes, "highly_variable": len(chosen)},
        "counts_per_cell": _spread_of(totals),
        "genes_per_cell": _spread_of(found.genes[cells]),
        "common_depth": depth,
        "components": {"n": len(variance), "share_of_variance": float(share.sum())},
        "batches": {"ranked_in": int((moments.cells >= FEWEST).sum())}
        | {"mixed": {column: int(codes.max() + 1) for column, codes in mixed.items()}},
        "replaced": [name for name in MADE if source.has("obsm", name)],
    }


def _kept_blocks(blocks, cells, genes):
    """Blocks of the cells and genes that are kept."""
    for start, block in blocks:
        yield block[cells[start : start + block.shape[0]]][:, genes]


def _logged_blocks(blocks, target, depth, moments):
    """Log expression of blocks of counts, which are counted in on the way, at a common depth."""
    start = 0
    for block in blocks:
        scaled = scale(block, target)
        moments.add(start, scaled * (depth / target))
        start += scaled.shape[0]
        yield logarithm(scaled)


def _thinned_blocks(blocks, totals, depth, genes):
    """Expected logarithm, at a common depth, of some genes in blocks of counts."""
    start = 0
    for block in blocks:
        stop = start + block.shape[0]
        yield start, expected_logarithm(block[:, genes], totals[start:stop], depth)
        start = stop


def _spread_of(values):
    """Smallest, median and largest value."""
    return dict(zip(("min", "median", "max"), map(float, np.quantile(values, [0, 0.5, 1]))))


def count_blocks(matrix, option, genes):
    """Row blocks without stored zeros; values that are not counts raise an error."""
    for start, block in matrix.blocks():
        block.eliminate_zeros()
        counted = np.isfinite(block.data) & (block.data > 0) & (block.data == np.round(block.data))
        if not counted.all():
            row, column = (axis[~counted][0] for axis in block.tocoo().coords)
            raise InputError(
                f"{option}: found {block.data[~counted][0]:g} in cell row {start + row}, gene "
                f"{genes[column]!r}; expected raw counts (whole numbers, none negative) in the "
                "layer that this key names, in X (null) or in raw"
            )
        yield start, block


def check_kept(found, genes, config, names):
    """Raise an error for cells without counts, and for too many components."""
    empty = found.kept & (found.counts == 0)
    if empty.any():
        raise InputError(
            f"dataset.preprocess.min_counts: {empty.sum()} cells have no counts (first: "
            f"{names[empty.argmax()]!r}); expected a number, such as 1, to leave them out"
        )
    n_genes = min(int((genes & (found.cells > 0)).sum()), config["highly_variable_genes"])
    for n, kind in ((int(found.kept.sum()), "cells"), (n_genes, "highly variable genes")):
        if config["n_components"] >= n:
            raise InputError(
                f"dataset.preprocess.n_components: found {config['n_components']}, expected fewer "
                f"than the {n} {kind} (after min_counts, min_genes and min_cells)"
            )


def find_batches(obs, config):
    """Batch of each cell to rank genes in, and those that Harmony mixes, {column: batches}."""
    harmony = config["harmony"] or {"batch": []}
    columns = harmony["batch"]
    columns = [columns] if isinstance(columns, str) else columns
    mixed = {name: _codes(obs, name, "dataset.preprocess.harmony.batch") for name in columns}
    if config["batch"] is None:
        return np.zeros(len(obs), dtype=int), mixed
    return _codes(obs, config["batch"], "dataset.preprocess.batch"), mixed


def _codes(obs, column, option):
    """Number of each cell's level in an obs column, among those that occur."""
    if column not in obs:
        raise InputError(f"{option}: no obs column {column!r}; there are: {listed(obs.columns)}")
    if missing := int(obs[column].isna().sum()):
        raise InputError(f"{option}: {missing} cells have no value in obs column {column!r}")
    levels, codes = np.unique(obs[column].astype(str), return_inverse=True)
    if len(levels) < 2:
        raise InputError(
            f"{option}: obs column {column!r} has one level only ({listed(levels)}), expected two "
            "batches or more"
        )
    if len(levels) * FEWEST > len(obs):
        raise InputError(
            f"{option}: obs column {column!r} has {len(levels)} levels for {len(obs)} cells, "
            f"expected batches of at least {FEWEST} cells on average"
        )
    return codes
