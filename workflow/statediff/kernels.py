"""Covariance of cell states: the Matérn-5/2 kernel.

Importing this module switches JAX to float64, which every posterior here relies on.
"""

import jax
import jax.numpy as jnp

__all__ = ["matern52"]

jax.config.update("jax_enable_x64", True)


@jax.jit
def matern52(x, y, ls):
    r"""Matérn-5/2 covariance between two sets of cell states.

    .. math:: k(r) = (1 + \sqrt5 r/\ell + 5 r^2 / 3\ell^2)\, e^{-\sqrt5 r/\ell}

    Parameters
    ----------
    x : array, shape (n, D)
    y : array, shape (m, D)
    ls : float
        Length scale, in the units of the states.

    Returns
    -------
    array, shape (n, m)
        Covariances; 1 where two states coincide.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, eq. 4.17.
    """
    centre = y.mean(axis=0)  # the expanded square below cancels badly far from the origin
    x, y = (x - centre) / ls, (y - centre) / ls
    square = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2.0 * x @ y.T
    return _matern52_of_square(jnp.maximum(square, 0.0))


def _matern52_of_square(square):
    """Matérn-5/2 of squared distances in units of the length scale."""
    r = jnp.sqrt(5.0 * square)
    return (1.0 + r + r**2 / 3.0) * jnp.exp(-r)
