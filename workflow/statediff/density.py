r"""Density of cell states and its uncertainty: a Gaussian process on the log density.

Each cell's distance to its nearest neighbour r is one draw of the distance in a Poisson process
with the density around it; with :math:`f = \mu + \Phi z`, z standard normal, the log posterior is

.. math:: \sum_i [f_i + V_i - e^{f_i + V_i}] - \tfrac{1}{2} z^T z, \qquad
          V_i = d \ln r_i + \tfrac{d}{2} \ln\pi - \ln\Gamma(\tfrac{d}{2} + 1)

up to the terms that don't depend on z. Equations: Otto et al. (2024), Nature Methods (Mellon).
"""

from dataclasses import dataclass

import jax
import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from scipy.special import gammaln, logsumexp

from statediff import InputError
from statediff.basis import Basis, build_basis
from statediff.basis_values import (
    Evaluated,
    Part,
    gram,
    phi_blocks,
    sums,
    values_at,
    weighted_gram,
)
from statediff.neighbours import length_scale, nearest_distances, positive_distances
from statediff.newton import CONVERGED, posterior_mode
from statediff.search import climb

__all__ = [
    "Density",
    "fit_density",
    "fractal_dimension",
]

# Mellon's jitter on the kernel matrix; the diagonal form of the variance depends on it.
JITTER = 1e-6
# Rows of the basis that its variance takes in at a time.
ROWS = 128
#: Prior standard deviations of the log density that are compared.
AMPLITUDES = (0.5, 1.0, 2.0, 4.0, 8.0)
# The first of them to be looked at; least eigenvalue of a function then.
START, LEAST = 1.0, 0.1


@dataclass(frozen=True)
class Density:
    """Fitted log density of one condition.

    Attributes
    ----------
    basis : statediff.basis.Basis
    weights : ndarray, shape (r,)
        Mode of the posterior of z.
    covariance : ndarray, shape (r, r)
        Covariance of the weights; None of the prior variance the basis leaves unexplained.
    mean : float
        Prior mean μ of the log density.
    dimension : float
        Local fractal dimension d of the states.
    n_cells : int
    full : bool
        Whether the variance is the full Laplace approximation (else the diagonal form).
    amplitude : float
        Prior standard deviation of the log density.
    """

    basis: Basis
    weights: np.ndarray
    covariance: np.ndarray
    mean: float
    dimension: float
    n_cells: int
    full: bool
    amplitude: float = 1.0

    def __call__(self, phi):
        """Log density (per cell of the condition) at basis values phi, shape (n, r) → (n,)."""
        f = self.mean + values_at(Part(phi, size=len(self.weights)), self.weights)
        return f - np.log(self.n_cells)

    def variance(self, phi):
        """Posterior variance of the log density at basis values phi, shape (n, r) → (n,)."""
        variance = np.empty(len(phi))
        for rows, block in phi_blocks(Part(phi, size=len(self.weights))):
            variance[rows] = np.einsum("nr,nr->n", block @ self.covariance, block)
            if self.full:
                variance[rows] += self.amplitude**2 * self.basis.unexplained(block)
        return variance

    def described(self):
        """Parameters of the fit by name."""
        return {
            "ls": float(np.median(self.basis.ls)),
            "dimension": self.dimension,
            "mean": self.mean,
            "rank": self.basis.rank,
            "residual_max": self.basis.residual_max,
            "truncated": self.basis.truncated,
        }


def fit_density(
    states,
    *,
    distances=None,
    ls=None,
    ls_factor=10.0,
    uncertainty="full",
    tol=1e-6,
    max_rank=2000,
    basis=None,
    phi=None,
):
    r"""Fit the log density of a condition's cells.

    With a basis whose length scale was learnt, the prior mean is the best constant, and the prior
    standard deviation of the log density is chosen by the evidence (Laplace approximation); else
    they are Mellon's.

    Parameters
    ----------
    states : array, shape (n, D)
        States of the condition's cells, in file order (the diagonal variance depends on it).
    distances : array, shape (n,), optional
        Distance of each cell to its nearest other cell; see
        `statediff.neighbours.nearest_distances` if not given.
    ls : float, optional
        Length scale; from the distances if not given.
    ls_factor : float
        Factor of that rule.
    uncertainty : {"full", "diagonal"}
        `full`: :math:`(I + \Phi^T E \Phi)^{-1}` with E = diag(exp(f + V)), the Laplace
        approximation. `diagonal`: Mellon's, which keeps the diagonal of the Hessian in the
        basis of the unpivoted Cholesky factor of the kernel matrix; it depends on the order of
        the cells.
    tol, max_rank
        See `statediff.basis.build_basis`.
    basis : statediff.basis.Basis, optional
        Built from the distances if not given.
    phi : array or similar (`statediff.basis_values`), shape (n, r), optional
        Values of this basis at the cells, if they are known.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        For an unknown `uncertainty`.
    InputError
        For states that coincide, or a fit that does not converge.
    """
    if uncertainty not in ("full", "diagonal"):
        raise ValueError(f"uncertainty must be 'full' or 'diagonal', found {uncertainty!r}")
    states = np.asarray(states, dtype=np.float64)
    given = distances is not None
    distances = positive_distances(distances) if given else nearest_distances(states)
    dimension = fractal_dimension(states)
    volumes = log_ball_volume(distances, dimension)
    amplitude = 1.0
    if basis is None:
        ls = length_scale(distances, ls_factor) if ls is None else ls
        mean = float(np.percentile(-volumes, 1) - 10.0)
        basis = build_basis(states, ls, tol=tol, max_rank=max_rank)
        phi = basis(states)
        weights, decrease = _mode(phi, volumes, mean)
    else:
        mean = float(np.log(len(states)) - logsumexp(volumes))
        # The distances tell hardly anything about functions with smaller eigenvalues.
        size = max(1, np.count_nonzero(basis.eigenvalues >= LEAST))
        leading = Part(Evaluated(basis, states)[:] if phi is None else phi, size=size)
        amplitude, _ = climb(
            lambda s: _evidence(Part(leading, scale=s), volumes, mean), AMPLITUDES, START
        )
        phi = Part(leading, scale=amplitude)
        weights, decrease = _mode(phi, volumes, mean)
    if not decrease <= CONVERGED * len(states):
        raise InputError(
            f"the density of {len(states)} cells did not converge; are there cells far from all "
            "others (dataset.cell_states)?"
        )
    rates = np.exp(mean + values_at(phi, weights) + volumes)
    if uncertainty == "full":
        precision = np.eye(phi.shape[1]) + weighted_gram(phi, rates[:, None])[0]
        covariance = np.linalg.inv(precision)
    else:
        covariance = _diagonal_covariance(phi, rates)
    return Density(
        basis=basis,
        weights=amplitude * weights,
        covariance=amplitude**2 * covariance,
        amplitude=amplitude,
        mean=mean,
        dimension=dimension,
        n_cells=len(states),
        full=uncertainty == "full",
    )


