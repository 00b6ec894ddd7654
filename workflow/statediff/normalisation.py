"""What tests read of a matrix of expression: counts per 10,000 that samples have in common.

How the matrix was made of counts is found once for a data set, in one pass: a `Normalisation`. With
it the rows of any contrast are brought to a linear scale and divided by the size factor of their
sample.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from statediff.linear import (
    TARGET,
    Transform,
    cell_units,
    linear_blocks,
    size_factors,
)
from statediff.samples import number_samples
from statediff.store import matrix_shape, read_rows, row_blocks

__all__ = [
    "Normalisation",
    "agrees",
    "counts_per_10000",
    "expression_blocks",
    "mean_counts",
    "normalise",
    "of_counts",
    "sample_rows",
    "scaled_blocks",
]

# Stored values worked on at a time: about 200 MB.
AT_ONCE = 1 << 21
# Cells by which a transform is recognised.
LOOKED_AT = 150
# Counts recovered from single precision are those of the file if they differ by less, relatively.
SAME_COUNTS = 1e-3
COUNTS = Transform("counts", None, scaled=False)


@dataclass(frozen=True, eq=False)
class Normalisation:
    """How a matrix becomes counts per 10,000.

    Attributes
    ----------
    transform : Transform or None
        None where it is unknown: the matrix is then used as it is.
    factors : ndarray, shape (cells,)
        By which the linear values of each cell are multiplied.
    depth : ndarray, shape (cells,)
        Counts of each cell, NaN where they are unknown.
    """

    transform: Transform | None
    factors: np.ndarray
    depth: np.ndarray

    @property
    def attributes(self):
        """Scalars to be written beside the arrays."""
        if self.transform is None:
            return {"transform": "unknown"}
        of_transform = self.transform
        return {
            "transform": of_transform.name,
            "base": np.nan if of_transform.base is None else of_transform.base,
            "pseudocount": of_transform.pseudocount,
            "zero": of_transform.zero,
            "scaled": of_transform.scaled,
        }

    @classmethod
    def read(cls, record):
        """From an open HDF5 file or group with these arrays and attributes."""
        found, transform = record.attrs, None
        if found["transform"] != "unknown":
            base = None if np.isnan(found["base"]) else float(found["base"])
            scale = float(found["pseudocount"]), float(found["zero"]), bool(found["scaled"])
            transform = Transform(str(found["transform"]), base, *scale)
        return cls(transform, record["factors"][:], record["depth"][:])

    def of_samples(self, members, size_factors=None):
        """Factors of the cells divided by the size factors of their samples, shape (cells,).

        Parameters
        ----------
        members : dict of ndarray
            From `statediff.contrast.find_cells`.
        size_factors : ndarray, shape (samples,), optional
            From `statediff.gene_tests.compare_genes`; 1 by default.
        """
        factors = self.factors.copy()
        if self.transform is not None and size_factors is not None:
            cells, samples, _ = number_samples(members)
            factors[cells] /= size_factors[samples]
        return factors


def counts_per_10000(values, transform, factors):
    """Counts per 10,000 of some genes.

    Parameters
    ----------
    values : scipy.sparse.csr_matrix, shape (cells, genes)
        Expression.
    transform : Transform or None
        None if it is unknown: the values are returned as they are.
    factors : ndarray, shape (cells,)
        From `Normalisation.of_samples`.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (cells, genes)
    """
    if transform is None:
        return values
    ((_, linear),) = linear_blocks([(0, values)], transform, factors)
    return linear


def sample_rows(matrix, count=LOOKED_AT, seed=0):
    """Some rows of a CSR matrix of an HDF5 file, drawn at random, and which these are.

    Returns
    -------
    rows : ndarray of int
    part : scipy.sparse.csr_matrix
    """
    n_rows = matrix_shape(matrix)[0]
    rows = np.sort(np.random.default_rng(seed).permutation(n_rows)[:count])
    return rows, read_rows(matrix, rows)


def normalise(matrix, transform, totals=None):
    """Find how a matrix of expression becomes counts per 10,000.

    Values that were scaled keep the factors they were scaled by, since genes may have been left
    out since then; the median cell gets 10,000. Others are divided by the total of the cell.

    Parameters
    ----------
    matrix : h5py.Group
        CSR, as AnnData writes it.
    transform : Transform or None
        None if it is unknown.
    totals : tuple of ndarray, shape (cells,), optional
        Where the counts are known: counts of each cell among the genes of the matrix, and among
        all genes. The cells are divided by the latter.

    Returns
    -------
    Normalisation
    """
    shape = matrix_shape(matrix)
    if transform is None:
        return Normalisation(None, np.ones(shape[0]), np.full(shape[0], np.nan))
    linear, units = np.zeros(shape[0]), np.full(shape[0], np.nan)
    for start, block in row_blocks(matrix, AT_ONCE):
        rows = transform.linear_rows(block)
        part = slice(start, start + rows.shape[0])
        linear[part] = np.asarray(rows.sum(axis=1)).ravel()
        if totals is None:
            units[part] = cell_units(rows, transform)
    inverse = np.divide(1.0, linear, out=np.zeros_like(linear), where=linear > 0)
    if totals is not None:
        here, everywhere = (np.asarray(values, dtype=np.float64) for values in totals)
        factors = here * inverse * TARGET / np.maximum(everywhere, 1.0)
        return Normalisation(transform, factors, everywhere)
    if transform.scaled:
        middle = np.median(linear[linear > 0]) if (linear > 0).any() else TARGET
        factors = np.full(shape[0], TARGET / middle)
    else:
        factors = TARGET * inverse
    return Normalisation(transform, factors, linear / units)


def of_counts(totals):
    """The normalisation of a matrix of raw counts, by the total of each cell."""
    totals = np.asarray(totals, dtype=np.float64)
    factors = np.divide(TARGET, totals, out=np.zeros_like(totals), where=totals > 0)
    return Normalisation(COUNTS, factors, totals)


def agrees(rows, transform, counts):
    """Whether expression of some cells is this function of these counts, each cell scaled.

    Parameters
    ----------
    rows, counts : scipy.sparse.csr_matrix, shape (cells, genes)
    transform : Transform

    Returns
    -------
    bool
    """
    linear = transform.linear_rows(rows)
    totals = [np.asarray(matrix.sum(axis=1)).ravel() for matrix in (linear, counts)]
    kept = np.flatnonzero((totals[0] > 0) | (totals[1] > 0))
    scale = sparse.diags(totals[1][kept] / np.maximum(totals[0][kept], 1e-300))
    difference = abs(scale @ linear[kept] - counts[kept]).max(axis=1).toarray().ravel()
    largest = counts[kept].max(axis=1).toarray().ravel()
    return bool((difference <= SAME_COUNTS * largest).all()) and len(kept) > 0


def expression_blocks(matrix, normalisation, codes, samples):
    """Row blocks of counts per 10,000, divided by the size factor of the cell's sample.

    The factors take a pass over the matrix of their own.

    Parameters
    ----------
    matrix : h5py.Group
        That the normalisation is of.
    normalisation : Normalisation
    codes : ndarray of int, shape (cells,)
        Block of each cell; −1 for cells that take no part.
    samples : ndarray of int, shape (cells,)
        Sample of each cell, or its condition where there are no samples.

    Returns
    -------
    blocks : iterator of (int, scipy.sparse.csr_matrix)
        As for `statediff.residual.block_sums`; the matrix as it is if its transform is unknown.
    factors : ndarray, shape (samples,)
        Size factors; 1 if the transform is unknown.
    """
    count = int(samples.max()) + 1
    if normalisation.transform is None:
        return row_blocks(matrix, AT_ONCE), np.ones(count)
    transform = normalisation.transform
    shape = int(codes.max()) + 1, matrix_shape(matrix)[1]
    of_samples, of_blocks = np.zeros((count, shape[1])), np.zeros(shape)
    linear = linear_blocks(row_blocks(matrix, AT_ONCE), transform, normalisation.factors)
    for start, block in linear:
        rows = np.flatnonzero(codes[start : start + block.shape[0]] >= 0)
        at, part = start + rows, block[rows]
        of_samples += (_indicator(samples[at], count) @ part).toarray()
        of_blocks += (_indicator(codes[at], shape[0]) @ part).toarray()
    inside = codes >= 0
    cells = np.zeros((shape[0], count))
    np.add.at(cells, (codes[inside], samples[inside]), 1.0)
    factors = size_factors(of_samples, of_blocks, cells)
    return scaled_blocks(matrix, normalisation, samples, factors), factors


def scaled_blocks(matrix, normalisation, samples, factors):
    """Row blocks of counts per 10,000, divided by size factors that are known.

    Parameters
    ----------
    matrix, normalisation, samples
        As for `expression_blocks`.
    factors : ndarray, shape (samples,)
        From `expression_blocks`.

    Returns
    -------
    iterator of (int, scipy.sparse.csr_matrix)
        The matrix as it is if its transform is unknown.
    """
    blocks = row_blocks(matrix, AT_ONCE)
    if normalisation.transform is None:
        return blocks
    return linear_blocks(blocks, normalisation.transform, normalisation.factors / factors[samples])


def mean_counts(matrix, normalisation, cells):
    """Mean counts per 10,000 of all genes over some cells.

    Parameters
    ----------
    matrix, normalisation
        As for `expression_blocks`.
    cells : ndarray of bool, shape (cells,)

    Returns
    -------
    ndarray, shape (genes,)
        Of the matrix as it is if its transform is unknown.
    """
    blocks = row_blocks(matrix)
    if normalisation.transform is not None:
        blocks = linear_blocks(blocks, normalisation.transform, normalisation.factors)
    total = np.zeros(matrix_shape(matrix)[1])
    for start, block in blocks:
        total += cells[start : start + block.shape[0]].astype(float) @ block
    return total / np.count_nonzero(cells)


def _indicator(codes, count):
    """Matrix that sums rows by code."""
    values = np.ones(len(codes)), (codes, np.arange(len(codes)))
    return sparse.csr_matrix(values, shape=(count, len(codes)))
