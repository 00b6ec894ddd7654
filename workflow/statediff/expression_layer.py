"""Checks of an expression layer while it is read, and how the layer becomes counts per 10,000."""

import warnings

import numpy as np
from scipy import sparse

from statediff import DataWarning, InputError
from statediff.linear import infer_transform
from statediff.normalisation import agrees, normalise, of_counts, sample_rows

__all__ = ["LayerCheck", "find_normalisation", "non_negative"]

# Logarithms of counts are smaller, whatever their base and scale.
LARGEST_LOGARITHM = 30.0


class LayerCheck:
    """Checks of the values of an expression layer while they are read.

    Parameters
    ----------
    name : str
        Of the layer, for messages.
    """

    def __init__(self, name):
        self.name, self.whole, self.least, self.largest = name, True, 0.0, 0.0

    def checked(self, blocks, genes):
        """Row blocks in single precision.

        Parameters
        ----------
        blocks : iterable of (int, scipy.sparse.csr_matrix)
        genes : sequence of str

        Yields
        ------
        scipy.sparse.csr_matrix

        Raises
        ------
        InputError
            If a value is not finite.
        """
        for start, block in blocks:
            block = block.astype(np.float32)
            bad = ~np.isfinite(block.data)
            if bad.any():
                row, column = (axis[bad][0] for axis in block.tocoo().coords)
                raise InputError(
                    f"dataset.layer: expression ({self.name}) is NaN or infinite in cell row "
                    f"{start + row}, gene {genes[column]!r}; expected finite values of float32"
                )
            self.whole = self.whole and bool((block.data == np.round(block.data)).all())
            self.least = min(self.least, block.data.min(initial=0.0))
            self.largest = max(self.largest, block.data.max(initial=0.0))
            yield block

    def warn(self, unknown):
        """Warn of a layer that is not log-normalised expression, or not a known function of counts.

        Parameters
        ----------
        unknown : bool
            Whether its transform is unknown.
        """
        if self.whole:
            fault = (
                f"the expression ({self.name}) holds whole numbers only, like raw counts; "
                "log-normalised expression is expected (dataset.layer; or use dataset.preprocess)"
            )
        elif self.largest > LARGEST_LOGARITHM:
            fault = (
                f"the expression ({self.name}) has values up to {self.largest:.4g}, too large for "
                "a logarithm of counts; log-normalised expression is expected (dataset.layer; "
                "dataset.preprocess computes it from raw counts)"
            )
        elif self.least < 0 and unknown:
            fault = (
                f"the expression ({self.name}) has negative values, down to {self.least:.3g}, like "
                "expression scaled to unit variance; log-normalised expression from before the "
                "scaling is expected (dataset.layer; or use dataset.preprocess with raw counts)"
            )
        else:
            fault = None
        if fault:
            _warn(f"{fault}: see docs/warnings.md#layer")
        if unknown:
            _warn(
                f"the expression ({self.name}) is not a known function of counts, so that genes "
                "are tested on it unchanged, and a difference in sequencing depth can look like a "
                "difference in expression; expected log1p or log2(x + c) of counts scaled in each "
                "cell (dataset.layer), or raw counts in addition (dataset.counts): see "
                "docs/warnings.md#transform"
            )


def find_normalisation(matrix, counts=None):
    """Find the transform from an expression matrix to counts per 10,000.

    Parameters
    ----------
    matrix : h5py.Group or scipy.sparse.csr_matrix, shape (cells, genes)
        Expression.
    counts : callable, optional
        If the file has raw counts, a function that gives their row blocks, like `non_negative`,
        with the columns of the genes of the matrix.

    Returns
    -------
    normalisation : statediff.normalisation.Normalisation
    of_counts : bool
        Whether it applies to the counts, because the matrix is not a known function of them.
    """
    rows, part = sample_rows(matrix)
    transform = infer_transform(part)
    if counts is None:
        return normalise(matrix, transform), False
    totals, sampled = _count_totals(counts(), rows)
    if transform is not None and agrees(part, transform, sampled):
        return normalise(matrix, transform, totals), False
    return of_counts(totals[1]), True


def non_negative(blocks, columns):
    """Row blocks of counts, which may be estimates but not negative.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
    columns : ndarray of int
        Those of the genes of the expression.

    Yields
    ------
    start : int
    part : scipy.sparse.csr_matrix
        The counts of these genes.
    totals : ndarray
        Counts of each cell among all genes.

    Raises
    ------
    InputError
        If a value is negative or not finite.
    """
    for start, block in blocks:
        bad = ~(np.isfinite(block.data) & (block.data >= 0))
        if bad.any():
            raise InputError(
                f"dataset.counts: found {block.data[bad][0]:g} in cell row "
                f"{start + block.tocoo().row[bad][0]}; expected raw counts, none negative"
            )
        yield start, block[:, columns], np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()


def _count_totals(blocks, rows):
    """Counts of each cell among the genes of the layer and among all, and those of some cells."""
    here, everywhere, sampled = [], [], []
    for start, part, totals in blocks:
        here.append(np.asarray(part.sum(axis=1, dtype=np.float64)).ravel())
        everywhere.append(totals)
        inside = rows[(rows >= start) & (rows < start + part.shape[0])]
        sampled.append(part[inside - start])
    totals = np.concatenate(here), np.concatenate(everywhere)
    return totals, sparse.vstack(sampled, format="csr")


def _warn(message):
    warnings.warn(message, DataWarning, stacklevel=3)
