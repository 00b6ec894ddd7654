"""From raw counts to log expression and principal components, one block of cells after another.

The counts of every cell are scaled to the same sum, and the logarithm of the scaled counts x is
log2(x + 0.1) − log2(0.1): a difference of one is a doubling where there are counts, and zeros
stay zero. This mostly reflects the presence or absence of a gene, which depends on the depth of
the cell. The components are therefore computed from another logarithm (`expected_logarithm`), whose
mean does not depend on the depth. They are the eigenvectors of the covariance of the highly
variable genes, which is summed over blocks, so that the size of the data is not limited.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import eigh

from statediff.linear import Transform

__all__ = [
    "EXPRESSION",
    "Moments",
    "Quality",
    "common_depth",
    "covariance",
    "expected_logarithm",
    "integrate",
    "log_normalise",
    "logarithm",
    "principal_components",
    "project",
    "quality",
    "scale",
    "variable_genes",
]

PSEUDOCOUNT = 0.1
#: Scaled counts from the layer that `logarithm` computes; the totals of the cells give the scale.
EXPRESSION = Transform("logarithm (2)", 2.0, PSEUDOCOUNT, scaled=False)
# Intervals of mean expression within which genes are compared.
BINS = 20
# Number of cells from which the variance of a gene can be estimated.
FEWEST = 10
# A cell may be as much shallower than the common depth: thinning is extrapolated, which adds noise.
MOST_EXTRAPOLATED = 2.0
# Share of the cells that may be shallower still.
SHALLOW = 0.05
# From so many counts on, after thinning, the expected logarithm is its expansion.
MANY = 60.0
# Counts worked on at a time: bounds memory to 30 MB.
AT_ONCE = 1 << 15
# Of a dense part of a block: bounds its memory to 32 MB.
DENSE_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class Quality:
    """Quality measures of cells and genes.

    Attributes
    ----------
    counts, genes : ndarray, shape (cells,)
        Counts of each cell, and genes with at least one.
    kept : ndarray of bool, shape (cells,)
        Whether both are enough.
    cells : ndarray of int, shape (genes,)
        Kept cells with at least one count of each gene.
    """

    counts: np.ndarray
    genes: np.ndarray
    kept: np.ndarray
    cells: np.ndarray


def quality(blocks, n_genes, min_counts=0, min_genes=0):
    """Add up counts over cells and genes, in one pass.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        Row blocks of counts, from the first cell to the last, with no zeros stored.
    n_genes : int
    min_counts, min_genes : int
        Smallest numbers of a cell that is kept.

    Returns
    -------
    Quality
    """
    counts, genes, kept = [], [], []
    cells = np.zeros(n_genes, dtype=np.int64)
    for _, block in blocks:
        counts.append(np.asarray(block.sum(axis=1, dtype=np.float64)).ravel())
        genes.append(np.diff(block.indptr))
        kept.append((counts[-1] >= min_counts) & (genes[-1] >= min_genes))
        cells += np.bincount(block[kept[-1]].indices, minlength=n_genes)
    return Quality(*(np.concatenate(parts) for parts in (counts, genes, kept)), cells)


def scale(counts, target=1e4):
    """Scale the counts of each cell to the sum `target`; cells without counts are unchanged.

    Parameters
    ----------
    counts : scipy.sparse.csr_matrix, shape (cells, genes)

    Returns
    -------
    scipy.sparse.csr_matrix
        As sparse as the counts, float64.
    """
    totals = np.asarray(counts.sum(axis=1)).ravel()
    scaled = sparse.csr_matrix(counts, dtype=np.float64, copy=True)
    scaled.data *= np.repeat(target / np.maximum(totals, 1.0), np.diff(scaled.indptr))
    return scaled


def logarithm(scaled):
    """log2(x + 0.1) − log2(0.1) of scaled counts, as sparse as these, float32."""
    logged = scaled.copy()
    logged.data = np.log2(scaled.data + PSEUDOCOUNT) - np.log2(PSEUDOCOUNT)
    return logged.astype(np.float32)


def log_normalise(counts, target=1e4):
    """Logarithm of scaled counts, see `scale` and `logarithm`."""
    return logarithm(scale(counts, target))


def common_depth(totals):
    """Counts to which all cells but the shallowest can be thinned, or half of them at least.

    Parameters
    ----------
    totals : array, shape (cells,)
        Counts of each cell.

    Returns
    -------
    float
        The median, or twice the 5 % quantile if that is less.
    """
    return float(min(np.median(totals), MOST_EXTRAPOLATED * np.quantile(totals, SHALLOW)))


def expected_logarithm(counts, totals, depth):
    r"""Mean of log(1 + counts) after random thinning of each cell to a common depth.

    The mean of a logarithm of counts depends on the depth of the cell, even after scaling. If
    :math:`k` is Poisson with mean :math:`\lambda t` in a cell of t counts, thinning to
    :math:`d = p t` counts makes it Poisson with mean :math:`\lambda d` in all cells. Its
    expectation over all ways to thin, which loses no counts, is

    .. math:: g(k) = \sum_j \binom{k}{j} p^j (1-p)^{k-j} \log(1 + j)
              = \int_0^\infty \frac{1 - (1 - p + p e^{-s})^k}{s} e^{-s} ds

    so that the mean of g depends on :math:`\lambda` alone. The integral also holds for
    :math:`1 < p \le 2`, with more noise. Cells shallower than d/2 are scaled.

    Parameters
    ----------
    counts : scipy.sparse.csr_matrix, shape (cells, genes)
    totals : ndarray, shape (cells,)
        Counts of each cell.
    depth : float
        d, see `common_depth`.

    Returns
    -------
    scipy.sparse.csr_matrix
        As sparse as the counts, float32.

    References
    ----------
    Good & Toulmin (1956), Biometrika 43, for p > 1. The integral is Frullani's for log(1 + j).
    """
    found = sparse.csr_matrix(counts, dtype=np.float32, copy=True)
    share = np.repeat(depth / np.maximum(totals, 1.0), np.diff(found.indptr))
    for start in range(0, found.nnz, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        found.data[part] = _expected_log(counts.data[part].astype(np.float64), share[part])
    return found


def _expected_log(counts, share):
    """g of counts that are thinned to these shares, see `expected_logarithm`."""
    # Most counts are small and most cells alike: each pair once.
    thinned = np.minimum(share, MOST_EXTRAPOLATED)
    mean = counts * thinned
    values = np.log1p(mean) - mean * (1.0 - thinned) / (2.0 * (1.0 + mean) ** 2)
    few = np.flatnonzero(mean < MANY)
    pairs, back = np.unique(counts[few] + 1j * thinned[few], return_inverse=True)
    base = 1.0 - pairs.imag[:, None] * (1.0 - np.exp(-NODES))
    values[few] = ((1.0 - base ** pairs.real[:, None]) @ WEIGHTS)[back]
    return values * np.where(share > thinned, np.log1p(counts * share) / np.log1p(mean), 1.0)


def _quadrature():
    """Nodes s, and weights of the integral over exp(−s)/s ds: Gauss-Legendre, in pieces."""
    points, weights = np.polynomial.legendre.leggauss(10)
    edges = np.array([0.0, 0.03, 0.15, 0.6, 2.0, 6.0, 25.0])
    half = np.diff(edges)[:, None] / 2.0
    nodes = (edges[:-1, None] + half * (1.0 + points)).ravel()
    return nodes, (half * weights).ravel() * np.exp(-nodes) / nodes


NODES, WEIGHTS = _quadrature()


class Moments:
    """Cells, and sums over them of scaled counts and of their squares, in each batch.

    Parameters
    ----------
    batches : ndarray of int, shape (cells,)
        Batch of each cell, numbered from 0.
    n_genes : int

    Attributes
    ----------
    cells : ndarray, shape (batches,)
    sums, squares : ndarray, shape (batches, genes)
    """

    def __init__(self, batches, n_genes):
        self.cells = np.bincount(batches)
        self.sums, self.squares = np.zeros((2, len(self.cells), n_genes))
        self._batches = batches

    def add(self, start, scaled):
        """Count a block of cells in, of which `start` is the first."""
        n_cells = scaled.shape[0]
        rows = self._batches[start : start + n_cells], np.arange(n_cells)
        members = sparse.csr_matrix((np.ones(n_cells), rows), shape=(len(self.cells), n_cells))
        self.sums += (members @ scaled).toarray()
        self.squares += (members @ scaled.power(2)).toarray()


def variable_genes(moments, n):
    """Highly variable genes, as in scanpy by default (flavor `seurat`).

    Dispersion is the logarithm of variance over mean, standardised among genes of similar mean.
    With several batches, genes are ranked by the number of batches in which they are among the
    first n, and then by their mean dispersion. Batches of fewer than ten cells are not used.

    Parameters
    ----------
    moments : Moments
    n : int

    Returns
    -------
    ndarray of int
        n genes, or all that vary where these are fewer, in their own order.
    """
    large = moments.cells >= FEWEST
    cells = moments.cells[large, None]
    mean = moments.sums[large] / cells
    variance = (moments.squares[large] - cells * mean**2) / (cells - 1)
    varies = variance > 0
    dispersion, among_first = np.zeros_like(mean), np.zeros(mean.shape[1])
    for batch, genes in enumerate(map(np.flatnonzero, varies)):
        # Of scanpy: without batches the means begin with those of genes that do not occur.
        lowest = mean.min() if len(mean) == 1 else mean[batch, genes].min()
        found = _standardised_dispersion(mean[batch, genes], variance[batch, genes], lowest)
        dispersion[batch, genes] = found
        among_first[genes[np.argsort(-found, kind="stable")[:n]]] += 1
    order = np.lexsort((-dispersion.mean(axis=0), -among_first))
    return np.sort(order[varies.any(axis=0)[order]][:n])


def _standardised_dispersion(mean, variance, lowest):
    """Log dispersion of each gene among those of similar mean."""
    level, dispersion = np.log1p(mean), np.log(variance / mean)
    edges = np.linspace(np.log1p(lowest), level.max(), BINS + 1)
    interval = np.searchsorted(edges[1:-1], level)
    n = np.maximum(np.bincount(interval), 1)
    centre = (np.bincount(interval, dispersion) / n)[interval]
    deviation = dispersion - centre
    spread = np.sqrt(np.bincount(interval, deviation**2) / np.maximum(n - 1, 1))[interval]
    # One gene alone has none to be compared with.
    return np.where(n[interval] == 1, 1.0, deviation / np.where(spread > 0, spread, 1.0))


def covariance(blocks, genes):
    """Mean and covariance of chosen genes, in one pass.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        Row blocks of expression.
    genes : ndarray of int

    Returns
    -------
    mean : ndarray, shape (genes,)
    covariance : ndarray, shape (genes, genes)
    """
    n_cells, total = 0, np.zeros(len(genes))
    products = np.zeros((len(genes), len(genes)))
    for dense in _dense(blocks, genes):
        n_cells += len(dense)
        total += dense.sum(axis=0)
        products += dense.T @ dense
    mean = total / n_cells
    products -= n_cells * np.multiply.outer(mean, mean)
    products /= n_cells - 1
    return mean, products


def principal_components(covariance, n):
    """Directions of largest variance.

    Parameters
    ----------
    covariance : ndarray, shape (genes, genes)
    n : int

    Returns
    -------
    loadings : ndarray, shape (genes, n)
        Orthonormal; the largest of each in absolute value is positive.
    variance : ndarray, shape (n,)
        In decreasing order.
    """
    p = len(covariance)
    variance, loadings = eigh(covariance, subset_by_index=(p - n, p - 1))
    variance, loadings = variance[::-1], loadings[:, ::-1]
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(n)]
    return loadings * np.sign(largest), variance


def project(blocks, genes, mean, loadings):
    """Principal components of cells, float32, shape (cells, n); the blocks as in `covariance`."""
    parts = [((dense - mean) @ loadings).astype(np.float32) for dense in _dense(blocks, genes)]
    return np.concatenate(parts)


def integrate(components, batches, theta=2.0, seed=0, threads=1):
    """Principal components integrated over batches by Harmony (Korsunsky et al. 2019).

    Parameters
    ----------
    components : ndarray, shape (cells, n)
    batches : dict of ndarray
        Batch of each cell in one or more respects, any kind of labels.
    theta : float
        Strength of the integration.
    seed, threads : int

    Returns
    -------
    ndarray of float32, shape (cells, n)
    """
    from harmonypy import run_harmony  # not where nothing is mixed, or only counts are scaled

    found = run_harmony(
        components,
        batches,
        list(batches),
        theta=theta,
        random_state=seed,
        ncores=threads,
        verbose=False,
    )
    return found.Z_corr.astype(np.float32)


def _dense(blocks, genes):
    """Chosen genes of consecutive cells as dense arrays of bounded size."""
    step = max(1, DENSE_VALUES // len(genes))
    for _, block in blocks:
        chosen = block[:, genes]
        for start in range(0, chosen.shape[0], step):
            yield chosen[start : start + step].toarray().astype(np.float64)
