r"""Compressed expression of all genes at all cells, for a web page.

Fold changes and smoothed expression are products of the basis at the cells and coefficients of the
genes. Centred over the cells and divided by their standard deviations there, so that each gene
counts alike, the products of all genes have the singular value decomposition

.. math:: M = U S V^T \approx (U_K S_K^{1/2}) (V_K S_K^{1/2})^T

whose first K functions are kept. Both factors are rounded to multiples of one step. With the
singular values shared between the factors, the later columns of both are small numbers, which
need few bits when compressed, and every bit improves all products equally.
"""

from dataclasses import dataclass

import numpy as np

__all__ = [
    "CompressedLayers",
    "compress_layers",
    "compress_measured",
    "largest_error",
    "low_then_high",
]

# Standard deviation, over the cells, of what the functions left out add to a gene; that of the
# gene is 1.
TRUNCATION = 0.002
STEP = 0.005
# Steps of the measured expression of a gene: as many colours as an eye tells apart.
LEVELS = 31
# Genes whose values are dense at a time.
GENES = 256


@dataclass(frozen=True)
class CompressedLayers:
    """Rounded factors of fold changes and of mean smoothed expression.

    At cell i, the fold change of gene g is
    ``mean_change[g] + scale_change[g] * (cells[i] @ change[g])``. The mean of both
    conditions is the same with `level`; a condition's smoothed expression is half a fold change
    below or above it.

    Attributes
    ----------
    cells : ndarray of int16, shape (n, K)
    change, level : ndarray of int16, shape (genes, K)
    mean_change, mean_level : ndarray, shape (genes,)
        Means over the cells, in units of the expression.
    scale_change, scale_level : ndarray, shape (genes,)
    """

    cells: np.ndarray
    change: np.ndarray
    level: np.ndarray
    mean_change: np.ndarray
    mean_level: np.ndarray
    scale_change: np.ndarray
    scale_level: np.ndarray

    def fold_change(self, genes=slice(None)):
        """Fold change at every cell, shape (n, genes)."""
        products = self.cells.astype(np.float32) @ self.change[genes].T.astype(np.float32)
        return self.mean_change[genes] + self.scale_change[genes] * products

    def smoothed(self, genes=slice(None)):
        """Smoothed expression in reference and compared at every cell, both (n, genes)."""
        products = self.cells.astype(np.float32) @ self.level[genes].T.astype(np.float32)
        level = self.mean_level[genes] + self.scale_level[genes] * products
        half = self.fold_change(genes) / 2
        return level - half, level + half

    def to_bytes(self):
        """Cells, change and level, function by function: first all low bytes, then the high."""
        parts = [part.T.astype("<i2").ravel() for part in (self.cells, self.change, self.level)]
        return low_then_high(np.concatenate(parts))


def low_then_high(values):
    """Integers of 16 bits as bytes: all low ones, then all high ones, which compress better.

    Parameters
    ----------
    values : ndarray
        Of whole numbers, −32,768 to 32,767.

    Returns
    -------
    bytes
    """
    return values.astype("<i2").ravel().view(np.uint8).reshape(-1, 2).T.tobytes()


def compress_layers(phi, reference, compared):
    """Keep the leading functions of the products Φc, rounded.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
        Basis at the cells, 20,000 at most: rounded, no column of more cells leaves int16.
    reference, compared : ndarray, shape (genes, r)
        Coefficients of the genes in the conditions.

    Returns
    -------
    CompressedLayers
    """
    centre = phi.mean(axis=0)
    values, vectors = np.linalg.eigh((phi - centre).T @ (phi - centre) / len(phi))
    told = values > 1e-12 * values.max(initial=0.0)
    scale = np.sqrt(values[told])
    functions = (phi - centre) @ (vectors[:, told] / scale)
    turn = vectors[:, told] * scale
    # Changes, then levels. In place, and the rest a block of genes at a time: where the basis is
    # large, these arrays are what takes the memory.
    unit = np.empty((2, len(reference), turn.shape[1]))
    np.matmul(compared, turn, out=unit[0])
    np.matmul(reference, turn, out=unit[1])
    unit[0] -= unit[1]
    unit[1] += unit[0] / 2
    sd = np.sqrt(np.einsum("dgk,dgk->dg", unit, unit))
    sd = np.maximum(sd, np.finfo(np.float32).tiny)
    unit /= sd[..., None]
    unit = unit.reshape(-1, turn.shape[1])
    energy, rotation = np.linalg.eigh(unit.T @ unit / len(unit))
    energy, rotation = np.maximum(energy[::-1], 0.0), rotation[:, ::-1]
    kept = _needed(unit, rotation)
    # Square root of the singular value, shared between the factors.
    root = np.maximum(energy[:kept], np.finfo(float).tiny) ** 0.25
    genes = np.rint(unit @ rotation[:, :kept] / root / STEP).astype(np.int16)
    change, level = np.split(genes, 2)
    means = reference @ centre, compared @ centre
    return CompressedLayers(
        cells=np.rint(functions @ rotation[:, :kept] * root / STEP).astype(np.int16),
        change=change,
        level=level,
        mean_change=means[1] - means[0],
        mean_level=(means[0] + means[1]) / 2,
        scale_change=sd[0] * STEP**2,
        scale_level=sd[1] * STEP**2,
    )


def _needed(unit, rotation):
    """Leading columns of the product beyond which no row's norm exceeds the truncation."""
    left = np.zeros(unit.shape[1])
    for start in range(0, len(unit), GENES):
        rotated = unit[start : start + GENES] @ rotation
        np.maximum(left, np.cumsum(rotated[:, ::-1] ** 2, axis=1).max(axis=0), out=left)
    return unit.shape[1] - np.count_nonzero(left <= TRUNCATION**2)


def largest_error(layers, phi, reference, compared):
    """Largest error of any fold change, as a share of the gene's range over the cells.

    Parameters
    ----------
    layers : CompressedLayers
    phi, reference, compared
        What they were made from.

    Returns
    -------
    float
    """
    phi, largest = phi.astype(np.float32), 0.0
    for start in range(0, len(reference), GENES):
        genes = slice(start, start + GENES)
        exact = phi @ (compared[genes] - reference[genes]).T.astype(np.float32)
        error = np.abs(layers.fold_change(genes) - exact).max(axis=0)
        spread = np.maximum(np.ptp(exact, axis=0), np.finfo(np.float32).tiny)
        largest = max(largest, float((error / spread).max(initial=0.0)))
    return largest


def compress_measured(values):
    """Measured expression of each gene in steps of its range.

    Parameters
    ----------
    values : scipy.sparse matrix, shape (n, genes)

    Returns
    -------
    codes : ndarray of uint8, shape (genes, n)
        0 to `LEVELS`: a value is ``low[g] + step[g] * codes[g]``, to half a step.
    low, step : ndarray, shape (genes,)
        Where no value is negative, `low` is 0, so that zeros stay zeros.
    """
    low = np.minimum(values.min(axis=0).toarray().ravel(), 0.0)
    step = (np.maximum(values.max(axis=0).toarray().ravel(), 0.0) - low) / LEVELS
    codes = np.empty(values.shape[::-1], dtype=np.uint8)
    columns = values.tocsc()
    for start in range(0, len(codes), GENES):
        genes = slice(start, start + GENES)
        shifted = columns[:, genes].toarray().T - low[genes, None]
        codes[genes] = np.rint(shifted / np.where(step[genes] > 0, step[genes], 1.0)[:, None])
    return codes, low, step
