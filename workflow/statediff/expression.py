r"""Gaussian-process regression of expression on cell states, for all genes at once.

With the basis :math:`\Phi` of `statediff.basis`, a gene with the signal-to-noise ratio ρ and the
noise σ has in a condition with cells c the prior :math:`N(0, \rho\sigma^2 I)` of its weights and

.. math:: C_c = (\Phi_c^T \Phi_c + I/\rho)^{-1} \Phi_c^T (Y_c - \mu), \qquad
          \mathrm{cov} = \sigma^2 (\Phi_c^T \Phi_c + I/\rho)^{-1}

and everything else (smoothed expression, uncertainty, distances) follows. The published model is
ρ = 1/σ², μ = 0 for all genes. Equations: Rasmussen & Williams (2006), section 2.1, in weight space.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln, log_ndtr, logsumexp, xlogy

from statediff import EPS
from statediff.basis_values import BLOCK

__all__ = [
    "Posterior",
    "cross_products",
    "distances",
    "gene_weights",
    "mahalanobis",
    "neg_log10_ptp",
    "relative_eps",
    "replicate_deviations",
    "whitener",
]

# Cells whose expression is dense at a time.
PANEL = 512
# Genes whose replicates are worked on at a time.
GENES = 256


@dataclass(frozen=True)
class Posterior:
    r"""Posterior of the weights in one condition, for every signal-to-noise ratio.

    With T of `statediff.basis.Basis.prior` and :math:`T \Phi_c^T\Phi_c T^T = U \Lambda U^T`,
    :math:`M = T^T U`.

    Attributes
    ----------
    modes : ndarray, shape (r, m)
        M.
    eigenvalues : ndarray, shape (m,)
        Λ, 0 or larger.
    """

    modes: np.ndarray
    eigenvalues: np.ndarray

    @classmethod
    def fit(cls, gram, prior=None):
        """Posterior of a condition.

        Parameters
        ----------
        gram : array, shape (r, r)
            Φ'Φ over its cells.
        prior : array, shape (m, r), optional
            T; the identity if not given.
        """
        prior = np.eye(len(gram)) if prior is None else prior
        eigenvalues, vectors = np.linalg.eigh(prior @ gram @ prior.T)
        return cls(prior.T @ vectors, np.maximum(eigenvalues, 0.0))

    @classmethod
    def of_arrays(cls, arrays, role):
        """That of a condition, by its role, among the arrays of a fit."""
        return cls(arrays[f"modes_{role}"], arrays[f"spectrum_{role}"])

    def weights(self, cross, rho):
        """Posterior mean of the weights, shape (r, genes), from the sums Φ'(Y − μ)."""
        scale = self.eigenvalues + 1.0 / rho
        return self.modes @ ((self.modes.T @ cross) / scale[:, None])

    def covariance(self, rho):
        """Posterior covariance of the weights, shape (r, r), in units of the noise variance."""
        return (self.modes / (self.eigenvalues + 1.0 / rho)) @ self.modes.T

    def variance(self, phi, unexplained, rho):
        r"""Posterior variance of smoothed expression at cells, in units of the noise variance.

        .. math:: v_c(x) = \rho\,(k(x,x) - \Phi(x)^T\Phi(x))
                  + \Phi(x)^T (\Phi_c^T\Phi_c + I/\rho)^{-1} \Phi(x)

        Parameters
        ----------
        phi : ndarray, shape (n, r)
        unexplained : array, shape (n,)
            The difference in brackets, see `statediff.basis.Basis.unexplained`.
        rho : float

        Returns
        -------
        ndarray, shape (n,)
        """
        scaled = phi @ (self.modes / np.sqrt(self.eigenvalues + 1.0 / rho))
        return rho * unexplained + (scaled**2).sum(axis=1)

    def freedom(self, rho):
        """Effective degrees of freedom of a curve: the sum of ρλ / (1 + ρλ)."""
        return float((rho * self.eigenvalues / (1.0 + rho * self.eigenvalues)).sum())


def relative_eps(sigma):
    """The jitter ε of variances, relative to that of the noise (learnt: None)."""
    return EPS / (sigma or 1.0) ** 2


def cross_products(blocks, phi, members):
    """Sums Φ'Y, and sums of squares, of several groups of cells, from one pass over expression.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        Consecutive row blocks of the expression matrix (cells × genes), each with the index of
        its first cell.
    phi : array or similar (`statediff.basis_values`), shape (n, r)
        Basis at all cells of the matrix, read block by block.
    members : sequence of ndarray of bool, shape (n,)
        The groups; a cell may be in none, or in several.

    Returns
    -------
    sums : list of ndarray, shape (r, genes)
    squares : list of ndarray, shape (genes,)

    Raises
    ------
    ValueError
        If the blocks do not add up to the cells of `phi`.
    """
    sums = squares = None
    end = 0
    for start, block in blocks:
        if start != end:
            raise ValueError(f"row block starts at cell {start}, expected {end}")
        end = start + block.shape[0]
        if sums is None:
            sums = np.zeros((len(members), block.shape[1], phi.shape[1]))
            squares = np.zeros((len(members), block.shape[1]))
        for first in range(start, end, BLOCK):
            functions = phi[first : min(first + BLOCK, end)]
            for total, square, member in zip(sums, squares, members, strict=True):
                rows = np.flatnonzero(member[first : first + len(functions)])
                for panel in np.split(rows, range(PANEL, len(rows), PANEL)):
                    # Dense products are several times faster, even where few values are not zero.
                    values = block[first - start + panel].astype(np.float64)
                    square += np.bincount(values.indices, values.data**2, len(square))
                    total += values.toarray().T @ functions[panel]
    if end != len(phi):
        raise ValueError(f"expression has {end} cells, the basis {len(phi)}")
    return [total.T for total in sums], list(squares)


