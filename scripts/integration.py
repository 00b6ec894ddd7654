"""Integrate the coordinates behind the cell states over the samples of the contrasts."""

import numpy as np
from _job import run
from statediff.matching import integrate_samples
from statediff.observations import StoredObservations, combined_levels
from statediff.store import open_h5ad, write_arrays


def main(job):
    with open_h5ad(job.input[0]) as store:
        obs, coordinates = StoredObservations(store), store[f"obsm/{job.params.key}"][:]
        columns = [
            [combined_levels(obs, names, "contrasts") for names in (condition, sample)]
            for condition, sample in job.params.columns
        ]
    coordinates, mixed = integrate_samples(coordinates.astype(np.float64), columns)
    names = ", ".join(" × ".join(job.params.columns[i][1]) for i in mixed)
    print(f"integrated over: {names or 'nothing'}")
    write_arrays(job.output[0], {"coordinates": coordinates}, columns=names)


if __name__ == "__main__":
    run(main, snakemake)
