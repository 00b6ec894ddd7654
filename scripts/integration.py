"""Integrate the coordinates behind the cell states over the samples of the contrasts."""

import numpy as np
from _cells import read_column
from _job import run
from statediff.matching import finest_partitions, lie_apart, mix_samples
from statediff.store import open_h5ad, write_arrays


def main(job):
    with open_h5ad(job.input[0]) as store:
        coordinates = store[f"obsm/{job.params.key}"][:].astype(np.float64)
        found = [
            [joined(store, columns) for columns in (condition, sample)]
            for condition, sample in job.params.columns
        ]
    mixed = []
    kept = finest_partitions([samples for _, samples in found])
    for i in kept:
        conditions, samples = found[i]
        # Contrasts that name columns of their own would mix the cells more and more; where samples
        # do not lie apart, a column of several is left alone.
        if len(kept) == 1 or needs_mixing(coordinates, conditions, samples):
            # Cells with a value missing are a level of their own.
            _, numbers = np.unique(samples, return_inverse=True)
            coordinates = mix_samples(coordinates, numbers)
            mixed.append(" × ".join(job.params.columns[i][1]))
    print(f"integrated over: {', '.join(mixed) or 'nothing'}")
    write_arrays(job.output[0], {"coordinates": coordinates}, columns=", ".join(mixed))


def joined(store, columns):
    """Number of each cell's combination of levels; −1 where one is missing."""
    codes = np.array([read_column(store, column, "contrasts")[0] for column in columns])
    _, numbers = np.unique(codes, axis=1, return_inverse=True)
    return np.where((codes >= 0).all(axis=0), numbers.ravel(), -1)


def needs_mixing(coordinates, conditions, samples):
    """Whether samples or conditions of a contrast lie apart, among cells that are of both."""
    cells = np.flatnonzero((conditions >= 0) & (samples >= 0))
    if len(cells) < 2:
        return False
    _, of_sample = np.unique(samples[cells], return_inverse=True)
    of_condition = np.zeros(of_sample.max() + 1, dtype=int)
    of_condition[of_sample] = conditions[cells]
    return lie_apart(coordinates[cells], of_sample, of_condition)


run(main, snakemake)
