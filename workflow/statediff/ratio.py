r"""Change of abundance as the ratio of two densities, learnt at once, and its significance.

Which of the samples a cell belongs to is a classification of cell states by Gaussian processes.
With :math:`n_s` the cells of sample s, :math:`l_s` its condition (0: a, 1: b, or a number) and
:math:`z_s` its covariates, among the samples of the same donor (or all, without pairs)

.. math:: P(s \mid x) \propto n_s \exp\bigl(l_s f(x) + z_s^T g(x) + \delta_s\bigr), \qquad
          f = \Phi w, \quad g_j = \Phi v_j, \quad w, v_j \sim N(0, I),

and by Bayes' rule f is the log ratio of the densities of b and a, at the same covariates: neither
density has to be known, nor how the composition differs between donors. The constants
:math:`\delta_s`, orthogonal to condition and covariates, give each sample as many cells as it has.
Without donors and covariates they are 0, and this is logistic regression, :math:`P(b \mid x) =
\mathrm{sigmoid}(\log(n_b / n_a) + f(x))`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from statediff import InputError
from statediff.basis_values import Part, phi_blocks, quadratic, sums, values_at
from statediff.newton import CONVERGED, information, posterior_mode
from statediff.search import climb

__all__ = [
    "Choices",
    "Ratio",
    "fit_ratio",
    "informative",
    "learn_amplitude",
    "scatter",
]

# Functions of the basis with a smaller sum of squares over the cells are left out.
LEAST = 1e-2
#: Prior standard deviations of the log ratio that are compared.
AMPLITUDES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
# The first of them to be looked at.
START = 1.0
# Rounds in which constants and functions are found in turns, and the change at which they end.
ROUNDS, SETTLED = 30, 1e-3
# Added where a cell so far from all others that nothing is known of it would make 0/0.
TINY = 1e-12


class Choices:
    r"""Samples that a cell could be of: those of its donor, or all without pairs.

    Samples of the same condition and covariates (a type) differ by their numbers of cells only.

    Attributes
    ----------
    of_sample : ndarray of int, shape (samples,)
        Type of each sample.
    columns : ndarray, shape (types, m)
        Condition and covariates.
    sizes : ndarray, shape (types,)
        Cells.
    strata : list of (ndarray of int, ndarray of int)
        Types among which to choose, and the cells that do.
    constants : ndarray, shape (types,)
        :math:`\delta`.
    """

    def __init__(self, samples, design, constants=None):
        self.samples = np.asarray(samples)
        pairs = np.zeros(len(design.conditions)) if design.pairs is None else design.pairs
        described = np.column_stack([pairs, design.labels, design.covariates])
        rows, of_sample = np.unique(described, axis=0, return_inverse=True)
        self.of_sample, self.columns = of_sample.ravel(), rows[:, 1:]
        self.own = self.of_sample[self.samples]
        self.sizes = np.bincount(self.own, minlength=len(rows)).astype(np.float64)
        self.strata = []
        for pair in np.unique(rows[:, 0]):
            types = np.flatnonzero((rows[:, 0] == pair) & (self.sizes > 0))
            self.strata.append((types, np.flatnonzero(np.isin(self.own, types))))
        self.constants = np.zeros(len(rows)) if constants is None else constants
        self._described = np.column_stack(
            [np.equal.outer(rows[:, 0], np.unique(pairs)), rows[:, 1:]]
        )
        self.balanced = np.linalg.matrix_rank(self._described, tol=1e-6) == len(rows)

    def settle(self, f):
        """Move the constants towards what gives each type as many cells as it has.

        Returns
        -------
        float
            The largest step.
        """
        expected = np.zeros(len(self.sizes))
        for types, _, logs in self.probabilities(f):
            expected[types] = np.exp(logs).sum(axis=0)
        there = self.sizes > 0
        step = np.zeros(len(self.sizes))
        step[there] = np.log(self.sizes[there] / expected[there])
        root = np.sqrt(self.sizes)[:, None]
        explained = np.linalg.lstsq(root * self._described, root[:, 0] * step, rcond=1e-9)[0]
        step = np.where(there, step - self._described @ explained, 0.0)
        self.constants = self.constants + step
        return np.abs(step).max()

    def probabilities(self, f):
        """Types, cells and log probabilities (cells, types) of each stratum, from f (n, m)."""
        for types, cells in self.strata:
            logits = np.log(self.sizes[types]) + self.constants[types]
            logits = logits + f[cells] @ self.columns[types].T
            yield types, cells, logits - logsumexp(logits, axis=1, keepdims=True)

    def likelihood(self, f):
        """Log likelihoods, gradients and negative Hessians, as `posterior_mode` takes them."""
        n, m = f.shape
        value, slope, curvature = np.empty(n), np.empty((n, m)), np.empty((n, m, m))
        for types, cells, logs in self.probabilities(f):
            p, columns = np.exp(logs), self.columns[types]
            mean, own = p @ columns, np.searchsorted(types, self.own[cells])
            value[cells] = logs[np.arange(len(cells)), own]
            slope[cells] = columns[own] - mean
            second = np.einsum("nt,ta,tb->nab", p, columns, columns, optimize=True)
            curvature[cells] = second - mean[:, :, None] * mean[:, None]
        return value, slope, curvature


@dataclass(frozen=True)
class Ratio:
    r"""Fitted log ratio of the densities of two conditions.

    Attributes
    ----------
    weights : ndarray, shape (r,)
        Mode of the posterior of w.
    adjustments : ndarray, shape (q, r)
        That of the functions of the covariates.
    constants : ndarray, shape (types,)
        :math:`\delta` of donors and covariates.
    covariance : ndarray, shape (r, r)
        Covariance of the weights over labels without information.
    kept : ndarray, shape (r, r)
        What is found of weights w on average, times w: the block of :math:`H^{-1} G` for w.
    centre : ndarray, shape (r,)
        Mean of the basis over the cells, weighted with their information about f.
    labels, shares : ndarray, shape (conditions,)
        Values of the condition, and their shares of the cells.
    freedom : float
        Effective degrees of freedom: the trace of the block of :math:`H^{-1} (H - I)` for w.
    """

    weights: np.ndarray
    adjustments: np.ndarray
    constants: np.ndarray
    covariance: np.ndarray
    kept: np.ndarray
    centre: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    freedom: float

    def __call__(self, phi):
        """Log ratio, natural, at basis values phi, shape (n, r) → (n,)."""
        return values_at(phi, self.weights)

    def variance(self, phi):
        """Its sampling variance without a change, at basis values phi, shape (n, r) → (n,)."""
        return quadratic(phi, self.covariance)

    def reliability(self, phi, prior):
        r"""Share of the log ratio at each cell that its estimate keeps, on average over the prior.

        The prior keeps estimates near 0, most where few cells are. The numbers of cells fix the
        mean of the log ratio over the cells, so that only what differs from it can be found: with
        :math:`\bar\phi` the mean of the basis and G the information less that about constants,

        .. math:: b = \frac{\mathrm{Cov}(\hat f, f - \bar f)}{\mathrm{Var}(f - \bar f)}
                  = \frac{\phi^T H^{-1} G (\phi - \bar\phi)}
                         {s^2 - 2 \phi^T \bar\phi + \bar\phi^T \bar\phi}

        Parameters
        ----------
        phi : array or similar, shape (n, r)
            Basis values.
        prior : float
            s², the prior variance of the log ratio at any state.

        Returns
        -------
        ndarray, shape (n,)
            From 0, where nothing is known, to 1.
        """
        found = np.empty(len(phi))
        for rows, block in phi_blocks(phi):
            covariance = np.einsum("nr,nr->n", block @ self.kept, block - self.centre)
            variance = prior - 2.0 * block @ self.centre + self.centre @ self.centre
            found[rows] = covariance / variance
        return np.clip(found, 0.0, 1.0)

    def unshrunk(self, phi, prior):
        """Log ratio and its sampling variance, both as if the prior had not kept it near 0.

        Parameters
        ----------
        phi, prior
            As for `reliability`, by which the log ratio is divided; z-scores stay the same.

        Returns
        -------
        log_ratio, variance : ndarray, shape (n,)
            0 and infinite where nothing is known.
        """
        reliability = self.reliability(phi, prior)
        known = reliability > TINY
        reliability = np.where(known, reliability, 1.0)
        log_ratio = np.where(known, self(phi) / reliability, 0.0)
        return log_ratio, np.where(known, self.variance(phi) / reliability**2, np.inf)

    def log_densities(self, log_density, lfc):
        """Log densities of a and b, given that of their cells together and the log ratio."""
        # The density of all is the mean of all conditions, weighted with the shares of their cells.
        weighted = logsumexp(np.multiply.outer(lfc, self.labels), axis=1, b=self.shares)
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


def learn_amplitude(phi, samples, design, eigenvalues):
    r"""Choose the prior standard deviation s of the functions by the evidence of the samples.

    With :math:`f = s \Phi w` at the mode and the Laplace approximation, the log evidence is

    .. math:: \log p(y \mid f) - \tfrac{1}{2} w^T w - \tfrac{1}{2} \log |I + s^2 \Phi^T D \Phi|

    Parameters
    ----------
    phi : array or similar (`statediff.basis_values`), shape (n, r)
        Basis at the cells of both conditions.
    samples : array of int, shape (n,)
        Sample of each cell (its condition, if there are no samples).
    design : statediff.design.Design
        Of the samples.
    eigenvalues : array, shape (r,)
        See `informative`.

    Returns
    -------
    amplitude : float
        One of `AMPLITUDES`.
    evidence : float
        Its log evidence over constant functions (nats).

    References
    ----------
    Rasmussen & Williams (2006), eq. 3.32.
    """
    choices = Choices(samples, design)
    constant = choices.likelihood(np.zeros((len(phi), choices.columns.shape[1])))[0].sum()

    def evidence(amplitude):
        scaled = Part(phi, size=informative(eigenvalues, amplitude), scale=amplitude)
        mode, _ = _mode(scaled, choices)
        value, _, curvature = choices.likelihood(values_at(scaled, mode.T))
        precision = information(scaled, curvature)
        precision[np.diag_indices_from(precision)] += 1.0
        complexity = 0.5 * (mode**2).sum() + 0.5 * np.linalg.slogdet(precision)[1]
        return float(value.sum() - complexity - constant)

    return climb(evidence, AMPLITUDES, START)


def fit_ratio(phi, samples, design):
    r"""Fit the log ratio of two densities to the cells of both conditions.

    With :math:`H = I + \Phi^T D \Phi` and D the information of each cell at the mode, samples
    without information would scatter the weights by :math:`H^{-1}(H - I)H^{-1}`. That, not the
    posterior :math:`H^{-1}`, is what a change stands out from: the prior keeps the estimate near 0.

    Parameters
    ----------
    phi : array or similar (`statediff.basis_values`), shape (n, r)
        Basis at the cells.
    samples : array of int, shape (n,)
        Sample of each cell (its condition, if there are no samples).
    design : statediff.design.Design
        Of the samples.

    Returns
    -------
    Ratio

    Raises
    ------
    InputError
        For a fit that does not converge.

    References
    ----------
    Rasmussen & Williams (2006), section 3.5 (Laplace approximation, several classes).
    """
    choices = Choices(samples, design)
    labels, of_cell = np.unique(design.labels[choices.samples], return_inverse=True)
    weights, decrease = _mode(phi, choices)
    if not decrease <= CONVERGED * len(phi):
        raise InputError(
            f"the ratio of the densities of {len(phi)} cells did not converge; are there cells "
            "far from all others (dataset.cell_states)?"
        )
    curvature = choices.likelihood(values_at(phi, weights.T))[2]
    known = information(phi, curvature)
    inverse, covariance = scatter(known)
    own = slice(phi.shape[1])
    kept = inverse[own] @ (known - _about_constants(phi, curvature, choices))[:, own]
    return Ratio(
        weights=weights[0],
        adjustments=weights[1:],
        constants=choices.constants,
        covariance=covariance[own, own],
        kept=kept,
        centre=sums(phi, curvature[:, :1, 0])[0] / curvature[:, 0, 0].sum(),
        labels=labels,
        shares=np.bincount(of_cell) / len(phi),
        freedom=float(phi.shape[1] - np.trace(inverse[own, own])),
    )


def _about_constants(phi, curvature, choices):
    """Part of the information that is about the means of the functions over the cells.

    These are known from the numbers of cells of the samples of each stratum.
    """
    found = 0.0
    for _, cells in choices.strata:
        own = curvature[cells]
        total, count = own.sum(axis=0), own.shape[1]
        cross = sums(Part(phi, cells), own.reshape(len(own), -1)).reshape(count, count, -1)
        cross = cross.swapaxes(1, 2).reshape(-1, count)
        found = found + cross @ np.linalg.pinv(total, hermitian=True) @ cross.T
    return found


def _mode(phi, choices):
    weights = np.zeros((choices.columns.shape[1], phi.shape[1]))
    for _ in range(ROUNDS):
        weights, decrease = posterior_mode(choices.likelihood, phi, 0.0, weights)
        if choices.balanced or choices.settle(values_at(phi, weights.T)) < SETTLED:
            break
    return weights, decrease


def scatter(information):
    r"""Posterior covariance of weights, and covariance of their estimates without information.

    Parameters
    ----------
    information : ndarray, shape (r, r)
        H − I.

    Returns
    -------
    inverse, covariance : ndarray, shape (r, r)
        :math:`H^{-1}` and :math:`H^{-1} (H - I) H^{-1}`.
    """
    values, vectors = np.linalg.eigh(information)
    values = np.maximum(values, 0.0)
    inverse = (vectors / (1.0 + values)) @ vectors.T
    return inverse, (vectors * (values / (1.0 + values) ** 2)) @ vectors.T
