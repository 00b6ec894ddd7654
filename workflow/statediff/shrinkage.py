"""Adaptive shrinkage: estimates that do not mistake their own errors for changes."""

import numpy as np
from scipy.special import ndtri, stdtr

__all__ = ["shrink"]

#: Standard deviations (natural log) of the normal distributions that are mixed.
SCALES = np.concatenate([[0.0], np.geomspace(0.05, 6.0, 16)])
# Cells without a change that are added, so that changes have to be shown.
NULL_CELLS = 10.0
# Cells from which the mixture is learnt, and those shrunk at once.
ENOUGH, BLOCK = 20_000, 100_000
SEED = 0
# Error of an estimate of which nothing is known.
UNKNOWN = 1e6
# Rounds of the EM algorithm, and the change of the weights at which it ends.
ROUNDS, SETTLED = 1000, 1e-6


def shrink(estimates, errors, freedom=np.inf):
    r"""Posterior means of changes under a prior learnt from all of them.

    The prior is a mixture of normal distributions around 0, of which one has no width:

    .. math:: \theta_i \sim \sum_k \pi_k N(0, \sigma_k^2), \qquad
              \hat\theta_i \mid \theta_i \sim N(\theta_i, s_i^2),

    with the weights :math:`\pi` of largest likelihood, by the EM algorithm, as if there were ten
    more cells without a change. Where few cells change, the estimates of the others become almost
    0; large and certain estimates stay as they are.

    Parameters
    ----------
    estimates : array, shape (n,)
        :math:`\hat\theta`, natural log fold changes.
    errors : array, shape (n,)
        s, their standard errors. An estimate with an infinite error becomes 0.
    freedom : float
        Degrees of freedom, where estimates over errors have a t distribution; the errors are then
        made those of a normal distribution with the same p-values.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    Stephens (2017), Biostatistics 18; Lu & Stephens (2019), arXiv:1901.10679, for the t
    distribution.
    """
    errors = _normal_errors(estimates, errors, freedom)
    some = np.random.default_rng(SEED).permutation(len(estimates))[:ENOUGH]
    likelihood = _likelihoods(estimates[some], errors[some])
    weights = np.full(len(SCALES), 1.0 / len(SCALES))
    for _ in range(ROUNDS):
        joint = likelihood * weights
        found = (joint / joint.sum(axis=1, keepdims=True)).sum(axis=0)
        found[0] += NULL_CELLS
        found /= found.sum()
        moved, weights = np.abs(found - weights).max(), found
        if moved < SETTLED:
            break
    shrunk = np.empty(len(estimates))
    for start in range(0, len(estimates), BLOCK):
        part = slice(start, start + BLOCK)
        joint = _likelihoods(estimates[part], errors[part]) * weights
        kept = SCALES**2 / (SCALES**2 + errors[part, None] ** 2)
        shrunk[part] = estimates[part] * (joint * kept).sum(axis=1) / joint.sum(axis=1)
    return shrunk


def _likelihoods(estimates, errors):
    """Of each estimate under each scale, relative to the largest, shape (n, scales)."""
    widths = np.hypot(SCALES, errors[:, None])
    logs = -0.5 * (estimates[:, None] / widths) ** 2 - np.log(widths)
    return np.exp(logs - logs.max(axis=1, keepdims=True))


def _normal_errors(estimates, errors, freedom):
    """Errors with which the normal p-values of the estimates are those of a t distribution."""
    errors = np.minimum(errors, UNKNOWN)
    if np.isinf(freedom):
        return errors
    zscores = np.maximum(np.abs(estimates) / errors, 1e-3)
    tails = np.maximum(stdtr(freedom, -zscores), np.finfo(float).tiny)
    return errors * np.maximum(zscores / -ndtri(tails), 1.0)
