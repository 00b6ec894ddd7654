r"""Diffusion maps, and coordinates in which the distance of two cells is that of a diffusion.

Diffusion maps give components :math:`\psi_j` with eigenvalues :math:`\lambda_j`. Left as they are,
each counts as much as any other, and results depend on how many there are. The squared diffusion
distance at time t is :math:`\sum_j \lambda_j^{2t} (\psi_j(x) - \psi_j(y))^2`; summed over times
t = ½, 1, 1½, … it weights a component by :math:`\lambda_j / (1 - \lambda_j)`: later components
count less and less.

References
----------
Coifman & Lafon (2006), Applied and Computational Harmonic Analysis 21, for diffusion distances;
Qiu & Hancock (2007), IEEE TPAMI 29, for their sum over all times, the commute time.
"""

import numpy as np
from scipy import sparse

from statediff.progress import LOGGER

__all__ = ["affinity", "leading_components", "scaled_components"]

# Components of disconnected parts have an eigenvalue of 1, and would count without limit.
LARGEST = 0.9999
# A component that varies less, relative to the largest, is constant but for rounding.
CONSTANT = 1e-6
# Relative error of the eigenvalues at which their computation stops.
TOLERANCE = 1e-6


def affinity(neighbours, distances):
    r"""Affinity of cells to their neighbours, with a width of its own for each cell.

    .. math:: K = W + W^T, \qquad W_{ij} = \exp(-d_{ij} / s_i)

    for the neighbours j of cell i, with :math:`s_i` the distance to the neighbour that a third of
    them are as near as.

    Parameters
    ----------
    neighbours : ndarray of int, shape (n, k)
        The nearest first, without the cell itself.
    distances : ndarray, shape (n, k)
        Positive.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n, n)

    References
    ----------
    Setty et al. (2019), Nature Biotechnology 37, 451–460.
    """
    n, k = neighbours.shape
    widths = distances[:, (k + 1) // 3 - 1]
    weights = np.exp(-distances / widths[:, None])
    parts = weights.ravel(), neighbours.ravel(), np.arange(0, n * k + 1, k)
    one_way = sparse.csr_matrix(parts, shape=(n, n))
    return (one_way + one_way.T).tocsr()


def leading_components(kernel, n_components, seed):
    r"""Eigenvectors of the diffusion between cells, with the largest absolute eigenvalues.

    The transitions :math:`D^{-1} K`, D being the sums of rows, have the eigenvalues of the
    symmetric :math:`D^{-1/2} K D^{-1/2}`, and its eigenvectors divided by :math:`D^{1/2}`: Lanczos'
    method finds them, to a relative error of 1e-6 of the eigenvalues.

    Parameters
    ----------
    kernel : scipy.sparse.csr_matrix, shape (n, n)
        From `affinity`.
    n_components : int
        Less than n.
    seed : int
        Of the vector that the iterations start from.

    Returns
    -------
    components : ndarray, shape (n, n_components)
        Of length one, in decreasing order of their eigenvalues.
    eigenvalues : ndarray, shape (n_components,)

    References
    ----------
    Coifman & Lafon (2006), Applied and Computational Harmonic Analysis 21.
    """
    from scipy.sparse.linalg import eigsh

    LOGGER.info("eigenvectors of the diffusion between %s cells", f"{kernel.shape[0]:,}")
    root = np.sqrt(np.asarray(kernel.sum(axis=1)).ravel())
    scale = sparse.diags(1.0 / root)
    start = root * np.random.default_rng(seed).random(len(root))
    symmetric = (scale @ kernel @ scale).tocsr()
    eigenvalues, vectors = eigsh(symmetric, n_components, v0=start, tol=TOLERANCE)
    order = np.argsort(eigenvalues)[::-1]
    components = vectors[:, order] / root[:, None]
    return components / np.linalg.norm(components, axis=0), eigenvalues[order]


def scaled_components(components, eigenvalues):
    r"""Diffusion components weighted by their diffusion times.

    Parameters
    ----------
    components : array, shape (n, D)
        Components, of any scale; constant ones may be among them.
    eigenvalues : array, shape (D,)
        Of the diffusion operator, at most 1.

    Returns
    -------
    ndarray, shape (n, D')
        Each component with variance :math:`\lambda_j / (1 - \lambda_j)`, without constant ones
        and those whose eigenvalue is not positive.
    """
    components = np.asarray(components, dtype=np.float64)
    eigenvalues = np.minimum(np.asarray(eigenvalues, dtype=np.float64), LARGEST)
    centred = components - components.mean(axis=0)
    spread = centred.std(axis=0)
    kept = (spread > CONSTANT * np.abs(components).max(axis=0)) & (eigenvalues > 0)
    weights = np.sqrt(eigenvalues[kept] / (1.0 - eigenvalues[kept])) / spread[kept]
    return centred[:, kept] * weights
