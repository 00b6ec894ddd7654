"""Overdispersion of the change of abundance: how much more samples differ than random cells do."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import polygamma

from statediff.basis_values import Part, phi_blocks, quadratic, sums, values_at, weighted_gram
from statediff.design import regress
from statediff.ratio import TINY, Choices, scatter

__all__ = ["Overdispersion", "find_overdispersion"]


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


def find_overdispersion(phi, cells, ratio, samples, design):
    r"""Overdispersion of the log ratio at each cell, from how the samples differ.

    With :math:`p_{is}` the probability that cell i is of sample s under the fitted ratio, a Newton
    step :math:`u_s = \phi^T H_s^{-1} q_s` from it to a function of the sample's own, where
    :math:`q_s = \sum_i \phi_i (1[s_i = s] - p_{is})` less what the prior left of f and g and
    :math:`H_s = I + \sum_i p_{is} (1 - p_{is}) \phi_i \phi_i^T`, has the variance v of `Ratio`.
    Then :math:`\sum_s (1 - \pi_s) u_s^2 / v_s`, with :math:`\pi_s` the sample's share of the cells,
    is for random draws χ² with as many degrees of freedom as the design leaves, as Pearson's
    statistic is; over these it is shrunk to a common value over the cells, by how much more it
    varies between them than χ² does.

    Large samples weigh more in the difference of conditions than in this mean. With y the samples'
    means, of variance :math:`1 / n_s + \omega`, :math:`h^T y` their difference and :math:`Ry` the
    residuals of the regression on the design, the excess over 1 is multiplied by

    .. math:: \frac{\sum_s h_s^2}{\sum_s h_s^2 / n_s} \cdot
              \frac{S - \mathrm{rank}\,X}{\mathrm{tr}(R^T W R)}

    Parameters
    ----------
    phi : array or similar (`statediff.basis_values`), shape (n, r)
        Basis at all cells.
    cells : array of int, shape (m,)
        Those of the two conditions.
    ratio : Ratio
        Fitted to them.
    samples : array of int, shape (m,)
        Their samples.
    design : statediff.design.Design
        Of the samples; it leaves a degree of freedom.

    Returns
    -------
    Overdispersion

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, section 4.5, for overdispersion;
    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3, for the shrinkage.
    """
    choices, own = Choices(samples, design, ratio.constants), Part(phi, cells)
    functions = np.vstack([ratio.weights, ratio.adjustments])
    n_samples, n_types = len(design.conditions), len(choices.sizes)
    of_sample = np.zeros((n_samples, phi.shape[1]))
    for rows, block in phi_blocks(own):
        np.add.at(of_sample, choices.samples[rows], block)
    sizes = np.bincount(choices.samples, minlength=n_samples).astype(np.float64)
    of_type = np.zeros((n_types, phi.shape[1]))
    np.add.at(of_type, choices.of_sample, of_sample)
    left = of_type - _expected(choices, own, functions)
    left -= _of_prior(choices, functions)
    free = regress(sizes[None], design.matrix).free[0]
    found = []
    for types, within, logs in choices.probabilities(values_at(own, functions.T)):
        for kind, p in zip(types, np.exp(logs).T, strict=True):
            alike = np.flatnonzero((choices.of_sample == kind) & free & (sizes < len(within)))
            if not alike.size:
                continue
            first, second = weighted_gram(Part(own, within), np.stack([p, p**2], axis=1))
            for s in alike:
                part = sizes[s] / choices.sizes[kind]
                inverse, covariance = scatter(part * first - part**2 * second)
                q = of_sample[s] - part * (of_type[kind] - left[kind])
                found.append((1.0 - sizes[s] / len(within), inverse @ q, covariance))
    total = np.zeros(len(phi))
    for rows, block in phi_blocks(phi):
        for weight, step, covariance in found:
            total[rows] += weight * (block @ step) ** 2 / (quadratic(block, covariance) + TINY)
    found = _moderated(total / design.freedom, design.freedom)
    excess = _excess_of_difference(sizes, design)
    factor = 1.0 + excess * (found.factor - 1.0)
    return Overdispersion(factor, found.freedom, 1.0 + excess * (found.mean - 1.0))


def _expected(choices, phi, functions):
    """Sums of the basis over the cells that the fitted ratio expects of each type."""
    found = np.zeros((len(choices.sizes), phi.shape[1]))
    for types, cells, logs in choices.probabilities(values_at(phi, functions.T)):
        found[types] = sums(Part(phi, cells), np.exp(logs))
    return found


def _of_prior(choices, functions):
    """Part of the residuals of each type that is there since the prior shrinks the functions.

    At the mode the residuals times the columns of the types add up to the weights.
    """
    centred = choices.columns.copy()
    for types, _ in choices.strata:
        sizes = choices.sizes[types]
        centred[types] -= sizes @ centred[types] / sizes.sum()
    weighted = choices.sizes[:, None] * centred
    return weighted @ np.linalg.pinv(centred.T @ weighted) @ functions


def _excess_of_difference(sizes, design):
    """By how much more samples' variance counts in the difference than in their mean deviation."""
    matrix, present = design.matrix, sizes > 0
    weighted = matrix * sizes[:, None]
    weights = (np.linalg.pinv(matrix.T @ weighted) @ weighted.T)[0, present] ** 2
    regression = regress(sizes[None], matrix)
    scale = weights.sum() / (weights / sizes[present]).sum()
    return float(scale * design.freedom / (sizes * regression.variances()[0][0]).sum())


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
