r"""Noise of expression that differs between cells, learnt from the data for every gene.

The squared residual of a cell, had it been left out of the fit, is one observation of the noise
variance at its state; smoothed by the same Gaussian process they give the variance
:math:`u_c(x)` of a gene in condition c. Source: Otto et al. (2025), Comparing phenotypic
manifolds with Kompot, empirical variance, whose product of factors is solved exactly here.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from statediff import EPS
from statediff.basis_values import quadratic

__all__ = ["mahalanobis_noise", "noise_weights"]

# Values of dense scratch (cells × genes, cells × functions) at a time, 64 MB.
VALUES = 1 << 23
# Directions with a smaller share of the largest prior variance have none but rounding errors.
RANK = 1e-14


def noise_weights(blocks, phi, members, posteriors, weights, sigma):
    r"""Weights of the smoothed noise variance, in one pass over the expression matrix.

    .. math:: e_i = \frac{(y_i - m_i)^2}{(1 - h_i)^2}, \qquad
              h_i = \Phi_i^T A_c^{-1} \Phi_i / \sigma^2, \qquad
              E_c = A_c^{-1} \Phi_c^T e / \sigma^2

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        As for `statediff.expression.cross_products`.
    phi : array or similar (`statediff.basis_values`), shape (n, r)
        Read block by block.
    members : sequence of ndarray of bool, shape (n,)
        Cells of each condition.
    posteriors : sequence of statediff.expression.Posterior
    weights : sequence of ndarray, shape (r, genes)
        Posterior means C_c.
    sigma : float
        Standard deviation σ of the noise in the fit.

    Returns
    -------
    list of ndarray, shape (r, genes)
        E_c of each condition: :math:`u_c(x) = \Phi(x)^T E_c`, in squared units of expression.

    References
    ----------
    Rasmussen & Williams (2006), eq. 5.12, for the residuals left out.
    """
    rho = sigma**-2.0
    # Of a cell in its own smoothed expression, for cells of the fit.
    leverages = [quadratic(phi, posterior.covariance(rho)) for posterior in posteriors]
    kept = [(1.0 - leverage) ** 2 for leverage in leverages]
    sums = [np.zeros_like(weight) for weight in weights]
    for start, block in blocks:
        step = max(1, VALUES // block.shape[1])
        for first in range(0, block.shape[0], step):
            part = block[first : first + step]
            rows = slice(start + first, start + first + part.shape[0])
            functions = phi[rows]
            for i, member in enumerate(members):
                chosen = np.flatnonzero(member[rows])
                own = functions[chosen]
                residuals = part[chosen].toarray() - own @ weights[i]
                sums[i] += own.T @ (residuals**2 / kept[i][rows][chosen, None])
    return [
        posterior.weights(total, rho) for posterior, total in zip(posteriors, sums, strict=True)
    ]


def mahalanobis_noise(phi, posteriors, noise, difference, sigma, between=None, pooled="sum"):
    r"""Mahalanobis distance of each gene's fold change, its own noise at every cell included.

    With :math:`V_g = \mathrm{diag}(u_a + u_b)` at the evaluation cells Z, each u no smaller than
    `statediff.EPS`, and S the pooled covariance of the weights,

    .. math:: D_g^2 = \Delta_g^T (\Phi_Z S \Phi_Z^T + V_g)^{-1} \Delta_g
                    = d_g^T (S + M_g^{-1})^{-1} d_g, \qquad M_g = \Phi_Z^T V_g^{-1} \Phi_Z

    M_g may be singular to rounding. With :math:`S = F F^T`, :math:`d = F z`,
    :math:`N = F^T M F` and :math:`w = (I + N)^{-1} z`, it is
    :math:`D^2 = w^T N w + \lVert N w \rVert^2`: no inverse of M and no cancellation. The
    covariance between replicates adds to S; with :math:`B = F b` Woodbury's identity is applied
    to the same products of z and b.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
        Basis at the evaluation cells.
    posteriors : sequence of statediff.expression.Posterior
        The two conditions.
    noise : sequence of ndarray, shape (r, genes)
        Their E_c, from `noise_weights`.
    difference : ndarray, shape (r, genes)
        C_b − C_a.
    sigma : float
        Standard deviation σ of the noise in the fit.
    between : ndarray, shape (S, r, genes), optional
        From `statediff.expression.replicate_deviations`.
    pooled : {"sum", "mean"}
        As for `statediff.expression.whitener`: of the posterior covariances and of the noise.

    Returns
    -------
    ndarray, shape (genes,)

    Raises
    ------
    ValueError
        For an unknown `pooled`.
    """
    if pooled not in ("sum", "mean"):
        raise ValueError(f"pooled must be 'sum' or 'mean', found {pooled!r}")
    share = 0.5 if pooled == "mean" else 1.0
    pooled_covariance = sigma**2 * sum(p.covariance(sigma**-2.0) for p in posteriors)
    values, vectors = np.linalg.eigh(share * pooled_covariance)
    kept = values > RANK * values[-1]
    scale, vectors = np.sqrt(values[kept]), vectors[:, kept]
    whitened, inverse = phi @ (vectors * scale), (vectors / scale).T
    n_genes = difference.shape[1]
    distances, step = np.empty(n_genes), max(1, VALUES // len(phi))
    for start in range(0, n_genes, step):
        genes = slice(start, min(start + step, n_genes))
        variance = share * sum(np.maximum(phi @ weights[:, genes], EPS) for weights in noise)
        for column, gene in enumerate(range(genes.start, genes.stop)):
            own = [difference[:, gene], *(() if between is None else between[:, :, gene])]
            information = _information(whitened, variance[:, column])
            distances[gene] = _distance(information, inverse @ np.stack(own, axis=1))
    return distances


def _information(whitened, variance):
    """N = F'MF of one gene."""
    total = np.zeros((whitened.shape[1],) * 2)
    step = max(1, VALUES // whitened.shape[1])
    for start in range(0, len(whitened), step):
        rows = slice(start, start + step)
        scaled = whitened[rows] / np.sqrt(variance[rows, None])
        total += scaled.T @ scaled
    return total


def _distance(information, vectors):
    """Distance of the first vector (z), where the others (b) add to the covariance."""
    factor = cho_factor(information + np.eye(len(information)), lower=True)
    solved = cho_solve(factor, vectors)
    products = information @ solved
    inner = solved.T @ products + products.T @ products
    across = inner[1:, 0]
    squared = inner[0, 0] - across @ np.linalg.solve(np.eye(len(across)) + inner[1:, 1:], across)
    return np.sqrt(max(squared, 0.0))
