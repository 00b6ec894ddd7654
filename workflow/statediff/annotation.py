"""Checks of the annotation of cells: sequencing depth, and columns that look like samples."""

import re
from dataclasses import dataclass

import numpy as np

from statediff.neighbours import nearest_of

__all__ = ["DepthDifference", "compare_depth", "resembles_samples"]

# Ratio of the depth of conditions, and of their difference to its standard error, that matter.
LARGEST_RATIO, STANDARD_ERRORS = 1.25, 2.0
# Cells of a sample, on average, and most samples.
FEWEST_CELLS, MOST_SAMPLES = 10, 500
# Cells whose neighbours are looked at, and neighbours of each.
LOOKED_AT, NEIGHBORS = 1000, 20
# Samples hold cells of many states; of neighbouring cells no more are of the same sample than this
# share of the way from what chance gives to all of them.
MOST_APART = 0.65
SAMPLE_NAMES = re.compile(
    r"(^|[^a-z])(bio|orig|sub)?[._ ]?(sample|donor|patient|subject|individual|participant|person|"
    r"mouse|mice|animal|embryo|specimen|replicate|rep|batch|library|orig[._ ]?ident|lane|channel|"
    r"litter|hashtag|hto|gsm)s?[._ -]?(id|ids|name|no|nr|num|number)?([^a-z]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DepthDifference:
    """Counts of a cell in two conditions.

    Attributes
    ----------
    reference, compared : float
        Median counts of a cell; with samples the geometric mean of their medians.
    spread : float
        Factor by which samples of one condition differ (one standard deviation); 1 without.
    large : bool
        Whether the conditions differ by more than 1.25 times and more than their samples explain.
    """

    reference: float
    compared: float
    spread: float
    large: bool


def compare_depth(depth, members, samples=None):
    """Compare the counts of a cell between the conditions.

    Parameters
    ----------
    depth : array, shape (cells,)
        Counts of each cell; NaN where they are unknown.
    members : sequence of ndarray of bool, shape (cells,)
        Cells of the reference and of the compared condition.
    samples : ndarray of int, shape (cells,), optional
        Sample of each cell; −1 for none.

    Returns
    -------
    DepthDifference or None
        None where the counts of a condition are unknown.
    """
    known = np.isfinite(depth) & (depth > 0)
    levels = []
    for cells in (cells & known for cells in members):
        if not cells.any():
            return None
        if samples is None:
            groups = [cells]
        else:
            codes = np.unique(samples[cells & (samples >= 0)])
            groups = [cells & (samples == code) for code in codes] or [cells]
        levels.append(np.log([np.median(depth[group]) for group in groups]))
    reference, compared = (values.mean() for values in levels)
    freedom = sum(len(values) - 1 for values in levels)
    squares = sum(((values - values.mean()) ** 2).sum() for values in levels)
    variance = squares / max(freedom, 1)
    error = np.sqrt(variance * sum(1.0 / len(values) for values in levels))
    difference = abs(compared - reference)
    large = difference > np.log(LARGEST_RATIO) and difference > STANDARD_ERRORS * error
    means = float(np.exp(reference)), float(np.exp(compared))
    return DepthDifference(*means, float(np.exp(np.sqrt(variance))), bool(large))


def resembles_samples(name, codes, labels, coordinates):
    """Whether an annotation of the cells looks like their samples, and how it is crossed.

    Samples are several in each condition, of some cells each. Where every level is in one
    condition, and cells of a level are not a state of their own, they are samples whatever the
    column is called; levels that occur in both conditions are samples (of donors, say) only
    if the name of the column says so: cell types, sexes and phases occur in both too.

    Parameters
    ----------
    name : str
        Of the column.
    codes : ndarray of int, shape (cells,)
        Level of each cell of the two conditions; −1 where it is missing.
    labels : ndarray of bool, shape (cells,)
        Whether a cell is of the compared condition.
    coordinates : ndarray, shape (cells, D)
        In which cells of the same state are near.

    Returns
    -------
    {"nested", "crossed", None}
    """
    known = codes >= 0
    if not known.any() or known.mean() < 0.9:
        return None
    table = np.zeros((codes.max() + 1, 2))
    np.add.at(table, (codes[known], labels[known].astype(int)), 1.0)
    table = table[table.sum(axis=1) > 0]
    if len(table) > MOST_SAMPLES:
        return None
    present = (table > 0).sum(axis=0)
    sizes = table.sum(axis=0) / np.maximum(present, 1)
    if (present < 2).any() or (sizes < FEWEST_CELLS).any():
        return None
    named = bool(SAMPLE_NAMES.search(name))
    if ((table > 0).sum(axis=1) == 1).all():
        apart = named or _apart(codes[known], labels[known], coordinates[known]) <= MOST_APART
        return "nested" if apart else None
    return "crossed" if named else None


def _apart(codes, labels, coordinates):
    """How far levels are from mixing among the cells of their condition: 0 they mix, 1 no two
    levels have neighbours."""
    chosen = np.random.default_rng(0).permutation(len(codes))[:LOOKED_AT]
    near = nearest_of(coordinates, chosen, min(NEIGHBORS + 1, len(codes)))[:, 1:]
    together = labels[near] == labels[chosen, None]
    same = (codes[near] == codes[chosen, None]) & together
    levels, conditions = np.bincount(codes), np.bincount(labels)
    expected = (levels[codes[chosen]] - 1.0) / (conditions[labels[chosen].astype(int)] - 1.0)
    found, chance = same.sum() / max(together.sum(), 1), expected.mean()
    return (found - chance) / max(1.0 - chance, 1e-9)
