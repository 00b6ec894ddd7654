"""Noise of every gene along the cell states, in both conditions."""

import h5py
import numpy as np
from _fit import ROLES, read_posteriors
from _job import run
from statediff.noise import noise_weights
from statediff.store import read_arrays, row_blocks, write_arrays


def main(job):
    members, _ = read_arrays(job.input.cells, *ROLES)
    names = [f"coefficients_{role}" for role in ROLES]
    coefficients, attributes = read_arrays(job.input.fit, *names)
    with h5py.File(job.input.store, "r") as store, h5py.File(job.input.fit, "r") as fit:
        noise = noise_weights(
            row_blocks(store["X"]),
            fit["phi"],
            [members[role] for role in ROLES],
            read_posteriors(job.input.fit),
            [coefficients[name].T for name in names],
            attributes["sigma"],
        )
    # Genes first, as the coefficients.
    arrays = {
        f"noise_{role}": np.ascontiguousarray(weights.T)
        for role, weights in zip(ROLES, noise, strict=True)
    }
    write_arrays(job.output[0], arrays)


if __name__ == "__main__":
    run(main, snakemake)
