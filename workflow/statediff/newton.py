"""Mode of the posterior of a Gaussian process with a log-concave likelihood."""

import jax
import jax.numpy as jnp

__all__ = ["CONVERGED", "posterior_mode"]

# Newton steps end when the log posterior can gain no more than this per cell.
CONVERGED = 1e-12


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
    identity = jnp.eye(phi.shape[1])

    def log_posterior(weights):
        return likelihood(offset + phi @ weights)[0].sum() - 0.5 * weights @ weights

    def newton(weights):
        _, slope, curvature = likelihood(offset + phi @ weights)
        gradient = phi.T @ slope - weights
        hessian = identity + phi.T @ (curvature[:, None] * phi)
        step = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(hessian), True), gradient)
        return step, gradient @ step

    def halve(carry):
        weights, step, size, decrease, value = carry
        return weights, step, size / 2, decrease, value

    def too_long(carry):
        weights, step, size, decrease, value = carry
        gained = log_posterior(weights + size * step) - value
        return ~(gained >= 1e-4 * size * decrease) & (size > 1e-10)

    def iterate(carry):
        weights, _, count = carry
        step, decrease = newton(weights)
        first = (weights, step, 1.0, decrease, log_posterior(weights))
        size = jax.lax.while_loop(too_long, halve, first)[2]
        return weights + size * step, decrease, count + 1

    def unfinished(carry):
        _, decrease, count = carry
        return (decrease > CONVERGED * len(phi)) & (count < 100)

    weights, decrease, _ = jax.lax.while_loop(unfinished, iterate, (start, jnp.inf, 0))
    return weights, decrease
