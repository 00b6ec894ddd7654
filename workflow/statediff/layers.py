"""Smoothed expression of single genes, from the compressed layers of a result."""

import numpy as np
import pandas as pd

from statediff import InputError
from statediff.provenance import expression_fields
from statediff.store import open_h5ad, read_names

__all__ = ["smoothed_genes"]


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
    fields = {role: f"{f[0]}/{f[1]}" for role, f in expression_fields(reference, compared).items()}
    with open_h5ad(path) as file:
        if fields["phi"] not in file:
            raise InputError(f"{path}: no comparison of {compared!r} with {reference!r}")
        rows = pd.Index(read_names(file["var"])).get_indexer(genes)
        if missing := [gene for gene, row in zip(genes, rows, strict=True) if row < 0]:
            raise InputError(f"{path}: no gene named {', '.join(map(repr, missing[:10]))}")
        order, back = np.unique(rows, return_inverse=True)
        phi = file[fields["phi"]][:]
        values = {
            role: (phi @ file[fields[f"coefficients_{role}"]][order].T)[:, back]
            for role in ("reference", "compared")
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
