r"""Change of abundance as the ratio of two densities, learnt at once, and its significance.

Which condition a cell belongs to is a Gaussian-process classification of cell states: with n cells
of a and b together,

.. math:: P(b \mid x) = \mathrm{sigmoid}\bigl(\log\tfrac{n_b}{n_a} + f(x)\bigr), \qquad
          f = \Phi w, \quad w \sim N(0, I),

and by Bayes' rule f is the log ratio of the densities of b and a: neither has to be known.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, polygamma

from statediff import InputError
from statediff.newton import CONVERGED, posterior_mode
from statediff.search import climb

__all__ = [
    "Overdispersion",
    "Ratio",
    "find_overdispersion",
    "fit_ratio",
    "informative",
    "learn_amplitude",
]

# Functions of the basis with a smaller sum of squares over the cells are left out.
LEAST = 1e-2
#: Prior standard deviations of the log ratio that are compared.
AMPLITUDES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
# The first of them to be looked at.
START = 1.0
# Added where a cell so far from all others that nothing is known of it would make 0/0.
TINY = 1e-12


@dataclass(frozen=True)
class Ratio:
    """Fitted log ratio of the densities of two conditions.

    Attributes
    ----------
    weights : ndarray, shape (r,)
        Mode of the posterior of w.
    covariance : ndarray, shape (r, r)
        Covariance of the weights over labels without information.
    share : float
        Of b among the cells.
    freedom : float
        Effective degrees of freedom: the trace of :math:`H^{-1} (H - I)`.
    """

    weights: np.ndarray
    covariance: np.ndarray
    share: float
    freedom: float

    def __call__(self, phi):
        """Log ratio, natural, at basis values phi, shape (n, r) → (n,)."""
        return phi @ self.weights

    def variance(self, phi):
        """Its sampling variance without a change, at basis values phi, shape (n, r) → (n,)."""
        return _quadratic(phi, self.covariance)

    def log_densities(self, log_density, phi):
        """Log densities of a and b, given that of their cells together, at basis values phi."""
        lfc = self(phi)
        # The density of all is the mean of the two, weighted with the shares of their cells.
        weighted = np.logaddexp(np.log1p(-self.share), np.log(self.share) + lfc)
        return log_density - weighted, log_density - weighted + lfc


def informative(eigenvalues, amplitude=1.0):
    """Number of functions of a basis that labels of its cells can tell something about.

    The others have eigenvalues below 0.01, times the squared amplitude: a label has at most the
    information 1/4, so that the weight of such a function keeps 99.7 % of its prior variance and
    an estimate near 0.

    Parameters
    ----------
    eigenvalues : array, shape (r,)
        Of the kernel matrix, decreasing (``eigenvalues`` of `statediff.basis.Basis`).
    amplitude : float
        Prior standard deviation of the log ratio.

    Returns
    -------
    int
    """
    return max(1, np.count_nonzero(amplitude**2 * eigenvalues >= LEAST))


def learn_amplitude(phi, compared, eigenvalues):
    r"""Choose the prior standard deviation s of the log ratio by the evidence of the labels.

    With :math:`f = s \Phi w` at the mode and the Laplace approximation, the log evidence is

    .. math:: \log p(y \mid f) - \tfrac{1}{2} w^T w - \tfrac{1}{2} \log |I + s^2 \Phi^T D \Phi|

    Parameters
    ----------
    phi : ndarray, shape (n, r)
        Basis at the cells of both conditions.
    compared : array of bool, shape (n,)
        Whether a cell is of b.
    eigenvalues : array, shape (r,)
        See `informative`.

    Returns
    -------
    amplitude : float
        One of `AMPLITUDES`.
    evidence : float
        Its log evidence over a constant (nats).

    References
    ----------
    Rasmussen & Williams (2006), eq. 3.32.
    """
    labels = np.asarray(compared, dtype=np.float64)
    share, n = labels.mean(), len(labels)
    offset = logit(share)
    constant = n * (share * np.log(share) + (1.0 - share) * np.log1p(-share))

    def evidence(amplitude):
        scaled = amplitude * phi[:, : informative(eigenvalues, amplitude)]
        mode, _ = _mode(scaled, labels, offset)
        f = offset + scaled @ mode
        p = expit(f)
        precision = np.eye(len(mode)) + scaled.T @ ((p * (1.0 - p))[:, None] * scaled)
        likelihood = (labels * f - np.logaddexp(0.0, f)).sum()
        complexity = 0.5 * mode @ mode + 0.5 * np.linalg.slogdet(precision)[1]
        return float(likelihood - complexity - constant)

    return climb(evidence, AMPLITUDES, START)


def fit_ratio(phi, compared):
    r"""Fit the log ratio of two densities to the cells of both conditions.

    With :math:`H = I + \Phi^T D \Phi` and D = diag(p (1 − p)) at the mode, labels without
    information would scatter the weights by :math:`H^{-1}(H - I)H^{-1}`. That, not the posterior
    :math:`H^{-1}`, is what a change stands out from: the prior keeps the estimate near 0.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
        Basis at the cells.
    compared : array of bool, shape (n,)
        Whether a cell is of b.

    Returns
    -------
    Ratio

    Raises
    ------
    InputError
        For a fit that does not converge.

    References
    ----------
    Rasmussen & Williams (2006), section 3.4 (Laplace approximation, logistic likelihood).
    """
    labels = np.asarray(compared, dtype=np.float64)
    share = float(labels.mean())
    offset = logit(share)
    weights, decrease = _mode(phi, labels, offset)
    if not decrease <= CONVERGED * len(phi):
        raise InputError(
            f"the ratio of the densities of {len(phi)} cells did not converge; are there cells "
            "far from all others (dataset.cell_states)?"
        )
    p = expit(offset + phi @ weights)
    information = phi.T @ ((p * (1.0 - p))[:, None] * phi)
    inverse, covariance = _scatter(information)
    return Ratio(weights, covariance, share, float(len(inverse) - np.trace(inverse)))


def _mode(phi, labels, offset):
    def likelihood(f):
        p = expit(f)
        return labels * f - np.logaddexp(0.0, f), labels - p, p * (1.0 - p)

    return posterior_mode(likelihood, phi, offset, np.zeros(phi.shape[1]))


def _scatter(information):
    """Inverse of H = I + information, and its product H⁻¹ (H − I) H⁻¹."""
    values, vectors = np.linalg.eigh(information)
    values = np.maximum(values, 0.0)
    inverse = (vectors / (1.0 + values)) @ vectors.T
    return inverse, (vectors * (values / (1.0 + values) ** 2)) @ vectors.T


def _quadratic(phi, matrix):
    return np.maximum(np.einsum("nr,nr->n", phi @ matrix, phi), 0.0)


@dataclass(frozen=True)
class Overdispersion:
    """How much more the samples differ than random draws of cells would.

    Attributes
    ----------
    factor : ndarray, shape (n,)
        Of the variance at each cell; 1 or more.
    freedom : float
        Degrees of freedom, for a t-test.
    mean : float
        What the factors are shrunk towards.
    """

    factor: np.ndarray
    freedom: float
    mean: float


def find_overdispersion(phi, conditions):
    r"""Overdispersion of the log ratio at each cell, from the samples of each condition.

    Each sample is compared with the others of its condition as b is with a, in one Newton step
    from no change: with π its share of the cells, :math:`u = \Phi H^{-1} \Phi_c^T (y - \pi)` has
    the variance v of `Ratio` with :math:`H = I + \pi(1-\pi)\Phi_c^T\Phi_c`. Then
    :math:`\sum (1 - \pi) u^2 / v` over the S samples of a condition is, for random draws, χ² with
    S − 1 degrees of freedom, as Pearson's statistic is. The sum over the conditions, over its
    degrees of freedom, is shrunk to a common value over the cells, by how much more it varies
    between them than χ² does.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
        Basis at all cells.
    conditions : sequence of ndarray of int, shape (n,)
        For each condition, the sample of each of its cells; −1 for all other cells. At least one
        has two samples.

    Returns
    -------
    Overdispersion

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, section 4.5, for overdispersion;
    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3, for the shrinkage.
    """
    total, freedom = np.zeros(len(phi)), 0
    for codes in conditions:
        samples, sizes = np.unique(codes[codes >= 0], return_counts=True)
        sums = np.array([phi[codes == code].sum(axis=0) for code in samples])
        cells = phi[codes >= 0]
        gram = cells.T @ cells
        for share, own in zip(sizes / sizes.sum(), sums, strict=True):
            if share < 1.0:
                inverse, covariance = _scatter(share * (1.0 - share) * gram)
                u = phi @ (inverse @ (own - share * sums.sum(axis=0)))
                total += (1.0 - share) * u**2 / (_quadratic(phi, covariance) + TINY)
        freedom += max(len(samples) - 1, 0)
    return _moderated(total / freedom, freedom)


def _moderated(raw, freedom):
    """Overdispersion from raw factors with these degrees of freedom at each cell."""
    mean = float(max(raw.mean(), 1.0))
    logs = np.log(raw + TINY)
    excess = logs.var() - polygamma(1, freedom / 2.0)
    if excess <= 0:  # as alike as chance makes them: one factor for all
        return Overdispersion(np.full(len(raw), mean), np.inf, mean)
    prior = 2.0 * _inverse_trigamma(excess)
    factor = np.maximum((prior * mean + freedom * raw) / (prior + freedom), 1.0)
    return Overdispersion(factor, prior + freedom, mean)


def _inverse_trigamma(value):
    return np.exp(brentq(lambda x: np.log(polygamma(1, np.exp(x)) / value), -30.0, 30.0))
