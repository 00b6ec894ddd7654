"""Mahalanobis distances with the labels of the conditions permuted within blocks of cells."""

import h5py
import numpy as np
from _job import run
from statediff.blocks import permute_within
from statediff.expression import Posterior, cross_products, mahalanobis, triangular_factor, whitener
from statediff.store import read_arrays, row_blocks, write_arrays

ROLES = ("reference", "compared")
PERMUTATIONS = 6


def main(job):
    members, _ = read_arrays(job.input.cells, *ROLES)
    codes = read_arrays(job.input.blocks, "code")[0]["code"][0]
    fit, attributes = read_arrays(job.input.fit, "phi", *(f"prior_{role}" for role in ROLES))
    phi, sigma = fit["phi"], attributes["sigma"]
    trained = members["reference"] | members["compared"]
    generator = np.random.default_rng(job.params.seed)
    labelled = [permute_within(members["compared"], codes, generator) for _ in range(PERMUTATIONS)]
    with h5py.File(job.input.store, "r") as store:
        total, *crosses = cross_products(row_blocks(store["X"]), phi, [trained, *labelled])
    factor, found = triangular_factor(phi[trained]), []
    for compared, cross in zip(labelled, crosses, strict=True):
        posteriors = [
            Posterior.fit(phi[cells].T @ phi[cells], sigma, fit[f"prior_{role}"])
            for cells, role in zip((trained & ~compared, compared), ROLES, strict=True)
        ]
        difference = posteriors[1].weights(cross) - posteriors[0].weights(total - cross)
        whiten = whitener(factor, posteriors, attributes["covariance"])
        found.append(mahalanobis(whiten, difference))
    write_arrays(job.output[0], {"mahalanobis": np.array(found)})


run(main, snakemake)
