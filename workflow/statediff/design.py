r"""Designs of a comparison: the condition of each sample, its donor, and covariates.

The mean of sample s, of a gene in a block of cells or of the abundance at a state, is

.. math:: y_s = \mu + l_s \beta + z_s^T \gamma + u_s + \epsilon_s

with :math:`l_s` its condition, :math:`z_s` the indicator of its donor and its covariates,
:math:`u_s` the effect of the sample and :math:`\epsilon_s` the noise of its :math:`n_s` cells. A
regression with weights :math:`n_s` leaves the residuals :math:`Ry` with :math:`R = I - X (X^T W
X)^- X^T W`, from which the variance between samples is learnt.

The condition is 0 or 1, or a number such as an age or a dose: :math:`l_s = (t_s - t_0) / (t_1 -
t_0)` with :math:`t_0` and :math:`t_1` the mean values of the lower and of the upper half of the
samples. :math:`\beta` is then the change along a straight line between these two values.

References
----------
Searle, Casella & McCulloch (1992), Variance Components, for quadratic forms of such residuals.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Design", "Regression", "halves", "regress", "sample_columns"]

# Part of a singular value, relative to the largest, that counts as none.
RANK = 1e-7
# A sample whose leverage is this close to 1 is fitted exactly.
EXACT = 1e-9


@dataclass(frozen=True)
class Design:
    """What is known of the samples of a contrast.

    Attributes
    ----------
    conditions : ndarray of int, shape (samples,)
        0: reference, 1: compared; of a numeric condition the lower and the upper half.
    covariates : ndarray, shape (samples, q)
        What the comparison is adjusted for; no columns where for nothing.
    pairs : ndarray of int, shape (samples,) or None
        Number of the donor of each sample, from 0; None without pairs.
    values : ndarray, shape (samples,) or None
        :math:`l_s` of a numeric condition; None for two groups.
    """

    conditions: np.ndarray
    covariates: np.ndarray
    pairs: np.ndarray | None = None
    values: np.ndarray | None = None

    @classmethod
    def unpaired(cls, conditions):
        """Two groups of samples and nothing else."""
        conditions = np.asarray(conditions)
        return cls(conditions, np.empty((len(conditions), 0)))

    @property
    def labels(self):
        """:math:`l_s`, shape (samples,)."""
        return self.conditions.astype(float) if self.values is None else self.values

    @property
    def nuisance(self):
        """Constant, donors and covariates, shape (samples, 1 + donors + q)."""
        columns = [np.ones((len(self.conditions), 1)), self.covariates]
        if self.pairs is not None:
            columns.insert(1, np.equal.outer(self.pairs, np.unique(self.pairs)).astype(float))
        return np.hstack(columns)

    @property
    def adjusted(self):
        """The nuisance columns without the constant; None where there are none."""
        columns = self.nuisance[:, 1:]
        return columns if columns.shape[1] else None

    @property
    def matrix(self):
        """The condition, then the nuisance columns, shape (samples, 2 + donors + q)."""
        return np.column_stack([self.labels, self.nuisance])

    @property
    def freedom(self):
        """Samples less the rank of the design: the degrees of freedom of their variance."""
        return len(self.conditions) - np.linalg.matrix_rank(self.matrix, tol=1e-6)

    @property
    def estimable(self):
        """Whether the condition is no combination of the nuisance columns."""
        nuisance, matrix = self.nuisance, self.matrix
        ranks = [np.linalg.matrix_rank(columns, tol=1e-6) for columns in (nuisance, matrix)]
        return ranks[1] > ranks[0]

    def leverage(self):
        """Share of the variance of each sample that the design takes, all weights being equal."""
        return regress(np.ones((1, len(self.conditions))), self.matrix).leverage[0]


@dataclass(frozen=True)
class Regression:
    r"""Regressions of the samples' means on a design, one in each block.

    Attributes
    ----------
    cells : ndarray, shape (blocks, samples)
        Weights; samples without cells take no part.
    basis : ndarray, shape (blocks, samples, columns)
        U, orthonormal columns that span :math:`W^{1/2} X` in each block, and columns of zeros.
    """

    cells: np.ndarray
    basis: np.ndarray

    @property
    def rank(self):
        """Of the design in each block, shape (blocks,)."""
        return np.rint((self.basis**2).sum(axis=(1, 2)))

    @property
    def freedom(self):
        """Samples that are there less the rank, shape (blocks,)."""
        return (self.cells > 0).sum(axis=1) - self.rank

    @property
    def leverage(self):
        """Shape (blocks, samples)."""
        return (self.basis**2).sum(axis=2)

    @property
    def free(self):
        """Samples that the design does not fit exactly, shape (blocks, samples)."""
        return (self.cells > 0) & (self.leverage < 1.0 - EXACT)

    def squares_of_fit(self, sums):
        """Weighted sum of squares of the fitted means, from sums (blocks, samples, genes)."""
        root = np.sqrt(np.maximum(self.cells, 1.0))
        coefficients = np.einsum("ksp,ksg->kpg", self.basis / root[:, :, None], sums, optimize=True)
        return (coefficients**2).sum(axis=1)

    def residuals(self, sums):
        """What is left of the samples' means; 0 where a sample is not there or fitted exactly.

        Parameters
        ----------
        sums : ndarray, shape (blocks, samples, genes)

        Returns
        -------
        ndarray, shape (blocks, samples, genes)
        """
        root = np.sqrt(np.maximum(self.cells, 1.0))[:, :, None]
        scaled = self.basis / root
        fitted = scaled @ np.matmul(scaled.swapaxes(1, 2), sums)
        return np.where(self.free[:, :, None], sums / root**2 - fitted, 0.0)

    def fitting(self, sample):
        """Weights with which the means of all samples enter the fitted mean of one.

        Returns
        -------
        ndarray, shape (blocks, samples)
        """
        root = np.sqrt(self.cells)
        scale = np.divide(1.0, root[:, sample], out=np.zeros(len(root)), where=root[:, sample] > 0)
        return np.einsum("kp,ksp->ks", self.basis[:, sample], self.basis) * root * scale[:, None]

    def variances(self):
        r"""Variances of the residuals, by sample effects and by cells of variance 1.

        :math:`(R R^T)_{ss}` and :math:`(R W^{-1} R^T)_{ss} = (1 - h_s) / n_s`, with h the leverage;
        both 0 where a sample is not there or fitted exactly.

        Returns
        -------
        effect, noise : ndarray, shape (blocks, samples)
        """
        cells = np.maximum(self.cells, 1.0)
        scaled = self.basis / np.sqrt(cells)[:, :, None]
        inner = np.einsum("ksp,ks,ksq->kpq", self.basis, self.cells, self.basis, optimize=True)
        fitted = np.einsum("ksp,kpq,ksq->ks", scaled, inner, scaled, optimize=True)
        effect = 1.0 - 2.0 * self.leverage + fitted
        noise = (1.0 - self.leverage) / cells
        return np.where(self.free, effect, 0.0), np.where(self.free, noise, 0.0)


def halves(values):
    """Divide samples by a number that each has into two parts of as equal sizes as can be.

    Parameters
    ----------
    values : array, shape (samples,)
        At least two differ.

    Returns
    -------
    ndarray of int, shape (samples,)
        1 for values in the upper half; samples of equal values are in the same one.
    """
    candidates = np.unique(values)[1:]
    upper = np.array([(values >= least).sum() for least in candidates])
    return (values >= candidates[np.argmin(np.abs(2 * upper - len(values)))]).astype(int)


def sample_columns(contrast):
    """Columns of obs whose levels together are the samples of a contrast; empty without samples.

    Parameters
    ----------
    contrast : dict
        Entry of `contrasts` in the configuration.

    Returns
    -------
    list of str
        With pairs alone, a sample is what a donor has in one condition.
    """
    if contrast["sample"] is not None:
        return [contrast["sample"]]
    return [] if contrast["pair"] is None else [contrast["pair"], contrast["column"]]


def regress(cells, columns):
    """Regression on some columns of a design in each block, weighted with the cells.

    Parameters
    ----------
    cells : ndarray, shape (blocks, samples)
    columns : ndarray, shape (samples, columns)

    Returns
    -------
    Regression
    """
    cells = np.asarray(cells, dtype=np.float64)
    weighted = np.sqrt(cells)[:, :, None] * columns
    basis, values, _ = np.linalg.svd(weighted, full_matrices=False)
    kept = values > RANK * np.maximum(values.max(axis=1, keepdims=True), 1e-300)
    return Regression(cells, basis * kept[:, None])
