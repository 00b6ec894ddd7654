"""Reading from a user's file what may not be as expected."""

import difflib

import numpy as np
from statediff import InputError
from statediff.store import matrix_shape, read_names


def listed(names, most=20):
    """Names for a message: the first few, none as such."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none"


def check_names(obs, var):
    """Refuse cells or genes that share a name."""
    for kind, axis, names in (("cell", "obs", obs.index), ("gene", "var", var.index)):
        repeated = names[names.duplicated()].unique()
        if len(repeated):
            raise InputError(
                f"dataset.source: {len(repeated)} {kind} names occur more than once, such as "
                f"{listed(repeated)}; make them unique (AnnData's {axis}_names_make_unique)"
            )


def find_matrix(source, layer, option, shape):
    """The layer that an option names, or X, of this shape; dense, CSR or CSC."""
    if layer is None and "X" not in source:
        raise InputError(f"{option}: null stands for X, but the file has no X")
    if layer is not None and layer not in source.get("layers", {}):
        found = listed(source.get("layers", {}))
        hint = "; dataset.preprocess makes it from raw counts" if layer == "logged_counts" else ""
        raise InputError(f"{option}: no layer {layer!r}; there are: {found} (null: X){hint}")
    matrix = source["X" if layer is None else f"layers/{layer}"]
    if matrix_shape(matrix) != shape:
        raise InputError(
            f"{option}: the matrix has shape {matrix_shape(matrix)}, expected {shape[0]} cells × "
            f"{shape[1]} genes"
        )
    return matrix


def find_counts(source, name, genes, n_cells):
    """Raw counts in a layer, in X or in raw, and the columns of some genes among theirs."""
    if name in source.get("layers", {}) or name not in ("X", "raw"):
        where = f"layers/{name}"
    else:
        where = "raw/X" if name == "raw" else "X"
    if where not in source:
        layers = listed(source.get("layers", {}))
        raise InputError(
            f"dataset.counts: no layer {name!r}; there are: {layers} (also X and raw, if the file "
            "has them)"
        )
    matrix = source[where]
    names = read_names(source["raw/var" if where == "raw/X" else "var"])
    if matrix_shape(matrix) != (n_cells, len(names)):
        raise InputError(
            f"dataset.counts: the matrix has shape {matrix_shape(matrix)}, expected {n_cells} "
            f"cells × {len(names)} genes"
        )
    return matrix, find_genes(names, list(genes), f"dataset.counts ({name})")


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
