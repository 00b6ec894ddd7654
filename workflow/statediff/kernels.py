"""Covariance of cell states: the Matérn-5/2 kernel."""

import numpy as np

__all__ = ["matern52"]


def matern52(x, y, ls, xp=np):
    r"""Matérn-5/2 covariance between two sets of cell states.

    .. math:: k(r) = (1 + \sqrt5 r/\ell + 5 r^2 / 3\ell^2)\, e^{-\sqrt5 r/\ell}

    Parameters
    ----------
    x : array, shape (n, D)
    y : array, shape (m, D)
    ls : float or tuple of float
        Length scale, in the units of the states; of several, the mean of their kernels.
    xp : module
        `numpy`, or `jax.numpy` for its arrays.

    Returns
    -------
    array, shape (n, m)
        Covariances; 1 where two states coincide.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, eq. 4.17.
    """
    scales = ls if isinstance(ls, tuple) else (ls,)
    centre = y.mean(axis=0)  # the expanded square below cancels badly far from the origin
    x, y = (x - centre) / scales[0], (y - centre) / scales[0]
    square = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2.0 * x @ y.T
    first = xp.sqrt(5.0 * xp.maximum(square, 0.0))
    total = 0.0
    for scale in scales:
        r = first * (scales[0] / scale)
        total = total + (1.0 + r + r**2 / 3.0) * xp.exp(-r)
    return total / len(scales)
