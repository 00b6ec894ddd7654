r"""A low-rank basis of the kernel: :math:`k(x, x') \approx \Phi(x) \cdot \Phi(x')`.

The kernels used on cell states are so smooth that a hundred functions span thousands of cells to
within rounding. Pivoted Cholesky finds them with a known error, without the n × n matrix.
"""

import warnings
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from statediff import DataWarning
from statediff.kernels import _matern52_of_square, matern52

__all__ = ["Basis", "build_basis", "triangular_factor"]

# Cells evaluated at a time: bounds the scratch memory to BLOCK × rank.
BLOCK = 16384
# Pivots whose rows are multiplied at a time.
PANEL = 64


@dataclass(frozen=True)
class Basis:
    r"""Functions :math:`\Phi(x) = V^T L_P^{-1} k(P, x)` built on pivot cells P.

    With a linear part, r = q + D + 1 functions :math:`[\Phi(x), x - c, 1]` that the conditions
    share; what each condition's own kernel makes of them is its `prior`.

    Attributes
    ----------
    pivots : ndarray, shape (p, D)
        States of the pivot cells.
    factor : ndarray, shape (p, p)
        Lower Cholesky factor :math:`L_P` of the kernel between pivots.
    rotation : ndarray, shape (p, q)
        Orthonormal columns V; q ≤ p of them.
    ls : float
        Length scale, in the units of the states.
    centre : ndarray, shape (D,), or None
        Origin c of the linear part, if there is one.
    eigenvalues : ndarray, shape (q,)
        Eigenvalues of the Matérn kernel matrix of the training cells, decreasing.
    residual_max, residual_sum : float
        Largest and summed prior variance (of 1 per cell) the pivots leave unexplained.
    dropped : float
        Sum of the eigenvalues that the rotation left out.
    truncated : bool
        Whether `max_rank` stopped the search before the tolerance was met.
    """

    pivots: np.ndarray
    factor: np.ndarray
    rotation: np.ndarray
    ls: float
    centre: np.ndarray | None = None
    eigenvalues: np.ndarray = field(default_factory=lambda: np.empty(0))
    residual_max: float = 0.0
    residual_sum: float = 0.0
    dropped: float = 0.0
    truncated: bool = False

    @property
    def rank(self):
        """Number q of functions of the Matérn part."""
        return self.rotation.shape[1]

    @property
    def size(self):
        """Number r of functions in all."""
        return self.rank if self.centre is None else self.rank + len(self.centre) + 1

    def __call__(self, states):
        """Evaluate the basis at cell states of shape (n, D); returns shape (n, r)."""
        states = np.asarray(states, dtype=np.float64)
        phi = np.empty((len(states), self.size))
        for start in range(0, len(states), BLOCK):
            rows, q = slice(start, start + BLOCK), self.rank
            phi[rows, :q] = _evaluate(
                states[rows], self.pivots, self.factor, self.rotation, self.ls
            )
        if self.centre is not None:
            phi[:, q:-1] = states - self.centre
            phi[:, -1] = 1.0
        return phi

    def unexplained(self, phi):
        """Prior variance of the Matérn part that the basis leaves out, at values phi → (n,)."""
        return np.maximum(1.0 - (phi[:, : self.rank] ** 2).sum(axis=1), 0.0)

    def prior(self, states):
        r"""Map T from the functions to those that are orthonormal under a condition's kernel.

        Without a linear part the identity. With it, the kernel of a condition with centroid μ
        and mean squared distance s from it adds :math:`(x-\mu)^T(x'-\mu)/s`.

        Parameters
        ----------
        states : array, shape (n, D)
            The condition's cells.

        Returns
        -------
        ndarray, shape (r, r) or (q + D, r)
            :math:`k(x, x') = (T\Phi(x))^T(T\Phi(x'))`.

        References
        ----------
        The Kompot tutorial, for the sum; Rasmussen & Williams (2006), section 4.2.2.
        """
        if self.centre is None:
            return np.eye(self.size)
        q, d = self.rank, len(self.centre)
        mean = states.mean(axis=0)
        scale = np.sqrt(((states - mean) ** 2).sum(axis=1).mean())
        prior = np.zeros((q + d, self.size))
        prior[:q, :q] = np.eye(q)
        prior[q:, q:-1] = np.eye(d) / scale
        prior[q:, -1] = (self.centre - mean) / scale
        return prior


@jax.jit
def _evaluate(states, pivots, factor, rotation, ls):
    columns = matern52(pivots, states, ls)
    return jax.scipy.linalg.solve_triangular(factor, columns, lower=True).T @ rotation


