"""Reading from a user's file what may not be as expected."""

import difflib

import numpy as np
from statediff import InputError


def listed(names, most=20):
    """Names for a message: the first few, none as such."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none"


def read_obsm(source, key, option):
    """Cell states or coordinates as a dense array of finite numbers."""
    if key not in source.get("obsm", {}):
        found = listed(source.get("obsm", {}))
        raise InputError(f"{option}: no obsm key {key!r}; there are: {found}")
    from anndata.io import read_elem  # takes a second, which other readers save
    from scipy import sparse

    values = read_elem(source[f"obsm/{key}"])
    try:
        dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
        values = dense.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{option}: obsm {key!r} is no matrix of numbers ({error})") from None
    check_finite(values, f"{option}: obsm {key!r}")
    return values


def find_genes(names, wanted, option):
    """Columns of some genes."""
    columns = {name: column for column, name in enumerate(names)}
    unknown = [gene for gene in wanted if gene not in columns]
    if unknown:
        told = "; ".join(f"{gene!r}{close_matches(gene, names)}" for gene in unknown[:5])
        rest = f"; and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InputError(f"{option}: not among the {len(names)} genes: {told}{rest}")
    return np.array([columns[gene] for gene in wanted], dtype=int)


def close_matches(gene, names):
    """Genes of a similar name, whatever their case, for a message."""
    folded = {name.lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(gene.lower(), folded, n=3)
    return f" (did you mean {', '.join(folded[name] for name in close)}?)" if close else ""


def check_finite(values, name):
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise InputError(
            f"{name} holds NaN or infinite values in {bad.size} cells (first: row {bad[0]}); "
            "expected finite numbers"
        )
