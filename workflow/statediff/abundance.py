"""Change of abundance from densities: log fold change, significance and direction of cells."""

import numpy as np
from scipy.special import log_ndtr

from statediff.conventions import LN2

__all__ = ["calibrated_changes", "differential_abundance", "in_log2"]

SHOWN_IN_LOG2 = ("lfc", "lfc_per_unit", "log_density_reference", "log_density_compared")


def in_log2(arrays):
    """Change of abundance and densities as they are shown.

    Parameters
    ----------
    arrays : dict of ndarray
        Fold changes and densities in natural logarithms, and others.

    Returns
    -------
    dict of ndarray
        Fold changes and densities in log2; the others as they are.
    """
    return arrays | {name: arrays[name] / LN2 for name in SHOWN_IN_LOG2 if name in arrays}


def differential_abundance(
    log_density_a, log_density_b, variance, lfc_threshold=1.0, ptp_threshold=0.05, sides=1
):
    r"""Log fold change of abundance from a to b, its significance and direction, per cell.

    Parameters
    ----------
    log_density_a, log_density_b : array, shape (n,)
        Natural-log densities of the two conditions at the same cells.
    variance : array, shape (n,)
        Sum of their posterior variances.
    lfc_threshold : float
        Smallest absolute log fold change (natural) that counts as a change.
    ptp_threshold : float
        Largest posterior tail probability that counts as a change.
    sides : {1, 2}
        Tail probability :math:`\Phi(-|z|)`, or twice that.

    Returns
    -------
    dict of ndarray, shape (n,)
        `lfc`, `lfc_zscore`, `neg_log10_lfc_ptp` and `lfc_direction` (indices into
        `statediff.fields.DIRECTIONS`).
    """
    lfc = log_density_b - log_density_a
    tested = _tested(lfc, variance + 1e-12, sides)
    sure = tested["neg_log10_lfc_ptp"] > -np.log10(ptp_threshold)
    return {"lfc": lfc, **tested, "lfc_direction": _directions(lfc, sure, lfc_threshold)}


def calibrated_changes(
    lfc, log_ratio, variance, freedom=np.inf, lfc_threshold=0.0, fdr_threshold=0.05, sides=1
):
    r"""Log fold change of abundance with calibrated p-values of a change beyond a threshold.

    Of the hypothesis that the log ratio is at most c in size, whatever its direction:

    .. math:: p = \bar T\Bigl(\frac{|f| - c}{s}\Bigr) + \bar T\Bigl(\frac{|f| + c}{s}\Bigr)

    with f the log ratio, s its standard error and :math:`\bar T` the upper tail of the t
    distribution; without a threshold this is the usual two-sided test.

    Parameters
    ----------
    lfc : array, shape (n,)
        Shrunk log ratio (`statediff.shrinkage.shrink`), the estimate that is shown.
    log_ratio, variance : array, shape (n,)
        f and s² (`statediff.ratio.Ratio.unshrunk`).
    freedom : float
        Degrees of freedom of the t distribution; infinite: normal.
    lfc_threshold : float
        c, a natural-log fold change.
    fdr_threshold : float
        Largest q-value that counts as a change.
    sides : {1, 2}
        As for `differential_abundance`.

    Returns
    -------
    dict of ndarray, shape (n,)
        What `differential_abundance` gives, `pvalue` and `qvalue` (Benjamini & Hochberg, over the
        cells). A cell changes if its q-value and the shrunk log ratio say so.

    References
    ----------
    McCarthy & Smyth (2009), Bioinformatics 25 (TREAT).
    """
    from scipy.stats import false_discovery_control, t  # takes a second, saved where not needed

    size, error = np.abs(log_ratio), np.sqrt(variance)
    tails = t.sf((size - lfc_threshold) / error, freedom)
    tails += t.sf((size + lfc_threshold) / error, freedom)
    pvalue = np.minimum(tails, 1.0)
    qvalue = false_discovery_control(pvalue)
    called = _directions(lfc, qvalue < fdr_threshold, lfc_threshold)
    tested = _tested(log_ratio, variance, sides)
    return {"lfc": lfc, **tested, "pvalue": pvalue, "qvalue": qvalue, "lfc_direction": called}


def _tested(lfc, variance, sides):
    zscore = lfc / np.sqrt(variance)
    neg_log10_ptp = -(log_ndtr(-np.abs(zscore)) + np.log(sides)) / np.log(10.0)
    return {"lfc_zscore": zscore, "neg_log10_lfc_ptp": neg_log10_ptp}


def _directions(lfc, sure, lfc_threshold):
    """Index into `statediff.fields.DIRECTIONS` of every cell, from what is sure and large."""
    changed = sure & (np.abs(lfc) > lfc_threshold)
    return 1 + np.where(changed, np.sign(lfc), 0).astype(np.int8)
