"""Reading from a user's file what may not be as expected."""

import numpy as np
from anndata.io import read_elem
from scipy import sparse
from statediff import InputError


def listed(names, most=20):
    """Names for a message: the first few, none as such."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none"


def read_column(obs, column, option):
    """Column of obs."""
    if column not in obs:
        raise InputError(f"{option}: no obs column {column!r}; there are: {listed(obs.columns)}")
    return obs[column]


def read_obsm(source, key, option):
    """Cell states or coordinates as a dense array of finite numbers."""
    if key not in source.get("obsm", {}):
        found = listed(source.get("obsm", {}))
        raise InputError(f"{option}: no obsm key {key!r}; there are: {found}")
    values = read_elem(source[f"obsm/{key}"])
    try:
        dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
        values = dense.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{option}: obsm {key!r} is no matrix of numbers ({error})") from None
    check_finite(values, f"{option}: obsm {key!r}")
    return values


def check_finite(values, name):
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise InputError(
            f"{name} holds NaN or infinite values in {bad.size} cells (first: row {bad[0]}); "
            "expected finite numbers"
        )
