"""Integrate the coordinates behind the cell states over the samples of the contrasts.

They stay as they are where neither the samples nor the conditions of a contrast lie apart.
"""

import numpy as np
from _cells import read_column
from _job import run
from statediff.matching import lie_apart, mix_samples
from statediff.store import open_h5ad, write_arrays


def main(job):
    with open_h5ad(job.input[0]) as store:
        coordinates = store[f"obsm/{job.params.key}"][:].astype(np.float64)
        of_contrasts = [
            [read_column(store, column, "contrasts")[0] for column in columns]
            for columns in job.params.columns
        ]
    apart = any(needs_mixing(coordinates, *codes) for codes in of_contrasts)
    if apart:
        # Cells with a value missing are a level of their own.
        codes = np.stack([samples for _, samples in of_contrasts], axis=1)
        _, samples = np.unique(codes, axis=0, return_inverse=True)
        coordinates = mix_samples(coordinates, samples.ravel())
    print("samples or conditions lie apart: mixed" if apart else "samples mix: left as they are")
    write_arrays(job.output[0], {"coordinates": coordinates}, mixed=apart)


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
