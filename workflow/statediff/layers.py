"""Layers of smoothed expression: of single genes from a result, and dense ones in blocks."""

import numpy as np

from statediff import InputError
from statediff.basis_values import values_at
from statediff.fields import expression_fields
from statediff.store import open_h5ad, read_names

__all__ = ["smoothed_genes", "write_layers"]

# Values of a layer that are written at a time.
VALUES = 1 << 22
ROLES = ("reference", "compared")


def smoothed_genes(path, genes, reference, compared):
    r"""Read the smoothed expression of genes in both conditions, and their fold changes.

    This is the posterior mean :math:`\Phi C_g` at all cells, from the basis Φ and the coefficients
    C in every adata.h5ad; only the coefficients of these genes are read.

    Parameters
    ----------
    path : path
        An adata.h5ad of the workflow.
    genes : sequence of str
    reference, compared : str
        The conditions.

    Returns
    -------
    dict of str to pandas.DataFrame
        For each gene a data frame with a row for each cell: `reference`, `compared` and
        `fold_change` in units of the expression layer, and `std_reference` and `std_compared`, the
        posterior standard deviations of the first two. The latter are the root mean square over
        all genes and the same in every data frame; if `gp.sigma` was given, they apply to every
        gene.

    Raises
    ------
    InputError
        If the file has no such gene, or no such comparison.
    """
    import pandas as pd  # which jobs that write layers do without

    fields = {role: f"{f[0]}/{f[1]}" for role, f in expression_fields(reference, compared).items()}
    with open_h5ad(path) as file:
        if fields["phi"] not in file:
            raise InputError(f"{path}: no comparison of {compared!r} with {reference!r}")
        rows = pd.Index(read_names(file["var"])).get_indexer(genes)
        if missing := [gene for gene, row in zip(genes, rows, strict=True) if row < 0]:
            raise InputError(f"{path}: no gene named {', '.join(map(repr, missing[:10]))}")
        order, back = np.unique(rows, return_inverse=True)
        phi = file[fields["phi"]]
        values = {
            role: values_at(phi, file[fields[f"coefficients_{role}"]][order].T)[:, back]
            for role in ROLES
        }
        shared = {role: file[fields[role]][:] for role in ("std_reference", "std_compared")}
        cells = read_names(file["obs"])
    change = values["compared"] - values["reference"]
    return {
        gene: pd.DataFrame(
            {role: smoothed[:, i] for role, smoothed in values.items()}
            | {"fold_change": change[:, i]}
            | shared,
            index=pd.Index(cells, name="cell"),
        )
        for i, gene in enumerate(genes)
    }


def write_layers(out, fit, names, signal, reference, compared, between=None):
    """Write dense layers of some genes, a block of cells at a time.

    Parameters
    ----------
    out : h5py.Group
    fit : h5py.File
        The fit of a contrast.
    names : collection of {"smoothed", "fold_change", "fold_change_zscores"}
        Layers to write; z-scores are fold changes over their standard deviation.
    signal : statediff.smoothness.SignalToNoise
        Of the genes.
    reference, compared : ndarray, shape (r, genes)
        Coefficients of both conditions.
    between : ndarray, shape (samples, r, genes), optional
        Deviations of the samples, whose variance is added to that of the fold change.
    """
    layers, difference = {}, compared - reference
    if "smoothed" in names:
        layers |= {"smoothed_reference": reference, "smoothed_compared": compared}
    if "fold_change" in names:
        layers["fold_change"] = difference
    if not names:
        return
    from statediff.device import product  # starts JAX, which jobs without layers do without

    phi, shape = fit["phi"], (len(fit["phi"]), difference.shape[1])
    for name, of_layer in layers.items():
        layer = out.create_dataset(name, shape, dtype=np.float32)
        for block in _cell_blocks(layer):
            layer[block] = product(phi[block], of_layer)
    if "fold_change_zscores" in names:
        layer = out.create_dataset("fold_change_zscores", shape, dtype=np.float32)
        for block in _cell_blocks(layer):
            layer[block] = _zscores(fit, block, signal, difference, between)


def _zscores(fit, rows, signal, difference, between):
    """Fold changes over their standard deviation at some cells."""
    from statediff.device import product

    phi = fit["phi"][rows]
    relative = sum(fit[f"relative_std_{role}"][rows].astype(np.float64) ** 2 for role in ROLES)
    variance = (relative - fit.attrs["eps"])[:, signal.level] * signal.noise**2
    for deviation in () if between is None else between:
        variance += np.square(product(phi, deviation))
    return product(phi, difference) / np.sqrt(variance)


def _cell_blocks(layer):
    """Slices of the cells of a layer."""
    cells = max(1, VALUES // max(layer.shape[1], 1))
    return (slice(start, start + cells) for start in range(0, len(layer), cells))
