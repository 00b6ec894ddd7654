r"""A basis at many cells, one block of cells after another.

:math:`\Phi` has a row for each cell and is the largest array of a fit. Everything that is made of
it is a sum over cells or a value for each, so that a block at a time is enough. Here :math:`\Phi`
is an array, a dataset of a file, or one of the classes below: all that is asked of it are its
shape, and consecutive rows.
"""

import tempfile

import numpy as np

__all__ = [
    "Evaluated",
    "Part",
    "Stored",
    "gram",
    "grams",
    "phi_blocks",
    "phi_means",
    "prior_of",
    "quadratic",
    "sums",
    "triangular_factor",
    "triangular_factors",
    "values_at",
    "weighted_gram",
]

# Cells whose basis is in memory at a time.
BLOCK = 8192


class Evaluated:
    """The basis at cells, computed when it is asked for.

    Parameters
    ----------
    basis : statediff.basis.Basis
    states : ndarray, shape (n, D)
    constant : bool
        Whether to add a last function, of ones.
    """

    def __init__(self, basis, states, constant=False):
        self._basis, self._states, self._constant = basis, states, constant
        self.shape = (len(states), basis.size + constant)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        values = self._basis(self._states[rows])
        if self._constant:
            values = np.hstack([values, np.ones((len(values), 1))])
        return values


class Part:
    """Some rows and the first columns, scaled.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    cells : ndarray of int, optional
        Increasing; all by default.
    size : int, optional
        Number of columns; all by default.
    scale : float
    """

    def __init__(self, phi, cells=None, size=None, scale=1.0):
        self._phi, self._cells, self._scale = phi, cells, scale
        self._size = phi.shape[1] if size is None else min(size, phi.shape[1])
        self.shape = (len(phi) if cells is None else len(cells), self._size)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        if self._cells is None:
            block = self._phi[rows]
        else:
            cells = self._cells[rows]
            first, stop = (cells[0], cells[-1] + 1) if len(cells) else (0, 0)
            block = self._phi[first:stop][cells - first]
        return self._scale * block[:, : self._size]


class Stored:
    """A copy in a file without a name, which ends with this object or the process.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    folder : path
        On a disk with space for it, 8 bytes a value.
    """

    def __init__(self, phi, folder):
        self.shape = phi.shape
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - as long as this object
        try:
            for _, block in phi_blocks(phi):
                self._file.write(np.ascontiguousarray(block, dtype=np.float64))
            self._file.flush()
        except OSError as error:
            error.filename = f"{folder}/basis"  # a message says which disk is full
            raise

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(len(self))
        self._file.seek(8 * self.shape[1] * start)
        count = max(stop - start, 0) * self.shape[1]
        return np.frombuffer(self._file.read(8 * count)).reshape(-1, self.shape[1])


def phi_blocks(phi):
    """Consecutive blocks: slice of the cells, and values.

    Parameters
    ----------
    phi : array or similar, shape (n, r)

    Yields
    ------
    rows : slice
    block : ndarray, shape (cells, r)
    """
    for start in range(0, len(phi), BLOCK):
        rows = slice(start, min(start + BLOCK, len(phi)))
        yield rows, phi[rows]


def values_at(phi, coefficients):
    """Values of functions with these coefficients, Φ C.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    coefficients : ndarray, shape (r, ...)

    Returns
    -------
    ndarray, shape (n, ...)
    """
    if not len(phi):
        return np.empty((0, *np.shape(coefficients)[1:]))
    return np.concatenate([block @ coefficients for _, block in phi_blocks(phi)])


def sums(phi, values):
    """Sums over the cells, V'Φ.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    values : ndarray, shape (n, m)

    Returns
    -------
    ndarray, shape (m, r)
    """
    found = np.zeros((values.shape[1], phi.shape[1]))
    for rows, block in phi_blocks(phi):
        found += values[rows].T @ block
    return found


