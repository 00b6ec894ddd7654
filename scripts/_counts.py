"""Checks of raw counts and batches in a user's file."""

import numpy as np
from statediff import InputError
from statediff.messages import listed
from statediff.preprocess import FEWEST


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
