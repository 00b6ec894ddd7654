"""Blocks of cells in which the conditions of a contrast are compared, and the cells' weights."""

import warnings

import numpy as np
from _job import run
from _samples import numbered, span, written
from statediff import DataWarning, InputError
from statediff.blocks import (
    centroids,
    condition_cover,
    contrast_weights,
    find_blocks,
    information_left,
    nested_regions,
    samples_meet,
)
from statediff.matching import SEPARATED, sample_separation
from statediff.store import read_arrays, write_arrays

# Below these, most cells are compared with none or few of the other condition.
INFORMATION, COVER = 0.3, 0.5


def main(job):
    settings, name = job.params.blocks, job.wildcards.contrast
    members, known = read_arrays(job.input.cells)
    coordinates = read_arrays(job.input.coordinates, "coordinates")[0]["coordinates"]
    cells, samples, design = numbered(members)
    conditions = design.conditions
    seed, n_cells = settings["seed"], len(coordinates)
    codes, moved, mixed = find_blocks(
        coordinates[cells], samples, conditions, settings["block_cells"], seed
    )
    advice = how_to_mix(settings["blocks_from"], job.params.harmony)
    if "sample" in members and not all(samples_meet(c, samples, design) for c in codes):
        enough = "two samples of one condition" if design.adjusted is None else "enough samples"
        raise InputError(
            f"contrasts.{name}: no block of cells holds {enough}, so that nothing tells how "
            f"samples differ in the same state; expected samples that overlap: {advice}"
        )
    labels, compared = design.labels[samples], conditions[samples] == 1
    nuisance = None if design.adjusted is None else design.adjusted[samples]
    weights = np.array([contrast_weights(labels, moved, c, nuisance) for c in codes])
    information = float(np.mean([information_left(w, labels, nuisance) for w in weights]))
    if not information > 0:
        raise InputError(
            f"contrasts.{name}: no block of cells holds both conditions, so that no expression can "
            f"be compared in the same state; expected conditions that overlap: {advice}"
        )
    cover = np.mean([condition_cover(c, compared) for c in codes], axis=0)
    separation = sample_separation(moved, samples, conditions, seed)
    warn(name, information, cover, separation, advice)
    arrays = {
        "code": placed(codes, cells, n_cells, -1),
        "sample": placed(samples, cells, n_cells, 0),
        "weight": placed(weights, cells, n_cells, 0.0),
        "coordinates": placed(moved.T.astype(np.float32), cells, n_cells, 0).T,
    } | written(design)
    for i, c in enumerate(codes):
        arrays[f"regions_{i}"] = nested_regions(centroids(moved, c))
    write_arrays(
        job.output[0],
        arrays,
        has_samples="sample" in members,
        n_blocks=int(codes[0].max() + 1),
        n_partitions=len(codes),
        mixed=mixed,
        information=information,
        cover_reference=float(cover[0]),
        cover_compared=float(cover[1]),
        separation=float(separation),
        **span(known),
    )


def how_to_mix(key, harmony):
    """What brings samples or conditions together that lie apart, but what is done already."""
    other = f"name coordinates in which they overlap (fdr.blocks_from, now {key})"
    if harmony:
        return (
            f"{other}; dataset.preprocess.harmony is on already, with a larger theta it mixes more"
        )
    return f"integrate the samples (dataset.preprocess.harmony), or {other}"


def warn(name, information, cover, separation, advice):
    """Say where conditions or samples lie apart even after they were mixed."""
    if information < INFORMATION or min(cover) < COVER:
        warnings.warn(
            f"contrasts.{name}: {information:.0%} of the information on the conditions lies within "
            f"blocks, and {cover[0]:.0%} and {cover[1]:.0%} of the cells of the reference and the "
            "compared condition lie in blocks that hold both: differences of expression elsewhere "
            f"cannot be found; {advice}",
            DataWarning,
            stacklevel=1,
        )
    if separation > SEPARATED:
        warnings.warn(
            f"contrasts.{name}: cells have {separation:.1f} times as many neighbours from their "
            "own sample as they would if samples mixed, after their shifts were removed: false "
            f"discovery rates can be too low, whichever the test (docs/calibration.md); {advice}",
            DataWarning,
            stacklevel=1,
        )


def placed(values, cells, n_cells, elsewhere):
    """Values of the cells that take part among those of all, along the last axis."""
    found = np.full((*values.shape[:-1], n_cells), elsewhere, dtype=values.dtype)
    found[..., cells] = values
    return found


run(main, snakemake)