def gene_weights(posterior, cross, signal):
    """Posterior means of the weights, of each gene under its own signal-to-noise ratio.

    Parameters
    ----------
    posterior : Posterior
    cross : ndarray, shape (r, genes)
        Sums Φ'(Y − μ).
    signal : statediff.smoothness.SignalToNoise

    Returns
    -------
    ndarray, shape (r, genes)
    """
    weights = np.empty_like(cross)
    for rho, _, genes in signal.slices():
        weights[:, genes] = posterior.weights(cross[:, genes], rho)
    return weights


def whitener(factor, posteriors, rho, pooled="sum", eps=EPS):
    r"""Matrix W with :math:`D_g = \lVert W d_g \rVert / \sigma_g` for differences d of weights.

    With :math:`R^T R = \Phi_Z^T \Phi_Z` over the evaluation cells Z, and S the sum of
    `Posterior.covariance` over the conditions,

    .. math:: W = \mathrm{chol}(R S R^T + \epsilon I)^{-1} R

    which makes D the Mahalanobis distance of the fold changes at Z under the summed posterior
    covariances.

    Parameters
    ----------
    factor : ndarray, shape (m, r)
        R, from `statediff.basis_values.triangular_factor`.
    posteriors : sequence of Posterior
        The two conditions.
    rho : float
        Signal-to-noise ratio.
    pooled : {"sum", "mean"}
        The covariance of a difference is the sum; their mean is what the Kompot tutorial used,
        which makes D larger by √2.
    eps : float
        ε, in units of the noise variance.

    Returns
    -------
    ndarray, shape (m, r)

    References
    ----------
    Otto et al. (2025), Comparing phenotypic manifolds with Kompot, for the distance.
    """
    if pooled not in ("sum", "mean"):
        raise ValueError(f"pooled must be 'sum' or 'mean', found {pooled!r}")
    covariance = sum(p.covariance(rho) for p in posteriors) / (2.0 if pooled == "mean" else 1.0)
    spread = factor @ covariance @ factor.T
    spread = (spread + spread.T) / 2 + eps * np.eye(len(factor))
    return solve_triangular(np.linalg.cholesky(spread), factor, lower=True)


def distances(whiteners, signal, difference, between=None):
    """Mahalanobis distance of each gene's fold change, under its own signal-to-noise ratio.

    Parameters
    ----------
    whiteners : sequence of ndarray, shape (m, r)
        From `whitener`, one for each of the levels.
    signal : statediff.smoothness.SignalToNoise
        Of the genes.
    difference : array, shape (r, genes)
    between : array, shape (S, r, genes), optional
        From `replicate_deviations`.

    Returns
    -------
    ndarray, shape (genes,)
    """
    found = np.empty(difference.shape[1])
    for _, index, genes in signal.slices():
        noise = signal.noise[genes]
        deviations = None if between is None else between[:, :, genes] / noise
        found[genes] = mahalanobis(whiteners[index], difference[:, genes] / noise, deviations)
    return found


def replicate_deviations(of_cells, crosses, priors, signal):
    r"""Square root of the covariance of the weights between the replicates of each condition.

    Each replicate is fitted alone; in a condition with S of them
    :math:`B_s = (C_s - \bar C) / \sqrt{S - 1}`. Where one condition has fewer than two, the
    other's stand for both.

    Parameters
    ----------
    of_cells : pair of sequences of ndarray, shape (r, r)
        Φ'Φ over the cells of each replicate, of the reference and of the compared condition.
    crosses : pair of lists of ndarray, shape (r, genes)
        Their sums Φ'(Y − μ).
    priors : pair of ndarray
        See `statediff.basis.Basis.prior`.
    signal : statediff.smoothness.SignalToNoise
        Of the genes.

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
        ([Posterior.fit(gram, prior) for gram in replicates], sums)
        for replicates, sums, prior in zip(of_cells, crosses, priors, strict=True)
        if len(replicates) >= 2
    ]
    if not groups:
        raise ValueError("neither condition has two replicates")
    rank, genes = groups[0][1][0].shape
    found = np.empty((sum(len(fits) for fits, _ in groups), genes, rank), dtype=np.float32)
    rows = 0
    for fits, sums in groups:
        scale = np.sqrt((1.0 if len(groups) == 2 else 2.0) / (len(fits) - 1))
        part, rows = found[rows : rows + len(fits)], rows + len(fits)
        for rho, _, of_level in signal.slices():
            for start in range(0, len(of_level), GENES):
                some = of_level[start : start + GENES]
                weights = np.stack(
                    [
                        fit.weights(cross[:, some], rho)
                        for fit, cross in zip(fits, sums, strict=True)
                    ]
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
