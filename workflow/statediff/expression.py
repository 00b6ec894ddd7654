r"""Gaussian-process regression of expression on cell states, for all genes at once.

With the basis :math:`\Phi` of `statediff.basis`, a condition with cells c and noise σ has

.. math:: A_c = \Phi_c^T \Phi_c / \sigma^2 + I, \qquad C_c = A_c^{-1} \Phi_c^T Y_c / \sigma^2

and everything else (smoothed expression, uncertainty, distances) follows from A_c (r × r) and
C_c (r × genes). Equations: Rasmussen & Williams (2006), section 2.1, in weight space.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln, log_ndtr, logsumexp, xlogy

from statediff import EPS

__all__ = [
    "Posterior",
    "cross_products",
    "mahalanobis",
    "neg_log10_ptp",
    "replicate_deviations",
    "triangular_factor",
    "whitener",
]

# Rows factorised at a time.
BLOCK = 16384
# Cells whose expression is dense at a time.
PANEL = 512
# Genes whose replicates are worked on at a time.
GENES = 256


@dataclass(frozen=True)
class Posterior:
    """Posterior of the weights in one condition, the same for all genes but for their mean.

    Attributes
    ----------
    covariance : ndarray, shape (r, r)
        A_c⁻¹, or T'(T A_c T')⁻¹T where the condition's kernel differs from the basis's.
    noise : float
        Standard deviation σ of the observation noise.
    """

    covariance: np.ndarray
    noise: float = 1.0

    @classmethod
    def fit(cls, gram, noise=1.0, prior=None):
        """Posterior of a condition.

        Parameters
        ----------
        gram : array, shape (r, r)
            Φ'Φ over its cells.
        noise : float
        prior : array, shape (m, r), optional
            T of `statediff.basis.Basis.prior`; the identity if not given.
        """
        prior = np.eye(len(gram)) if prior is None else prior
        precision = prior @ gram @ prior.T / noise**2 + np.eye(len(prior))
        half = solve_triangular(np.linalg.cholesky(precision), prior, lower=True)
        return cls(half.T @ half, noise)

    def weights(self, cross):
        """Posterior mean C_c of the weights, shape (r, genes), from the sums Φ'Y."""
        return self.covariance @ cross / self.noise**2

    def variance(self, phi, unexplained):
        r"""Posterior variance of smoothed expression at cells.

        .. math:: v_c(x) = k(x,x) - \Phi(x)^T\Phi(x) + \Phi(x)^T A_c^{-1} \Phi(x)

        Parameters
        ----------
        phi : array, shape (n, r)
        unexplained : array, shape (n,)
            The first two terms, see `statediff.basis.Basis.unexplained`.

        Returns
        -------
        ndarray, shape (n,)
            In squared units of the expression; the same for every gene.
        """
        return unexplained + np.einsum("nr,nr->n", phi @ self.covariance, phi)


def cross_products(blocks, phi, members):
    """Sums Φ'Y of several groups of cells, from one pass over the expression matrix.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        Consecutive row blocks of the expression matrix (cells × genes), each with the index of
        its first cell.
    phi : ndarray, shape (n, r)
        Basis at all cells of the matrix.
    members : sequence of ndarray of bool, shape (n,)
        The groups; a cell may be in none, or in several.

    Returns
    -------
    list of ndarray, shape (r, genes)

    Raises
    ------
    ValueError
        If the blocks do not add up to the cells of `phi`.
    """
    sums, end = None, 0
    for start, block in blocks:
        if start != end:
            raise ValueError(f"row block starts at cell {start}, expected {end}")
        end = start + block.shape[0]
        if sums is None:
            sums = np.zeros((len(members), block.shape[1], phi.shape[1]))
        for total, member in zip(sums, members, strict=True):
            rows = np.flatnonzero(member[start:end])
            for first in range(0, len(rows), PANEL):
                # Dense products are several times faster, even where few values are not zero.
                panel = rows[first : first + PANEL]
                total += block[panel].astype(np.float64).toarray().T @ phi[start + panel]
    if end != len(phi):
        raise ValueError(f"expression has {end} cells, the basis {len(phi)}")
    return [total.T for total in sums]


def triangular_factor(phi):
    """Upper triangular R with R'R = phi'phi, by QR over blocks of rows.

    Parameters
    ----------
    phi : ndarray, shape (n, r)

    Returns
    -------
    ndarray, shape (min(n, r), r)

    References
    ----------
    Demmel et al. (2012), SIAM J. Sci. Comput. 34, for QR of tall matrices by blocks.
    """
    factor = np.empty((0, phi.shape[1]))
    for start in range(0, len(phi), BLOCK):
        factor = np.linalg.qr(np.vstack([factor, phi[start : start + BLOCK]]), mode="r")
    return factor


