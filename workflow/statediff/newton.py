"""Mode of the posterior of a Gaussian process with a log-concave likelihood."""

import numpy as np

from statediff.device import on_device, weighted_gram

__all__ = ["CONVERGED", "posterior_mode"]

#: Newton steps end when the log posterior can gain no more than this per cell.
CONVERGED = 1e-12
# More steps, or shorter ones (of 1), do not help.
STEPS = 100
SHORTEST = 1e-10


def posterior_mode(likelihood, phi, offset, start):
    r"""Mode of the weights z of :math:`f = o + \Phi z`, z standard normal, by damped Newton steps.

    Parameters
    ----------
    likelihood : callable
        From f, shape (n,): log likelihoods, their first derivatives and their negative second
        ones, each of shape (n,); concave.
    phi : array, shape (n, r)
    offset : array, shape (n,) or float
        o.
    start : array, shape (r,)

    Returns
    -------
    weights : array, shape (r,)
    decrease : float
        The gain the last step promised; converged if at most `CONVERGED` · n.

    References
    ----------
    Rasmussen & Williams (2006), section 3.4; Boyd & Vandenberghe (2004), section 9.5.
    """
    identity, cells = np.eye(phi.shape[1]), on_device(phi)

    def log_posterior(weights):
        with np.errstate(over="ignore", invalid="ignore"):  # of a step that is too long
            return likelihood(offset + phi @ weights)[0].sum() - 0.5 * weights @ weights

    weights, decrease = start, np.inf
    for _ in range(STEPS):
        _, slope, curvature = likelihood(offset + phi @ weights)
        gradient = phi.T @ slope - weights
        hessian = identity + np.asarray(weighted_gram(cells, curvature))
        if not np.isfinite(hessian).all():
            return weights, np.inf
        step = np.linalg.solve(hessian, gradient)
        decrease, size, value = gradient @ step, 1.0, log_posterior(weights)
        while size > SHORTEST:
            gained = log_posterior(weights + size * step) - value
            if gained >= 1e-4 * size * decrease:
                break
            size /= 2
        weights = weights + size * step
        if decrease <= CONVERGED * len(phi):
            break
    return weights, decrease
