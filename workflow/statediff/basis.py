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
from statediff.basis_values import prior_of
from statediff.device import evaluate, survey, unexplained
from statediff.kernels import Kernel

__all__ = ["Basis", "build_basis"]

# Largest number of cells that are searched for pivots first.
SAMPLE = 16384
# Cells outside the sample that are searched for further pivots at a time.
CHUNK = 4096
# Candidates for the next pivots, and how far below the largest of their residuals they may be.
POOL = 256
FRACTION = 0.1
# Largest residual outside the sample, relative to inside it, where `max_rank` stops the search.
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
        Length scale or scales of `statediff.kernels.Kernel`, in the units of the states.
    centre : ndarray, shape (D,), or None
        Origin c of the linear part, if there is one.
    eigenvalues : ndarray, shape (q,)
        Eigenvalues of the kernel matrix of the training cells, decreasing; without a linear part.
    residual_max, residual_sum : float
        Largest and summed prior variance (of 1 per cell) the pivots leave unexplained.
    dropped : float
        Sum of the eigenvalues that the rotation left out.
    truncated : bool
        Whether `max_rank` stopped the search before the tolerance was met.
    kernel : str
        Name in `statediff.kernels.KERNELS`.
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
    kernel: str = "matern52"

    @property
    def rank(self):
        """Number q of functions without those of a linear part."""
        return self.rotation.shape[1]

    @property
    def size(self):
        """Number r of functions in all."""
        return self.rank if self.centre is None else self.rank + len(self.centre) + 1

    def __call__(self, states):
        """Evaluate the basis at cell states of shape (n, D); returns shape (n, r)."""
        states = np.asarray(states, dtype=np.float64)
        kernel = Kernel.of(self.ls, self.kernel)
        phi = evaluate(states, self.pivots, self.factor, self.rotation, kernel)
        if self.centre is None:
            return phi
        return np.hstack([phi, states - self.centre, np.ones((len(states), 1))])

    def unexplained(self, phi):
        """Prior variance that the basis leaves out (no linear part) at values phi → (n,)."""
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
        return prior_of(self.rank, None if self.centre is None else states - self.centre)


