"""Mode of the posterior of a Gaussian process with a log-concave likelihood."""

import numpy as np

from statediff.basis_values import sums, values_at, weighted_gram

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
    phi : array or similar (`statediff.basis_values`), shape (n, r)
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
    f = offset + values_at(phi, start.T)
    value = likelihood(f)[0].sum() - 0.5 * (start**2).sum()
    weights, decrease = start, np.inf
    for _ in range(STEPS):
        _, slope, curvature = likelihood(f)
        gradient = (sums(phi, slope) - weights).ravel()
        hessian = information(phi, curvature)
        hessian[np.diag_indices_from(hessian)] += 1.0
        if not np.isfinite(hessian).all():
            return weights, np.inf
        step = np.linalg.solve(hessian, gradient)
        decrease, size = gradient @ step, 1.0
        step = step.reshape(weights.shape)
        # A function is linear in its weights: the step is evaluated once, whatever its length.
        moved = values_at(phi, step.T)
        while True:
            with np.errstate(over="ignore", invalid="ignore"):  # of a step that is too long
                found = likelihood(f + size * moved)[0].sum()
                found -= 0.5 * ((weights + size * step) ** 2).sum()
            if found - value >= 1e-4 * size * decrease or size <= SHORTEST:
                break
            size /= 2
        weights, f, value = weights + size * step, f + size * moved, found
        if decrease <= CONVERGED * len(phi):
            break
    return weights, decrease


def information(phi, curvature):
    r"""Negative Hessian of the log likelihood in the weights: blocks :math:`\Phi^T D_{ab} \Phi`.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    curvature : array, shape (n, m, m)

    Returns
    -------
    ndarray, shape (m r, m r)
    """
    count, rank = curvature.shape[1], phi.shape[1]
    lower = np.tril_indices(count)
    found = np.empty((count, rank, count, rank))
    for a, b, block in zip(*lower, weighted_gram(phi, curvature[:, *lower]), strict=True):
        found[a, :, b], found[b, :, a] = block, block.T
    return found.reshape(count * rank, count * rank)