def build_basis(states, ls, tol=1e-6, max_rank=2000, noise=1.0, linear=False):
    r"""Find the basis of the Matérn-5/2 kernel over a set of cells.

    Each step adds the cell with the largest unexplained variance, until that is below `tol`;
    the functions are then rotated onto the eigenvectors of the kernel matrix, and the last of
    them dropped as long as they explain less than `tol` × `noise`² per cell together: too little
    for data with noise variance `noise`² to tell of. Time O(n r²), memory O(n r).

    Parameters
    ----------
    states : array, shape (n, D)
        Finite states of the training cells.
    ls : float
        Length scale, in the units of the states.
    tol : float
        Largest prior variance (of 1) that may stay unexplained at a training cell.
    max_rank : int
        Stop here even if the tolerance is not met (see `Basis.truncated`).
    noise : float
        Standard deviation σ of the observation noise.
    linear : bool
        Whether to add a linear part.

    Returns
    -------
    Basis

    References
    ----------
    Harbrecht, Peters & Schneider (2012), Applied Numerical Mathematics 62, for the pivoted
    Cholesky factorisation and its error, which is the trace of the residual.
    """
    # Sorted cells make the pivots independent of the cells' order in the file.
    states = np.asarray(states, dtype=np.float64)
    states = states[np.lexsort(states.T)]
    rows, chosen, residual = _pivoted_cholesky(states, ls, tol, max_rank)
    truncated = bool(residual.max() >= tol)
    if truncated:
        warnings.warn(
            f"the basis stopped at rank {len(chosen)} with an unexplained variance of "
            f"{residual.max():.1e} at a cell (tolerance {tol:.1e}): raise gp.max_rank or "
            "the length scale",
            DataWarning,
            stacklevel=2,
        )
    factor = np.tril(rows[:, chosen].T)
    eigenvalues, rotation, dropped = _rotation(rows.T, tol * noise**2 * len(states))
    return Basis(
        pivots=states[chosen],
        factor=factor,
        rotation=rotation,
        ls=float(ls),
        centre=states.mean(axis=0) if linear else None,
        eigenvalues=eigenvalues,
        residual_max=float(residual.max()),
        residual_sum=float(residual.sum()),
        dropped=dropped,
        truncated=truncated,
    )


def _pivoted_cholesky(states, ls, tol, max_rank):
    """Rows of the factor (rank, n), the pivots in order, and the residual variances (n,)."""
    n = len(states)
    limit = min(max_rank, n)
    # Rows to start with: all that could be needed, or 128 MB of them (each growth recompiles).
    capacity = min(_padded(limit), _padded((1 << 24) // n))
    rows, residual = jnp.zeros((capacity, n)), jnp.ones(n)
    chosen, count = jnp.zeros(capacity, dtype=int), 0
    while True:
        rows, residual, chosen, count = _add_pivots(
            rows, residual, chosen, count, states, ls, tol, min(limit, capacity)
        )
        if count < capacity or capacity >= limit:
            break
        grown = min(2 * capacity, _padded(limit))
        rows = jnp.pad(rows, ((0, grown - capacity), (0, 0)))
        chosen = jnp.pad(chosen, (0, grown - capacity))
        capacity = grown
    count = int(count)
    return np.asarray(rows[:count]), np.asarray(chosen[:count]), np.asarray(residual)


def _padded(rank):
    """Rank rounded up to whole panels."""
    return max(1, -(-rank // PANEL)) * PANEL


@partial(jax.jit, donate_argnums=(0, 1, 2))
def _add_pivots(rows, residual, chosen, count, states, ls, tol, limit):
    """Add pivots until the residual is below `tol` or there are `limit` of them."""
    n = rows.shape[1]

    def unfinished(carry):
        _, residual, _, count = carry
        return (count < limit) & (residual.max() >= tol)

    def step(carry):
        rows, residual, chosen, count = carry
        pivot = jnp.argmax(residual)
        square = ((states - states[pivot]) ** 2).sum(axis=1) / ls**2
        weights = rows[:, pivot]

        def subtract(i, row):
            panel = jax.lax.dynamic_slice(rows, (i * PANEL, 0), (PANEL, n))
            return row - jax.lax.dynamic_slice(weights, (i * PANEL,), (PANEL,)) @ panel

        # Panels beyond the pivots found so far are empty.
        row = _matern52_of_square(square)
        row = jax.lax.fori_loop(0, (count + PANEL - 1) // PANEL, subtract, row)
        row = row / jnp.sqrt(residual[pivot])
        residual = jnp.maximum(residual - row**2, 0.0).at[pivot].set(0.0)
        return rows.at[count].set(row), residual, chosen.at[count].set(pivot), count + 1

    return jax.lax.while_loop(unfinished, step, (rows, residual, chosen, count))


def _rotation(phi, negligible):
    """Eigenvectors of phi phi' in the coordinates of phi, largest first, but for those last ones
    whose eigenvalues sum to less than is negligible."""
    _, singular, rotation = np.linalg.svd(triangular_factor(phi), full_matrices=False)
    eigenvalues = singular**2
    keep = np.cumsum(eigenvalues[::-1])[::-1] >= negligible
    keep[0] = True
    return eigenvalues[keep], rotation[keep].T, float(eigenvalues[~keep].sum())


def triangular_factor(phi):
    """Upper triangular R with R'R = phi'phi, by QR over blocks of rows.

    Parameters
    ----------
    phi : ndarray, shape (n, r)

    Returns
    -------
    ndarray, shape (min(n, r), r)

    References
    ----------
    Demmel et al. (2012), SIAM J. Sci. Comput. 34, for QR of tall matrices by blocks.
    """
    factor = np.empty((0, phi.shape[1]))
    for start in range(0, len(phi), BLOCK):
        factor = np.linalg.qr(np.vstack([factor, phi[start : start + BLOCK]]), mode="r")
    return factor
