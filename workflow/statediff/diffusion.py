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
# Relative residual at which the search for eigenvectors in single precision stops; components more
# than asked for, since the last ones converge slowest.
TOLERANCE, MORE = 1e-5, 4


def affinity(neighbours, distances, nearer):
    r"""Affinity of cells to their neighbours, with a width of its own for each cell.

    .. math:: K = W + W^T, \qquad W_{ij} = \exp(-d_{ij} / s_i)

    for the neighbours j of cell i, with :math:`s_i` the distance to one of the nearer neighbours.

    Parameters
    ----------
    neighbours : ndarray of int, shape (n, k)
        The nearest first, without the cell itself.
    distances : ndarray, shape (n, k)
        Positive.
    nearer : int
        Rank of the neighbour whose distance is the width, from 1 to k.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n, n)

    References
    ----------
    Setty et al. (2019), Nature Biotechnology 37, 451–460.
    """
    n, k = neighbours.shape
    weights = np.exp(-distances / distances[:, nearer - 1, None])
    parts = weights.ravel(), neighbours.ravel(), np.arange(0, n * k + 1, k)
    one_way = sparse.csr_matrix(parts, shape=(n, n))
    return (one_way + one_way.T).tocsr()


def leading_components(kernel, n_components, seed):
    r"""Eigenvectors of the diffusion between cells that have the largest eigenvalues.

    The transitions :math:`D^{-1} K`, D being the sums of rows, have the eigenvalues of the
    symmetric :math:`D^{-1/2} K D^{-1/2}`, and its eigenvectors divided by :math:`D^{1/2}`. Lanczos'
    method finds these in single precision, to a relative residual of 1e-5 and with four more than
    are asked for; the projection of the matrix onto them, in double precision (Rayleigh-Ritz),
    gives eigenvalues with an error of the order of the square of the residual.

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
        Of length one, the value of largest magnitude positive.
    eigenvalues : ndarray, shape (n_components,)
        In decreasing order.

    References
    ----------
    Coifman & Lafon (2006), Applied and Computational Harmonic Analysis 21, for the symmetric
    matrix; Saad (2011), Numerical Methods for Large Eigenvalue Problems, chapters 4 and 6.
    """
    from scipy.linalg import eigh
    from scipy.sparse.csgraph import reverse_cuthill_mckee
    from scipy.sparse.linalg import eigsh
    from threadpoolctl import threadpool_limits

    n = kernel.shape[0]
    LOGGER.info("%d eigenvectors of the diffusion between %s cells", n_components, f"{n:,}")
    # Neighbours close together in memory make products with the matrix twice as fast.
    order = reverse_cuthill_mckee(kernel, symmetric_mode=True)
    kernel = kernel[order][:, order]
    root = np.sqrt(np.asarray(kernel.sum(axis=1)).ravel())
    scale = sparse.diags(1.0 / root)
    symmetric = (scale @ kernel @ scale).tocsr()
    start = root * np.random.default_rng(seed).random(n)
    more = min(n_components + MORE, n - 1)
    with threadpool_limits(1):  # short products, whose result more threads would change
        _, found = eigsh(
            symmetric.astype(np.float32),
            more,
            which="LA",
            v0=start.astype(np.float32),
            ncv=min(2 * more, n),
            tol=TOLERANCE,
        )
        found = found.astype(np.float64)
        eigenvalues, turn = eigh(found.T @ (symmetric @ found), found.T @ found)
        found = found @ turn[:, ::-1][:, :n_components] / root[:, None]
    components = np.empty_like(found)
    largest = found[np.abs(found).argmax(axis=0), np.arange(n_components)]
    components[order] = found * np.sign(largest) / np.linalg.norm(found, axis=0)
    return components, eigenvalues[::-1][:n_components]


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
