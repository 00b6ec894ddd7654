"""Blocks of cells in which the conditions of a contrast are compared, and the cells' weights."""

import warnings

import numpy as np

from statediff import DataWarning, InputError
from statediff.blocks import (
    PARTITIONS,
    centroids,
    condition_cover,
    contrast_weights,
    find_blocks,
    information_left,
    nested_regions,
    partition_cells,
    samples_meet,
)
from statediff.matching import SEPARATED, sample_separation
from statediff.messages import beginning
from statediff.samples import design_arrays, number_samples, span

__all__ = ["blocks_of_contrast", "partitions_of_group"]

# Below these, most cells are compared with none or few of the other condition.
INFORMATION, COVER = 0.3, 0.5


def blocks_of_contrast(coordinates, members, described, settings, option, harmony=False):
    """Partition the cells of a contrast, and weigh them.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, D)
        Such as principal components, in which cells of the same state are near.
    members, described : dict
        Arrays and attributes from `statediff.contrast.find_cells`.
    settings : dict
        Keys of the section fdr: blocks_from, block_cells, seed.
    option : str
        Section of the contrast, for messages.
    harmony : bool
        Whether the coordinates were mixed by Harmony, which messages then do not recommend.

    Returns
    -------
    arrays : dict of ndarray
        Of P partitions ``code`` (P, cells), the block of each cell, −1 for cells that take no
        part, ``weight`` (P, cells) and ``regions_0`` … (regions, blocks); ``sample`` (cells,), the
        mixed ``coordinates`` (cells, D) and the arrays of the design.
    attributes : dict
        ``has_samples``, ``n_blocks``, ``n_partitions``, whether samples were ``mixed``, the share
        of ``information`` on the conditions within blocks, ``cover_reference`` and
        ``cover_compared``, and ``separation`` of the samples.

    Raises
    ------
    InputError
        If no block holds both conditions, or enough samples.
    """
    cells, samples, design = number_samples(members)
    conditions, n_cells = design.conditions, len(coordinates)
    seed = settings["seed"]
    codes, moved, mixed = find_blocks(
        coordinates[cells], samples, conditions, settings["block_cells"], seed
    )
    advice, begin = _how_to_mix(settings["blocks_from"], harmony), beginning(option)
    if "sample" in members and not all(samples_meet(c, samples, design) for c in codes):
        enough = "two samples of one condition" if design.adjusted is None else "enough samples"
        raise InputError(
            f"{begin}no block of cells holds {enough}, so that nothing tells how "
            f"samples differ in the same state; expected samples that overlap: {advice}"
        )
    labels, compared = design.labels[samples], conditions[samples] == 1
    nuisance = None if design.adjusted is None else design.adjusted[samples]
    weights = np.array([contrast_weights(labels, moved, c, nuisance) for c in codes])
    information = float(np.mean([information_left(w, labels, nuisance) for w in weights]))
    if not information > 0:
        raise InputError(
            f"{begin}no block of cells holds both conditions, so that no expression can "
            f"be compared in the same state; expected conditions that overlap: {advice}"
        )
    cover = np.mean([condition_cover(c, compared) for c in codes], axis=0)
    separation = sample_separation(moved, samples, conditions, seed)
    _warn(begin, information, cover, separation, advice)
    arrays = {
        "code": _placed(codes, cells, n_cells, -1),
        "sample": _placed(samples, cells, n_cells, 0),
        "weight": _placed(weights, cells, n_cells, 0.0),
        "coordinates": _placed(moved.T.astype(np.float32), cells, n_cells, 0).T,
    } | design_arrays(design)
    for i, c in enumerate(codes):
        arrays[f"regions_{i}"] = nested_regions(centroids(moved, c))
    attributes = {
        "has_samples": "sample" in members,
        "n_blocks": int(codes[0].max() + 1),
        "n_partitions": len(codes),
        "mixed": mixed,
        "information": information,
        "cover_reference": float(cover[0]),
        "cover_compared": float(cover[1]),
        "separation": float(separation),
    }
    return arrays, attributes | span(described)


def partitions_of_group(blocks, mask, settings, design, has_samples):
    """Partitions of the cells of a group, for the residual test within it.

    Parameters
    ----------
    blocks : dict of ndarray
        Arrays from `blocks_of_contrast`.
    mask : ndarray of bool, shape (cells,)
    settings : dict
        As for `blocks_of_contrast`.
    design : statediff.design.Design
    has_samples : bool

    Returns
    -------
    list of tuple
        Of each partition the block of each cell, (cells,), a list of one array of weights,
        (cells,), and regions, (regions, blocks). Empty where the conditions, or enough samples, do
        not meet in any block.
    """
    cells = np.flatnonzero(mask & (blocks["code"][0] >= 0))
    sample, moved = blocks["sample"][cells], blocks["coordinates"][cells].astype(np.float64)
    labels = design.labels[sample]
    nuisance = None if design.adjusted is None else design.adjusted[sample]
    if not np.ptp(labels) > 0:
        return []
    found = []
    for codes in partition_cells(moved, settings["block_cells"], settings["seed"], PARTITIONS):
        weights = contrast_weights(labels, moved, codes, nuisance)
        if not weights.any() or (has_samples and not samples_meet(codes, sample, design)):
            return []
        everywhere = np.full(len(mask), -1), np.zeros(len(mask))
        for values, own in zip(everywhere, (codes, weights), strict=True):
            values[cells] = own
        found.append((everywhere[0], [everywhere[1]], nested_regions(centroids(moved, codes))))
    return found


def _how_to_mix(key, harmony):
    """Advice on how to bring together samples or conditions that lie apart."""
    other = f"name coordinates in which they overlap (fdr.blocks_from, now {key})"
    if harmony:
        return (
            f"{other}; dataset.preprocess.harmony is on already, with a larger theta it mixes more"
        )
    return f"integrate the samples (dataset.preprocess.harmony), or {other}"


def _warn(begin, information, cover, separation, advice):
    """Say where conditions or samples lie apart even after they were mixed."""
    if information < INFORMATION or min(cover) < COVER:
        warnings.warn(
            f"{begin}{information:.0%} of the information on the conditions lies within "
            f"blocks, and {cover[0]:.0%} and {cover[1]:.0%} of the cells of the reference and the "
            "compared condition lie in blocks that hold both: differences of expression elsewhere "
            f"cannot be found; {advice}",
            DataWarning,
            stacklevel=3,
        )
    if separation > SEPARATED:
        warnings.warn(
            f"{begin}cells have {separation:.1f} times as many neighbours from their "
            "own sample as they would if samples mixed, after their shifts were removed: false "
            f"discovery rates can be too low, whichever the test (docs/calibration.md); {advice}",
            DataWarning,
            stacklevel=3,
        )


def _placed(values, cells, n_cells, elsewhere):
    """Values of the cells that take part among those of all, along the last axis."""
    found = np.full((*values.shape[:-1], n_cells), elsewhere, dtype=values.dtype)
    found[..., cells] = values
    return found
