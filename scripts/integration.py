"""Integrate the coordinates behind the cell states over the samples of the contrasts."""

import numpy as np
from _cells import read_column
from _job import run
from statediff.matching import mix_samples
from statediff.store import open_h5ad, write_arrays


def main(job):
    with open_h5ad(job.input[0]) as store:
        coordinates = store[f"obsm/{job.params.key}"][:]
        codes = [read_column(store, column, "contrasts")[0] for column in job.params.columns]
    # Cells with a value missing are a level of their own.
    _, samples = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    write_arrays(
        job.output[0],
        {"coordinates": mix_samples(coordinates, samples.ravel())},
        columns=", ".join(job.params.columns),
    )


run(main, snakemake)
