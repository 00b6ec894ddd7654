"""Noise of every gene along the cell states, in both conditions."""

import h5py
import numpy as np
from _job import run
from statediff.expression import Posterior
from statediff.noise import noise_weights
from statediff.store import read_arrays, row_blocks, write_arrays

ROLES = ("reference", "compared")


def main(job):
    members, _ = read_arrays(job.input.cells, *ROLES)
    names = [f"{name}_{role}" for name in ("covariance", "coefficients") for role in ROLES]
    fit, attributes = read_arrays(job.input.fit, "phi", *names)
    posteriors = [Posterior(fit[f"covariance_{role}"], attributes["sigma"]) for role in ROLES]
    with h5py.File(job.input.store, "r") as store:
        noise = noise_weights(
            row_blocks(store["X"]),
            fit["phi"],
            [members[role] for role in ROLES],
            posteriors,
            [fit[f"coefficients_{role}"].T for role in ROLES],
        )
    # Genes first, as the coefficients.
    arrays = {
        f"noise_{role}": np.ascontiguousarray(weights.T)
        for role, weights in zip(ROLES, noise, strict=True)
    }
    write_arrays(job.output[0], arrays)


run(main, snakemake)
