"""Mode of the posterior of a Gaussian process with a log-concave likelihood."""

import numpy as np

from statediff.device import on_device, weighted_gram

__all__ = ["CONVERGED", "information", "posterior_mode"]

#: Newton steps end when the log posterior can gain no more than this per cell.
CONVERGED = 1e-12
# More steps, or shorter ones (of 1), do not help.
STEPS = 100
SHORTEST = 1e-10


def posterior_mode(likelihood, phi, offset, start):
    r"""Mode of the weights Z of functions :math:`f_a = o_a + \Phi z_a`, by damped Newton steps.

    The weights are standard normal a priori.

    Parameters
    ----------
    likelihood : callable
        From f, shape (n, m): log likelihoods, shape (n,), their gradients, shape (n, m), and their
        negative Hessians, shape (n, m, m); concave.
    phi : array, shape (n, r)
    offset : array, shape (n, m) or float
        o.
    start : array, shape (m, r)

    Returns
    -------
    weights : array, shape (m, r)
    decrease : float
        The gain the last step promised; converged if at most `CONVERGED` · n.

    References
    ----------
    Rasmussen & Williams (2006), sections 3.4 and 3.5; Boyd & Vandenberghe (2004), section 9.5.
    """
    cells = on_device(phi)

    def log_posterior(weights):
        with np.errstate(over="ignore", invalid="ignore"):  # of a step that is too long
            values = likelihood(offset + phi @ weights.T)[0]
            return values.sum() - 0.5 * (weights**2).sum()

    weights, decrease = start, np.inf
    for _ in range(STEPS):
        _, slope, curvature = likelihood(offset + phi @ weights.T)
        gradient = (slope.T @ phi - weights).ravel()
        hessian = information(cells, curvature)
        hessian[np.diag_indices_from(hessian)] += 1.0
        if not np.isfinite(hessian).all():
            return weights, np.inf
        step = np.linalg.solve(hessian, gradient)
        decrease, size, value = gradient @ step, 1.0, log_posterior(weights)
        step = step.reshape(weights.shape)
        while size > SHORTEST:
            gained = log_posterior(weights + size * step) - value
            if gained >= 1e-4 * size * decrease:
                break
            size /= 2
        weights = weights + size * step
        if decrease <= CONVERGED * len(phi):
            break
    return weights, decrease


def information(phi, curvature):
    r"""Negative Hessian of the log likelihood in the weights: blocks :math:`\Phi^T D_{ab} \Phi`.

    Parameters
    ----------
    phi : array, shape (n, r)
    curvature : array, shape (n, m, m)

    Returns
    -------
    ndarray, shape (m r, m r)
    """
    count, rank = curvature.shape[1], phi.shape[1]
    found = np.empty((count, rank, count, rank))
    for a in range(count):
        for b in range(a + 1):
            found[a, :, b] = np.asarray(weighted_gram(phi, curvature[:, a, b]))
            found[b, :, a] = found[a, :, b].T
    return found.reshape(count * rank, count * rank)
