r"""Size-normalised counts on a linear scale, recovered from a layer of log expression.

The mean of log(x + c) depends on the sequencing depth, that of x does not: a difference in depth
between conditions is a difference in the first, not in the second. In a layer
:math:`y = \log_b(x + c)`, with or without :math:`-\log_b c`, the values x of a cell are its counts
times one factor, so that they are whole multiples of one unit. Only the true base makes them so,
and so it is recognised. With :math:`y_0` the value of a count of zero, :math:`b^{y - y_0} - 1` is
proportional to the counts of the cell, whatever c is.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = [
    "TARGET",
    "Transform",
    "cell_units",
    "infer_transform",
    "linear_blocks",
    "size_factors",
]

#: Linear values are counts per so many.
TARGET = 1e4
# Bases that programs use: natural (log1p of scanpy, Seurat), 2 and 10.
BASES = {"natural": np.e, "2": 2.0, "10": 10.0}
# Error of a single-precision logarithm, after a few operations: absolute, and relative to it.
ROUNDING = 4e-7
# The smallest value of a cell may be up to so many units.
MOST_UNITS = 12
# Values whose multiple of the unit is known no better do not count as evidence.
LARGEST_TOLERANCE = 0.1
# A cell fits if so many of its values are multiples of its unit, a layer if so many cells fit.
FITTING_VALUES, FITTING_CELLS = 0.95, 0.9
# Log probability that a cell fits by chance, below which it is evidence, and that of all cells.
BY_CHANCE, ALL_BY_CHANCE = np.log(1e-2), np.log(1e-6)
# The units of cells are the same, so that no cell was scaled, if they differ by less.
SAME_UNIT = 1e-3
# No layer of logarithms holds a count as large as this power of e.
LARGEST_LOGARITHM = 50.0
# Rounds of finding size factors, and the change at which they end.
ROUNDS, CONVERGED = 200, 1e-6
# Summed counts per 10,000 at which a gene has half its weight in a size factor.
HALF_WEIGHT = 100.0


@dataclass(frozen=True)
class Transform:
    """How expression was made of size-normalised counts x.

    Attributes
    ----------
    name : str
        For people.
    base : float or None
        Of the logarithm; None if there is none.
    pseudocount : float
        c in log(x + c). Without a known scale of x only their ratio matters, and it is 1.
    zero : float
        Value of a count of zero.
    scaled : bool
        Whether counts were scaled by a factor of each cell. If not, they are to be divided by
        the cell's total.
    """

    name: str
    base: float | None
    pseudocount: float = 1.0
    zero: float = 0.0
    scaled: bool = True

    def linear(self, values):
        """Size-normalised counts, up to one factor for all cells, float64."""
        values = np.asarray(values, dtype=np.float64)
        if self.base is None:
            return values
        return self.pseudocount * np.expm1((values - self.zero) * np.log(self.base))

    def linear_rows(self, rows):
        """The same of the rows of a sparse matrix, without stored zeros."""
        if self.zero == 0.0:
            found = sparse.csr_matrix(rows, dtype=np.float64, copy=True)
            found.data = self.linear(found.data)
            found.eliminate_zeros()
            return found
        dense = self.linear(rows.toarray())
        dense[np.abs(rows.toarray() - self.zero) <= 2.0 * ROUNDING * (1.0 + abs(self.zero))] = 0.0
        return sparse.csr_matrix(dense)

    def error(self, linear):
        """Rounding error of linear values, those of single-precision expression."""
        if self.base is None:
            return ROUNDING * linear
        ratio = 1.0 + linear / self.pseudocount
        value = self.zero + np.log(ratio) / np.log(self.base)
        return self.pseudocount * ratio * np.log(self.base) * ROUNDING * (1.0 + np.abs(value))


def infer_transform(rows):
    """Find how expression was made of counts, from a sample of cells.

    Parameters
    ----------
    rows : scipy.sparse.csr_matrix, shape (cells, genes)
        Expression of cells from all over the data; a few hundred are enough.

    Returns
    -------
    Transform or None
        None if the values are no function of counts that is known here: scaled to unit variance,
        residuals, imputed, corrected for batches, or made of estimates that are not whole numbers.
    """
    rows = sparse.csr_matrix(rows, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    if not rows.nnz or not np.isfinite(rows.data).all():
        return None
    zero = _value_of_zero(rows)
    if zero is None:
        return None
    if zero == 0.0 and (rows.data == np.round(rows.data)).all():
        return Transform("counts", None, scaled=False)
    candidates = [
        Transform(f"logarithm ({base})", value, value**zero if zero else 1.0, zero)
        for base, value in BASES.items()
        if (rows.data.max() - zero) * np.log(value) < LARGEST_LOGARITHM
    ]
    if zero == 0.0:
        candidates.append(Transform("counts scaled in each cell", None))
    best, least = None, np.inf
    for candidate in candidates:
        units, evidence, deviation = _fitted(candidate.linear_rows(rows), candidate)
        fits = np.isfinite(units)
        informed = fits & (evidence < BY_CHANCE)
        fails = (np.diff(rows.indptr) > 0) & ~fits
        enough = informed.sum() >= FITTING_CELLS * (informed.sum() + fails.sum())
        if enough and evidence[informed].sum() < ALL_BY_CHANCE and deviation < least:
            same = np.ptp(units[informed]) <= SAME_UNIT * units[informed].max()
            best, least = (candidate, same and informed.sum() > 1), deviation
    if best is None:
        return None
    found, same = best
    if same:
        name = f"{found.name} of counts that were not scaled"
        return Transform(name, found.base, found.pseudocount, found.zero, scaled=False)
    return found


def _value_of_zero(rows):
    """Value that counts of zero have; None if there is none."""
    smallest = rows.data.min()
    if smallest >= 0 and (np.diff(rows.indptr) < rows.shape[1]).any():
        return 0.0
    # A cell may have a count of every gene; most have not.
    least = rows.min(axis=1).toarray().ravel()
    zero = float(np.median(least))
    tolerance = 2.0 * ROUNDING * (1.0 + abs(zero))
    at_zero = (np.abs(least - zero) <= tolerance).mean()
    if least.min() >= zero - tolerance and at_zero >= FITTING_CELLS:
        return zero
    return 0.0 if smallest >= 0 else None


def cell_units(linear, transform):
    """Linear value of a count of one in each cell.

    Parameters
    ----------
    linear : scipy.sparse.csr_matrix, shape (cells, genes)
        From `Transform.linear_rows`.
    transform : Transform

    Returns
    -------
    ndarray, shape (cells,)
        The largest unit of which the values are whole multiples; NaN where there is none.
    """
    return _fitted(linear, transform, judged=False)[0]


def _fitted(linear, transform, judged=True):
    """Unit of each cell, and how well cells fit: the log probability that each does so by chance,
    and the mean deviation from whole multiples over all values, relative to the tolerance.
    """
    count = linear.shape[0]
    units, evidence = np.full(count, np.nan), np.zeros(count)
    total, n_values = 0.0, 0
    left = np.flatnonzero(np.diff(linear.indptr))
    for divisor in range(1, MOST_UNITS + 1):
        if not len(left):
            break
        part = linear[left] if divisor > 1 or len(left) < count else linear
        starts, row = part.indptr[:-1], np.repeat(np.arange(len(left)), np.diff(part.indptr))
        smallest = np.minimum.reduceat(part.data, starts)
        unit = smallest / divisor
        multiple = part.data / unit[row]
        whole = np.round(multiple)
        relative = transform.error(smallest) / smallest
        tolerance = transform.error(part.data) / unit[row] + whole * relative[row]
        usable = tolerance < LARGEST_TOLERANCE
        deviation = np.abs(multiple - whole)
        near = usable & (deviation <= tolerance)
        n_usable, n_near = (np.add.reduceat(x, starts, dtype=np.int64) for x in (usable, near))
        fits = (n_usable > 0) & (n_near >= FITTING_VALUES * n_usable)
        units[left[fits]] = unit[fits]
        if not judged:
            left = left[~fits]
            continue
        used = np.flatnonzero(near & fits[row] & (whole != divisor))
        # Genes of the same count are evidence once.
        _, first = np.unique(row[used] * 2.0**40 + whole[used], return_index=True)
        used = used[first]
        chance = np.log(np.maximum(2.0 * tolerance[used], 1e-6))
        found = np.bincount(row[used], chance, len(left)) + np.log(divisor)
        evidence[left[fits]] = np.minimum(found[fits], 0.0)
        total += (deviation[used] / tolerance[used]).sum()
        n_values += len(used)
        left = left[~fits]
    return units, evidence, total / max(n_values, 1)


def linear_blocks(blocks, transform, factors):
    """Row blocks of counts per 10,000 from those of expression.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        First row and rows of each block.
    transform : Transform
    factors : ndarray, shape (cells,)
        By which the linear values of each cell are multiplied.

    Yields
    ------
    start : int
    block : scipy.sparse.csr_matrix
        float64.
    """
    for start, block in blocks:
        linear = transform.linear_rows(block)
        scale = factors[start : start + linear.shape[0]]
        linear.data *= np.repeat(scale, np.diff(linear.indptr))
        yield start, linear


def size_factors(sums, block_sums, cells):
    r"""One factor a sample, by the median over genes of the ratio of observed to expected.

    A gene that takes a larger share of all counts lowers the shares of all others; the median
    ratio (Anders & Huber 2010) shows by how much. So that other abundances of cell types are no
    factor, the expected value of a sample is that of its cells in each block:
    :math:`e_{sg} = \sum_k n_{ks} m_{kg}`, with
    :math:`m_{kg} = \sum_s y_{ksg} / \sum_s f_s n_{ks}` the mean of the block in cells of factor 1,
    and :math:`f_s` the weighted median of :math:`\sum_k y_{ksg} / e_{sg}`, in turns. The weight of
    a gene is :math:`e / (e + 100)`: ratios of a few counts are not symmetric about 1.

    Parameters
    ----------
    sums : array, shape (samples, genes)
        Summed counts per 10,000 of each sample.
    block_sums : array, shape (blocks, genes)
        The same of each block.
    cells : array, shape (blocks, samples)
        Number of cells.

    Returns
    -------
    ndarray, shape (samples,)
        By which to divide; geometric mean 1. 1 for samples without cells or genes to compare.

    References
    ----------
    Anders & Huber (2010), Genome Biology 11, R106.
    """
    cells = np.asarray(cells, dtype=np.float64)
    present = cells.sum(axis=0) > 0
    sums, block_sums = np.asarray(sums), np.asarray(block_sums)
    factors = np.ones(len(sums))
    genes = (sums[present] > 0).all(axis=0)
    if present.sum() < 2 or not genes.any():
        return factors
    sums, block_sums, cells = sums[present][:, genes], block_sums[:, genes], cells[:, present]
    held = cells.sum(axis=1) > 0
    block_sums, cells = block_sums[held], cells[held]
    found = np.ones(len(sums))
    for _ in range(ROUNDS):
        expected = (cells / (cells @ found)[:, None]).T @ block_sums
        # Where samples share few blocks, the ratio moves little in a round.
        ratios = sums / expected / found[:, None]
        step = np.array([
            _weighted_median(ratio, e / (e + HALF_WEIGHT))
            for ratio, e in zip(ratios, expected, strict=True)
        ])  # fmt: skip
        found *= step
        found /= np.exp(np.log(found).mean())
        if np.abs(step / np.exp(np.log(step).mean()) - 1.0).max() < CONVERGED:
            break
    factors[present] = found
    return factors


def _weighted_median(values, weights):
    """Value below which half of the weight lies."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return values[order][np.searchsorted(reached, reached[-1] / 2.0)]
