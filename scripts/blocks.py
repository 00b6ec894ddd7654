"""Blocks of cells in which the conditions of a contrast are compared, and the cells' weights."""

import warnings

import numpy as np
from _job import run
from statediff import DataWarning, InputError
from statediff.blocks import (
    centroids,
    contrast_weights,
    find_blocks,
    nested_regions,
    sample_separation,
    samples_meet,
)
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")
# From here on no method held its level in the calibration benchmark.
SEPARATED = 1.5


def main(job):
    settings, name = job.params.blocks, job.wildcards.contrast
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    coordinates = read_arrays(job.input.coordinates, "coordinates")[0]["coordinates"]
    cells, samples, conditions = numbered(members)
    coordinates, seed = coordinates[cells], settings["seed"]
    codes, moved = find_blocks(
        coordinates, states[cells], samples, settings["block_cells"], seed=seed
    )
    if "sample" in members and not samples_meet(codes, samples, conditions):
        raise InputError(
            f"contrasts.{name}.sample: no block of cells holds two samples of one condition, so "
            "that nothing tells how samples differ in the same state; expected samples that "
            "overlap: integrate the cell states over them (dataset.preprocess.harmony), or choose "
            f"coordinates in which they do (fdr.blocks_from: {settings['blocks_from']})"
        )
    labels = conditions[samples] == 1
    weights = contrast_weights(labels, moved, codes)
    shared = (weights**2).sum() / (labels.sum() * (~labels).sum() / len(labels))
    if not shared > 0:
        raise InputError(
            f"contrasts.{name}: no block of cells holds both conditions, so that no expression can "
            "be compared in the same state; expected coordinates in which they overlap "
            f"(fdr.blocks_from: {settings['blocks_from']})"
        )
    separation = sample_separation(coordinates, samples, conditions, seed)
    if separation > SEPARATED:
        warnings.warn(
            f"cells have {separation:.1f} times as many neighbours from their own sample as they "
            f"would if samples mixed (fdr.blocks_from: {settings['blocks_from']}): false "
            "discovery rates can be too low, whichever the test (docs/calibration.md); integrate "
            "the cell states over the samples, if they are not: see dataset.preprocess.harmony",
            DataWarning,
            stacklevel=1,
        )
    everywhere = {
        "code": np.full(len(states), -1), "sample": np.zeros(len(states), int),
        "weight": np.zeros(len(states)),
    }  # fmt: skip
    for key, values in (("code", codes), ("sample", samples), ("weight", weights)):
        everywhere[key][cells] = values
    write_arrays(
        job.output[0],
        everywhere | {"conditions": conditions, "regions": nested_regions(centroids(moved, codes))},
        has_samples="sample" in members,
        n_blocks=int(codes.max() + 1),
        information=float(shared),
        separation=float(separation),
    )


def numbered(members):
    """Cells that take part, number of each one's sample, and the condition of each sample.

    A condition without samples that count is one of all its cells."""
    samples, conditions = np.full(len(members["reference"]), -1), []
    for condition, role in enumerate(ROLES):
        codes = members.get(f"samples_{role}", ())
        for cells in [members["sample"] == code for code in codes] or [members[role]]:
            samples[cells] = len(conditions)
            conditions.append(condition)
    cells = np.flatnonzero(samples >= 0)
    return cells, samples[cells], np.array(conditions)


run(main, snakemake)
