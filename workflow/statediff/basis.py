r"""A low-rank basis of the kernel: :math:`k(x, x') \approx \Phi(x) \cdot \Phi(x')`.

The kernels used on cell states are so smooth that a hundred functions span thousands of cells to
within rounding. Pivoted Cholesky finds them with a known error, without the n × n matrix.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf

from statediff import DataWarning
from statediff.device import evaluate, survey
from statediff.kernels import matern52

__all__ = ["Basis", "build_basis"]

# Pivots are looked for among so many cells to begin with.
SAMPLE = 16384
# Candidates for the next pivots, and how far below the largest of their residuals they may be.
POOL = 256
FRACTION = 0.1
# How many times worse than the sample other cells may be explained, with as many pivots as may be.
UNEVEN = 10.0


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
    ls : float or tuple of float
        Length scale or scales of `statediff.kernels.matern52`, in the units of the states.
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
    ls: float | tuple[float, ...]
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
        phi = evaluate(states, self.pivots, self.factor, self.rotation, self.ls)
        if self.centre is None:
            return phi
        return np.hstack([phi, states - self.centre, np.ones((len(states), 1))])

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


def build_basis(states, ls, tol=1e-6, max_rank=2000, noise=1.0, linear=False):
    r"""Find the basis of the Matérn-5/2 kernel over a set of cells.

    Pivot cells are added until the largest unexplained variance is below `tol`. They are looked
    for among up to 16,384 cells; of more cells those are added that turn out to be left over.
    The functions are then rotated onto the eigenvectors of the kernel matrix, and the last of
    them dropped as long as they explain less together than `tol` times the noise variance per cell:
    too little for such data to tell of. Time O(n r²), memory O(n + r²).

    Parameters
    ----------
    states : array, shape (n, D)
        Finite states of the training cells.
    ls : float or tuple of float
        Length scale or scales, in the units of the states.
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
    Cholesky factorisation and its error, which is the trace of the residual; Epperly, Tropp &
    Webber (2024), arXiv:2410.03969, for drawing pivots from a pool of candidates.
    """
    # Sorted cells make the pivots independent of the cells' order in the file.
    states = np.asarray(states, dtype=np.float64)
    states = states[np.lexsort(states.T)]
    pivots, factor, residual, gram = _search(states, ls, tol, max_rank)
    truncated = bool(len(pivots) >= max_rank and residual.max() >= tol)
    if truncated:
        warnings.warn(
            f"the basis stopped at rank {len(pivots)} with an unexplained variance of "
            f"{residual.max():.1e} at a cell (tolerance {tol:.1e}): raise gp.max_rank or "
            "the length scale",
            DataWarning,
            stacklevel=2,
        )
    eigenvalues, rotation, dropped = _rotation(gram, tol * noise**2 * len(states))
    return Basis(
        pivots=pivots,
        factor=factor,
        rotation=rotation,
        ls=ls,
        centre=states.mean(axis=0) if linear else None,
        eigenvalues=eigenvalues,
        residual_max=float(residual.max()),
        residual_sum=float(residual.sum()),
        dropped=dropped,
        truncated=truncated,
    )


def _search(states, ls, tol, max_rank):
    """Pivots that explain all cells, the factor of the kernel between them, the residual
    variances (n,), and the Gram matrix of the functions, from as few cells as it takes."""
    looked_at = np.zeros(len(states), dtype=bool)
    looked_at[:: -(-len(states) // SAMPLE)] = True
    best = None
    while True:
        sample = states[looked_at]
        rows, chosen, residual = _pivoted_cholesky(sample, ls, tol, max_rank)
        pivots, factor = sample[chosen], np.tril(rows[:, chosen].T)
        if looked_at.all():
            return pivots, factor, residual, rows @ rows.T
        del rows
        residual, gram = survey(states, pivots, factor, ls)
        found = pivots, factor, residual, gram
        # Where pivots run out, no cell should be far worse explained than those looked at, as long
        # as that leaves less over in all.
        spent = len(pivots) >= max_rank
        if best is not None and residual.sum() >= best[2].sum():
            return best
        best = found if spent else None
        left = np.where(looked_at, 0.0, residual)
        worst = np.argsort(-left, kind="stable")[: SAMPLE // 4]
        worst = worst[left[worst] >= max(tol, UNEVEN * residual[looked_at].max() * spent)]
        if not worst.size:
            return found
        looked_at[worst] = True


def _pivoted_cholesky(states, ls, tol, max_rank):
    """Rows of the factor (rank, n), the pivots in order, and the residual variances (n,).

    One pivot after another from the whole would pass over all rows for each. A pool of cells is
    factorised alone instead, down to a tenth of its largest residual, and the rows of all its
    pivots follow at once.
    """
    limit = min(max_rank, len(states))
    rows, chosen, residual = np.empty((limit, len(states))), [], np.ones(len(states))
    while len(chosen) < limit and residual.max() >= tol:
        k, pool = len(chosen), _pool(residual, tol)
        left = matern52(states[pool], states[pool], ls) - rows[:k, pool].T @ rows[:k, pool]
        stop = max(tol, FRACTION * residual[pool].max())
        lower, order, rank, _ = dpstrf(left, lower=1, tol=stop)
        rank = min(max(rank, 1), limit - k)
        pivots = pool[order[:rank] - 1]
        columns = matern52(states[pivots], states, ls) - rows[:k, pivots].T @ rows[:k]
        new = solve_triangular(lower[:rank, :rank], columns, lower=True)
        rows[k : k + rank] = new
        residual = np.maximum(residual - (new**2).sum(axis=0), 0.0)
        residual[pivots] = 0.0
        chosen.extend(pivots)
    return rows[: len(chosen)], np.array(chosen), residual


def _pool(residual, tol):
    """Candidates for pivots: half of them the cells with the largest residuals, half spread over
    the cells in proportion to theirs."""
    half = POOL // 2
    largest = np.argsort(-residual, kind="stable")[:half]
    total = np.cumsum(residual)
    spread = np.searchsorted(total, (np.arange(half) + 0.5) / half * total[-1])
    pool = np.union1d(largest, spread)
    return pool[residual[pool] >= tol]


def _rotation(gram, negligible):
    """Eigenvectors of a Gram matrix, largest first, but for those last ones whose eigenvalues
    sum to less than is negligible."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0.0), vectors[:, ::-1]
    keep = np.cumsum(eigenvalues[::-1])[::-1] >= negligible
    keep[0] = True
    return eigenvalues[keep], vectors[:, keep].copy(), float(eigenvalues[~keep].sum())