def log_ball_volume(distances, dimension):
    """Log volume V of a ball of dimension d with radius the neighbour distance, shape (n,)."""
    half = dimension / 2.0
    return dimension * np.log(distances) + half * np.log(np.pi) - gammaln(half + 1.0)


def fractal_dimension(states, n_cells=500, n_neighbors=10):
    """Mean local fractal dimension of the cell states.

    Around each of 500 sampled cells, the number of pairs among its 10 nearest cells (itself
    included) closer than a distance grows as that distance to the power d.

    Parameters
    ----------
    states : array, shape (n, D)
    n_cells : int
        Cells sampled, with a fixed seed; all when there are no more.
    n_neighbors : int
        Cells in each neighbourhood.

    Returns
    -------
    float

    References
    ----------
    Otto et al. (2024), Nature Methods (Mellon), methods; Grassberger & Procaccia (1983) for the
    correlation dimension.
    """
    states = np.asarray(states, dtype=np.float64)
    n = len(states)
    chosen = np.arange(n)
    if n > n_cells:
        key = jax.random.PRNGKey(432)
        chosen = np.asarray(jax.random.choice(key, n, (n_cells,), replace=False))
    # So few are found exactly in less time than an approximate index takes to build.
    _, neighbors = KDTree(states).query(states[chosen], k=min(n_neighbors, n))
    slopes = [_slope(np.sort(pdist(states[around]))) for around in neighbors]
    dimension = float(np.nanmean(slopes))
    if not np.isfinite(dimension):
        raise InputError("the cells' states coincide: their fractal dimension is undefined")
    return dimension


def _slope(distances):
    """Slope of log rank on log distance; pairs of coinciding cells carry no information."""
    ranks = np.log(np.arange(1, len(distances) + 1))[distances > 0]
    logs = np.log(distances[distances > 0])
    spread = logs - logs.mean() if len(logs) else logs
    total = (spread**2).sum()
    return (spread * ranks).sum() / total if total > 0 else np.nan


def _evidence(phi, volumes, mean):
    """Log evidence of the cells' distances, by the Laplace approximation, up to a constant."""
    weights, _ = _mode(phi, volumes, mean)
    f = mean + values_at(phi, weights) + volumes
    rates = np.exp(f)
    precision = np.eye(len(weights)) + weighted_gram(phi, rates[:, None])[0]
    return (f - rates).sum() - 0.5 * weights @ weights - 0.5 * np.linalg.slogdet(precision)[1]


def _mode(phi, volumes, mean):
    """Posterior mode of the weights, and the gain the last step promised."""

    def likelihood(f):
        rates = np.exp(f)
        return (f - rates)[:, 0], 1.0 - rates, rates[:, :, None]

    # Ridge regression on the plug-in log density, near which the steps need no damping.
    ridge = np.eye(phi.shape[1]) + gram(phi)
    start = np.linalg.solve(ridge, sums(phi, (-volumes - mean)[:, None])[0])
    (weights,), decrease = posterior_mode(likelihood, phi, (mean + volumes)[:, None], start[None])
    return weights, decrease


def _diagonal_covariance(phi, rates):
    r"""Covariance of the weights when only the Hessian's diagonal is kept, Mellon's way.

    The Cholesky factor of :math:`\Phi\Phi^T + \epsilon I` in the order of the rows has columns
    :math:`\Phi g_j` below its diagonal, with :math:`g_j = P_{j-1}\phi_j / l_j`,
    :math:`l_j^2 = \epsilon + \phi_j^T P_{j-1} \phi_j`, :math:`P_j = P_{j-1} - g_j g_j^T`. A block
    of rows F at once: :math:`G = \mathrm{chol}(F P F^T + \epsilon I)^{-1} F P`. Neither the n × n
    matrix nor its factor is formed.
    """
    rank = phi.shape[1]
    information = weighted_gram(phi, rates[:, None])[0]
    prior, covariance = np.eye(rank), np.zeros((rank, rank))
    for start in range(0, len(phi), ROWS):
        rows = phi[start : start + ROWS]
        product = rows @ prior
        lower = np.linalg.cholesky(product @ rows.T + JITTER * np.eye(len(rows)))
        g = solve_triangular(lower, product, lower=True)
        scale = 1.0 / (1.0 + ((g @ information) * g).sum(axis=1))
        prior -= g.T @ g
        covariance += g.T @ (scale[:, None] * g)
    return covariance
