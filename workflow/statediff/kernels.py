r"""Covariances of cell states, functions of their distance.

Another kernel is a function of :math:`r / \ell` here and a line in `KERNELS`: the key ``gp.kernel``
of the configuration then takes its name.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["KERNELS", "LINEAR", "Kernel", "base_kernel", "matern52"]

#: End of the name of a kernel with a linear part: see `statediff.basis.Basis.prior`.
LINEAR = "+linear"


def matern52(distance, xp=np):
    r"""Matérn-5/2 kernel.

    .. math:: k(r) = (1 + \sqrt5 r/\ell + 5 r^2 / 3\ell^2)\, e^{-\sqrt5 r/\ell}

    Parameters
    ----------
    distance : array
        :math:`r / \ell`, 0 or larger.
    xp : module
        `numpy`, or `jax.numpy` for its arrays.

    Returns
    -------
    array
        Of the same shape; 1 at distance 0.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, eq. 4.17.
    """
    r = np.sqrt(5.0) * distance
    return (1.0 + r + r**2 / 3.0) * xp.exp(-r)


#: Kernels by name: positive definite in any dimension, 1 at distance 0.
KERNELS = {"matern52": matern52}


@dataclass(frozen=True)
class Kernel:
    """A kernel with its length scales.

    Attributes
    ----------
    scales : tuple of float
        Length scales, in the units of the states; of several, the mean of their kernels.
    name : str
        In `KERNELS`.
    """

    scales: tuple
    name: str = "matern52"

    @classmethod
    def of(cls, ls, name="matern52"):
        """From one length scale or several."""
        return cls(tuple(ls) if isinstance(ls, tuple | list) else (ls,), name)

    def __call__(self, x, y, xp=np):
        """Covariance between two sets of states, (n, D) and (m, D); returns shape (n, m)."""
        first = self.scales[0]
        centre = y.mean(axis=0)  # the expanded square below cancels badly far from the origin
        x, y = (x - centre) / first, (y - centre) / first
        square = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2.0 * x @ y.T
        distance, function = xp.sqrt(xp.maximum(square, 0.0)), KERNELS[self.name]
        total = sum(function(distance * (first / scale), xp) for scale in self.scales)
        return total / len(self.scales)


def base_kernel(name):
    """Name in `KERNELS`, and whether a linear part is added, of a value of ``gp.kernel``."""
    return name.removesuffix(LINEAR), name.endswith(LINEAR)