def gram(phi):
    """Φ'Φ, shape (r, r)."""
    found = np.zeros((phi.shape[1], phi.shape[1]))
    for _, block in phi_blocks(phi):
        found += block.T @ block
    return found


def prior_of(rank, linear):
    """Map T from the functions of a basis to those that are orthonormal under a condition's kernel.

    Parameters
    ----------
    rank : int
        Number q of functions without those of a linear part.
    linear : array, shape (n, D), or None
        Values of the linear functions at the condition's cells; None without a linear part.

    Returns
    -------
    ndarray, shape (q, q) or (q + D, q + D + 1)
        See `statediff.basis.Basis.prior`.
    """
    if linear is None:
        return np.eye(rank)
    q, d = rank, linear.shape[1]
    mean = linear.mean(axis=0)
    scale = np.sqrt(((linear - mean) ** 2).sum(axis=1).mean())
    prior = np.zeros((q + d, q + d + 1))
    prior[:q, :q] = np.eye(q)
    prior[q:, q:-1] = np.eye(d) / scale
    prior[q:, -1] = -mean / scale
    return prior


def grams(phi, members):
    """Φ'Φ, and sums of Φ, over several groups of cells.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    members : sequence of ndarray of bool, shape (n,)

    Returns
    -------
    grams : ndarray, shape (groups, r, r)
    sums : ndarray, shape (groups, r)
    """
    size = phi.shape[1]
    found, total = np.zeros((len(members), size, size)), np.zeros((len(members), size))
    for rows, block in phi_blocks(phi):
        for i, member in enumerate(members):
            own = block[member[rows]]
            found[i] += own.T @ own
            total[i] += own.sum(axis=0)
    return found, total


def phi_means(phi, members):
    """Mean of the basis over several groups of cells, shape (groups, r).

    Parameters are those of `grams`.
    """
    counts = np.array([np.count_nonzero(member) for member in members])
    return sums(phi, np.stack(members, axis=1).astype(np.float64)) / counts[:, None]


def weighted_gram(phi, weights):
    """Φ' diag(w) Φ of one or more sets of weights, on the device.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    weights : ndarray, shape (n, m)

    Returns
    -------
    ndarray, shape (m, r, r)
    """
    from statediff import device  # JAX, which most that read a basis do without

    found = np.zeros((weights.shape[1], phi.shape[1], phi.shape[1]))
    for rows, block in phi_blocks(phi):
        block = device.on_device(block)
        for i, own in enumerate(weights[rows].T):
            found[i] += np.asarray(device.weighted_gram(block, own))
    return found


def quadratic(phi, matrix):
    r"""Values :math:`\phi^T M \phi` of a positive semidefinite matrix, shape (n,)."""
    found = np.empty(len(phi))
    for rows, block in phi_blocks(phi):
        found[rows] = np.einsum("nr,nr->n", block @ matrix, block)
    return np.maximum(found, 0.0)


def triangular_factor(phi, cells=None):
    """Upper triangular R with R'R = Φ'Φ, by QR.

    Parameters
    ----------
    phi : array or similar, shape (n, r)
    cells : ndarray of bool, shape (n,), optional
        Rows that count; all by default.

    Returns
    -------
    ndarray, shape (min(n, r), r)

    References
    ----------
    Demmel et al. (2012), SIAM J. Sci. Comput. 34, for QR of tall matrices by blocks.
    """
    (factor,) = triangular_factors(phi, [np.ones(len(phi), dtype=bool) if cells is None else cells])
    return factor


def triangular_factors(phi, members):
    """`triangular_factor` of several groups of cells, from one pass."""
    factors = [np.empty((0, phi.shape[1])) for _ in members]
    for rows, block in phi_blocks(phi):
        for i, member in enumerate(members):
            if member[rows].any():
                factors[i] = np.linalg.qr(np.vstack([factors[i], block[member[rows]]]), mode="r")
    return factors