def whitener(factor, posteriors, pooled="sum"):
    r"""Matrix W with :math:`D_g = \lVert W d_g \rVert` for differences d of coefficients.

    With :math:`R^T R = \Phi_Z^T \Phi_Z` over the evaluation cells Z,

    .. math:: W = \mathrm{chol}(R (A_a^{-1} + A_b^{-1}) R^T + \epsilon I)^{-1} R

    which makes D the Mahalanobis distance of the fold changes at Z under the summed posterior
    covariances. Here A⁻¹ stands for `Posterior.covariance`.

    Parameters
    ----------
    factor : ndarray, shape (m, r)
        R, from `triangular_factor`.
    posteriors : sequence of Posterior
        The two conditions.
    pooled : {"sum", "mean"}
        The covariance of a difference is the sum; their mean is what the Kompot tutorial used,
        which makes D larger by √2.

    Returns
    -------
    ndarray, shape (m, r)

    References
    ----------
    Otto et al. (2025), Comparing phenotypic manifolds with Kompot, for the distance.
    """
    if pooled not in ("sum", "mean"):
        raise ValueError(f"pooled must be 'sum' or 'mean', found {pooled!r}")
    covariance = sum(p.covariance for p in posteriors) / (2.0 if pooled == "mean" else 1.0)
    spread = factor @ covariance @ factor.T
    spread = (spread + spread.T) / 2 + EPS * np.eye(len(factor))
    return solve_triangular(np.linalg.cholesky(spread), factor, lower=True)


def replicate_deviations(phi, replicates, crosses, priors, noise=1.0):
    r"""Square root of the covariance of the weights between the replicates of each condition.

    Each replicate is fitted alone; in a condition with S of them
    :math:`B_s = (C_s - \bar C) / \sqrt{S - 1}`. Where one condition has fewer than two, the
    other's stand for both.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
    replicates : pair of lists of ndarray of bool, shape (n,)
        Cells of each replicate, of the reference and of the compared condition.
    crosses : pair of lists of ndarray, shape (r, genes)
        Their sums Φ'Y.
    priors : pair of ndarray
        See `statediff.basis.Basis.prior`.
    noise : float

    Returns
    -------
    ndarray of float32, shape (S, r, genes)
        All B_s: the covariance of a gene's difference between replicates is their sum of B_s B_s'.

    Raises
    ------
    ValueError
        If neither condition has two replicates.

    References
    ----------
    Otto et al. (2025), Comparing phenotypic manifolds with Kompot, sample variance.
    """
    groups = [
        ([Posterior.fit(phi[mask].T @ phi[mask], noise, prior) for mask in masks], sums)
        for masks, sums, prior in zip(replicates, crosses, priors, strict=True)
        if len(masks) >= 2
    ]
    if not groups:
        raise ValueError("neither condition has two replicates")
    rank, genes = groups[0][1][0].shape
    found = np.empty((sum(len(fits) for fits, _ in groups), genes, rank), dtype=np.float32)
    rows = 0
    for fits, sums in groups:
        scale = np.sqrt((1.0 if len(groups) == 2 else 2.0) / (len(fits) - 1))
        part, rows = found[rows : rows + len(fits)], rows + len(fits)
        for start in range(0, genes, GENES):
            some = slice(start, start + GENES)
            weights = np.stack(
                [fit.weights(cross[:, some]) for fit, cross in zip(fits, sums, strict=True)]
            )
            part[:, some] = scale * (weights - weights.mean(axis=0)).swapaxes(1, 2)
    return found.swapaxes(1, 2)


def mahalanobis(whiten, difference, between=None):
    r"""Mahalanobis distance of each gene's fold change.

    With replicates, each gene's covariance gains that between samples; by Woodbury's identity,
    with :math:`U_g = W B_g` (m × S), a gene needs one system of S equations:

    .. math:: D_g^2 = \lVert W d_g \rVert^2
              - d_g^T W^T U_g (I + U_g^T U_g)^{-1} U_g^T W d_g

    Parameters
    ----------
    whiten : ndarray, shape (m, r)
        W, from `whitener`.
    difference : array, shape (r, genes)
        C_b − C_a.
    between : array, shape (S, r, genes), optional
        From `replicate_deviations`.

    Returns
    -------
    ndarray, shape (genes,)
    """
    if between is None:
        return np.linalg.norm(whiten @ difference, axis=0)
    found = [
        _norms_between(whiten, difference[:, genes], between[:, :, genes])
        for genes in (slice(i, i + GENES) for i in range(0, difference.shape[1], GENES))
    ]
    return np.concatenate(found)


def _norms_between(whiten, difference, between):
    whitened = whiten @ difference
    factors = (whiten @ between).transpose(2, 0, 1)
    projected = (factors @ whitened.T[..., None])[..., 0]
    system = np.eye(len(between)) + factors @ factors.transpose(0, 2, 1)
    solved = np.linalg.solve(system, projected[..., None])[..., 0]
    squared = (whitened**2).sum(axis=0) - (projected * solved).sum(axis=1)
    return np.sqrt(np.maximum(squared, 0.0))


def neg_log10_ptp(distances, dimensions):
    """−log10 of the posterior tail probability χ²_sf(D², df = number of components).

    Parameters
    ----------
    distances : array
        Mahalanobis distances.
    dimensions : int
        Number of cell-state components.

    Returns
    -------
    ndarray
        Finite for any finite distance: the tail is summed in log space, where
        `scipy.stats.chi2.logsf` gives −∞ from about D = 40 on.

    References
    ----------
    Abramowitz & Stegun (1964), 26.4.4 and 26.4.5.
    """
    half = np.asarray(distances, dtype=np.float64)[..., None] ** 2 / 2.0
    powers = np.arange(dimensions // 2) + (dimensions % 2) / 2.0
    terms = xlogy(powers, half) - half - gammaln(powers + 1.0)
    if dimensions % 2:
        terms = np.concatenate([np.log(2.0) + log_ndtr(-np.sqrt(2.0 * half)), terms], axis=-1)
    return -logsumexp(terms, axis=-1) / np.log(10.0)
