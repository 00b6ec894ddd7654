"""Two coordinates to draw the cells at."""

import numpy as np
from scipy import sparse

from statediff import InputError
from statediff.inputs import check_finite
from statediff.messages import key_of
from statediff.nearest import nearest_among_many
from statediff.neighbours import EXACT
from statediff.progress import LOGGER
from statediff.states import SEARCHED_EXACTLY

__all__ = ["umap"]

# Cells beyond which half of the usual 200 epochs have to do.
MANY = 200_000


def umap(coordinates, n_neighbors, seed, option=""):
    """Scanpy's UMAP, faster for many cells.

    From 8,192 cells on, neighbours are those of `statediff.nearest`. Beyond
    50,000 cells the layout starts from the first two coordinates instead of eigenvectors of the
    graph of neighbours, and beyond 200,000 it has 100 epochs instead of 200.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, D)
        Such as principal components, in decreasing order of their variance.
    n_neighbors : int
        Neighbours of each cell, itself included.
    seed : int
    option : str
        Section of the configuration, for messages.

    Returns
    -------
    ndarray, shape (cells, 2)

    Raises
    ------
    InputError
        If there are too few cells, or the result is not finite.

    References
    ----------
    McInnes, Healy & Melville (2018), arXiv:1802.03426.
    """
    import scanpy
    from anndata import AnnData

    n_cells = len(coordinates)
    if n_neighbors >= n_cells:
        raise InputError(
            f"{key_of(option, 'n_neighbors')}: found {n_neighbors}, expected fewer than the "
            f"{n_cells} cells"
        )
    adata = AnnData(obsm={"X": coordinates}, shape=(n_cells, 0))
    search = _Search(n_neighbors, seed) if n_cells > SEARCHED_EXACTLY else None
    scanpy.pp.neighbors(
        adata, n_neighbors=n_neighbors, use_rep="X", random_state=seed, transformer=search
    )
    LOGGER.info("UMAP of %s cells", f"{n_cells:,}")
    scanpy.tl.umap(
        adata,
        random_state=seed,
        init_pos=np.asarray(coordinates[:, :2]) if n_cells > EXACT else "spectral",
        maxiter=100 if n_cells > MANY else None,
    )
    check_finite(adata.obsm["X_umap"], f"{option}: the UMAP" if option else "the UMAP")
    return adata.obsm["X_umap"]


class _Search:
    """`nearest_among_many`, as scanpy wants it."""

    def __init__(self, n_neighbors, seed):
        self._n_neighbors, self._seed = n_neighbors, seed

    def get_params(self):
        return {"n_neighbors": self._n_neighbors}

    def fit_transform(self, values):
        cells, distances = nearest_among_many(values, self._n_neighbors - 1, self._seed)
        rows = np.arange(0, cells.size + 1, cells.shape[1])
        return sparse.csr_matrix((distances.ravel(), cells.ravel(), rows), (len(cells),) * 2)
