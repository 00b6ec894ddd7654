r"""Gaussian-process regression of expression on cell states, for all genes at once.

With the basis :math:`\Phi` of `statediff.basis`, a condition with cells c and noise σ has

.. math:: A_c = \Phi_c^T \Phi_c / \sigma^2 + I, \qquad C_c = A_c^{-1} \Phi_c^T Y_c / \sigma^2

and everything else (smoothed expression, uncertainty, distances) follows from A_c (r × r) and
C_c (r × genes). Equations: Rasmussen & Williams (2006), section 2.1, in weight space.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp, xlogy

__all__ = ["EPS", "Posterior", "cross_products", "mahalanobis", "neg_log10_ptp", "whitener"]

# Added to variances before they are divided by (the published value).
EPS = 1e-8


@dataclass(frozen=True)
class Posterior:
    """Posterior of one condition.

    Attributes
    ----------
    precision : ndarray, shape (r, r)
        A_c, the posterior precision of the weights.
    coefficients : ndarray, shape (r, genes)
        C_c, the posterior mean of the weights of each gene.
    """

    precision: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, gram, cross, noise=1.0):
        """Posterior from the sums Φ'Φ (r × r) and Φ'Y (r × genes) over a condition's cells."""
        return cls.from_precision(np.asarray(gram) / noise**2 + np.eye(len(gram)), cross, noise)

    @classmethod
    def from_precision(cls, precision, cross, noise=1.0):
        """Posterior of other genes in the same cells, whose precision is known."""
        return cls(precision, np.asarray(_solve(precision, np.asarray(cross) / noise**2)))

    @property
    def covariance(self):
        """Posterior covariance A_c⁻¹ of the weights, shape (r, r)."""
        return np.asarray(_solve(self.precision, np.eye(len(self.precision))))

    def variance(self, phi):
        r"""Posterior variance of smoothed expression at cells.

        .. math:: v_c(x) = k(x,x) - \Phi(x)^T\Phi(x) + \Phi(x)^T A_c^{-1} \Phi(x)

        Parameters
        ----------
        phi : array, shape (n, r)

        Returns
        -------
        ndarray, shape (n,)
            In squared units of the expression; the same for every gene.
        """
        return np.asarray(_variance(self.precision, phi))


@jax.jit
def _solve(precision, right):
    return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(precision), True), right)


@jax.jit
def _variance(precision, phi):
    half = jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(precision), phi.T, lower=True)
    return jnp.maximum(1.0 - (phi**2).sum(axis=1), 0.0) + (half**2).sum(axis=0)


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
        The groups; a cell may be in none.

    Returns
    -------
    list of ndarray, shape (r, genes)

    Raises
    ------
    ValueError
        If the blocks do not add up to the cells of `phi`.
    """
    sums, end = [None] * len(members), 0
    for start, block in blocks:
        if start != end:
            raise ValueError(f"row block starts at cell {start}, expected {end}")
        end = start + block.shape[0]
        for i, member in enumerate(members):
            rows = np.flatnonzero(member[start:end])
            if sums[i] is None:
                sums[i] = np.zeros((block.shape[1], phi.shape[1]))
            if rows.size:
                picked = block if rows.size == block.shape[0] else block[rows]
                sums[i] += picked.T @ phi[start + rows]
    if end != len(phi):
        raise ValueError(f"expression has {end} cells, the basis {len(phi)}")
    return [total.T for total in sums]


def whitener(factor, posteriors):
    r"""Matrix W with :math:`D_g = \lVert W d_g \rVert` for differences d of coefficients.

    With :math:`R^T R = \Phi_Z^T \Phi_Z` over the evaluation cells Z,

    .. math:: W = \mathrm{chol}(R (A_a^{-1} + A_b^{-1}) R^T + \epsilon I)^{-1} R

    which makes D the Mahalanobis distance of the fold changes at Z under the summed posterior
    covariances.

    Parameters
    ----------
    factor : ndarray, shape (m, r)
        R, see `statediff.basis.triangular_factor`.
    posteriors : sequence of Posterior
        The two conditions.

    Returns
    -------
    ndarray, shape (m, r)

    References
    ----------
    Otto et al. (2025), Comparing phenotypic manifolds with Kompot, for the distance.
    """
    spread = factor @ sum(p.covariance for p in posteriors) @ factor.T
    spread = (spread + spread.T) / 2 + EPS * np.eye(len(factor))
    lower = jnp.linalg.cholesky(spread)
    return np.asarray(jax.scipy.linalg.solve_triangular(lower, factor, lower=True))


def mahalanobis(whiten, difference):
    """Mahalanobis distance of each gene's fold change.

    Parameters
    ----------
    whiten : ndarray, shape (m, r)
        From `whitener`.
    difference : array, shape (r, genes)
        C_b − C_a.

    Returns
    -------
    ndarray, shape (genes,)
    """
    return np.asarray(_norms(whiten, difference))


@jax.jit
def _norms(whiten, difference):
    return jnp.sqrt(((whiten @ difference) ** 2).sum(axis=0))


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