def build_basis(
    states, ls, tol=1e-6, max_rank=2000, noise=1.0, linear=False, enough=None, kernel="matern52"
):
    r"""Find the basis of a kernel over a set of cells.

    Pivot cells are added until the largest unexplained variance is below `tol`. They are searched
    for among up to 16,384 cells, then among those whose unexplained variance is still above `tol`.
    Rounding may leave the worst cell above `tol`, but below 2 `tol`; `Basis.residual_max` is the
    value that was found. The functions are then rotated onto the eigenvectors of the kernel matrix.
    The last of them are dropped as long as they explain less together than `tol` times the noise
    variance per cell, which is too little to change a posterior.

    Beyond 16,384 cells there are two passes over all cells, or three if `max_rank` stops the
    search. Time is O(n r²) and memory O(n D + (b + r) r), with b cells in the sample or a block.

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
    enough : float, optional
        Unexplained variance up to which it draws no warning that `max_rank` stopped the search;
        `tol` if not given.
    kernel : str
        Name in `statediff.kernels.KERNELS`.

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
    pivots, factor, residual, gram = _search(states, Kernel.of(ls, kernel), tol, max_rank)
    truncated = bool(len(pivots) >= max_rank and residual.max() >= tol)
    if truncated and residual.max() >= (tol if enough is None else enough):
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
        kernel=kernel,
    )


def _search(states, kernel, tol, max_rank):
    """Find pivots that explain all cells, in at most three passes over them.

    The first pivots come from a sample of the cells. The cells that these leave above the
    tolerance are then searched for further ones. A residual never rises as pivots are added, so
    no cell outside that search can exceed the tolerance afterwards.

    Returns
    -------
    pivots : ndarray, shape (p, D)
    factor : ndarray, shape (p, p)
    residual : ndarray, shape (n,)
    gram : ndarray, shape (p, p)
        Inner products of the functions over all cells.
    """
    empty = states[:0], np.empty((0, 0))
    step = -(-len(states) // SAMPLE)
    sample = np.arange(0, len(states), step)
    pivots, factor, rows, left = _extend(*empty, states[sample], kernel, tol, max_rank)
    if step == 1:
        return pivots, factor, left, rows @ rows.T
    del rows
    residual = unexplained(states, pivots, factor, kernel)
    worst = np.argsort(-residual, kind="stable")
    worst = worst[residual[worst] >= tol]
    limit = max(tol, UNEVEN * left.max())
    far = states[worst[residual[worst] >= limit][:CHUNK]]
    if len(pivots) >= max_rank and far.size:
        # Cells far outside the sample replace up to half of its pivots, the last ones, if the
        # residuals then sum to less.
        most = max_rank + max_rank // 2
        keep = 2 * max_rank - len(_extend(pivots, factor, far, kernel, limit, most)[0])
        others = _extend(pivots[:keep], factor[:keep, :keep], far, kernel, limit, max_rank)[:2]
        if unexplained(states, *others, kernel).sum() < residual.sum():
            pivots, factor = others
    while worst.size and len(pivots) < max_rank:
        chunk, worst = states[worst[:CHUNK]], worst[CHUNK:]
        pivots, factor, *_ = _extend(pivots, factor, chunk, kernel, tol, max_rank)
    return pivots, factor, *survey(states, pivots, factor, kernel)


def _extend(pivots, factor, states, kernel, tol, max_rank):
    """Continue a pivoted Cholesky factorisation with pivots among these cells.

    Adding one pivot at a time would pass over all rows for each. A pool of cells is factorised
    alone instead, down to a tenth of its largest residual, and the rows of all its pivots are
    added at once.

    Parameters
    ----------
    pivots : ndarray, shape (k, D)
        Pivots so far.
    factor : ndarray, shape (k, k)
        Lower Cholesky factor of the kernel between them.
    states : ndarray, shape (m, D)
    kernel : statediff.kernels.Kernel
    tol, max_rank
        See `build_basis`.

    Returns
    -------
    pivots : ndarray, shape (p, D)
    factor : ndarray, shape (p, p)
    rows : ndarray, shape (p, m)
        Values of the functions at the cells.
    residual : ndarray, shape (m,)
        Prior variance, of 1, that is left.
    """
    known, limit = len(pivots), min(max_rank, len(pivots) + len(states))
    rows, chosen = np.empty((limit, len(states))), []
    rows[:known] = solve_triangular(factor, kernel(pivots, states), lower=True)
    residual = np.maximum(1.0 - (rows[:known] ** 2).sum(axis=0), 0.0)
    while known + len(chosen) < limit and residual.max() >= tol:
        k, pool = known + len(chosen), _pool(residual, tol)
        left = kernel(states[pool], states[pool]) - rows[:k, pool].T @ rows[:k, pool]
        # Equal residuals must not differ by rounding, which would choose other pivots.
        np.fill_diagonal(left, residual[pool])
        stop = max(tol, FRACTION * residual[pool].max())
        lower, order, rank, _ = dpstrf(left, lower=1, tol=stop)
        rank = min(max(rank, 1), limit - k)
        found = pool[order[:rank] - 1]
        columns = kernel(states[found], states) - rows[:k, found].T @ rows[:k]
        new = solve_triangular(lower[:rank, :rank], columns, lower=True)
        rows[k : k + rank] = new
        residual = np.maximum(residual - (new**2).sum(axis=0), 0.0)
        residual[found] = 0.0
        chosen.extend(found)
    rows = rows[: known + len(chosen)]
    below = rows[:, chosen].T
    factor = np.block([[factor, np.zeros((known, len(chosen)))], [below]])
    return np.vstack([pivots, states[chosen]]), np.tril(factor), rows, residual


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
