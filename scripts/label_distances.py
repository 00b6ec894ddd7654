"""Mahalanobis distances with the labels of the conditions permuted within blocks of cells."""

import h5py
import numpy as np
from _fit import ROLES, read_signal
from _job import run
from statediff.blocks import permute_within
from statediff.expression import (
    Posterior,
    cross_products,
    distances,
    gene_weights,
    triangular_factor,
    whitener,
)
from statediff.store import read_arrays, row_blocks, write_arrays

PERMUTATIONS = 6


def main(job):
    members, _ = read_arrays(job.input.cells, *ROLES)
    codes = read_arrays(job.input.blocks, "code")[0]["code"][0]
    fit, attributes = read_arrays(job.input.fit, "phi", *(f"prior_{role}" for role in ROLES))
    phi, signal = fit["phi"], read_signal(job.input.fit)
    trained = members["reference"] | members["compared"]
    generator = np.random.default_rng(job.params.seed)
    labelled = [permute_within(members["compared"], codes, generator) for _ in range(PERMUTATIONS)]
    with h5py.File(job.input.store, "r") as store:
        (total, *crosses), _ = cross_products(row_blocks(store["X"]), phi, [trained, *labelled])
    factor, found = triangular_factor(phi[trained]), []
    pooled, eps = attributes["covariance"], attributes["eps"]
    for compared, cross in zip(labelled, crosses, strict=True):
        conditions = (trained & ~compared, total - cross), (compared, cross)
        posteriors, weights = [], []
        for (cells, sums), role in zip(conditions, ROLES, strict=True):
            own = phi[cells]
            posteriors.append(Posterior.fit(own.T @ own, fit[f"prior_{role}"]))
            centred = sums - np.outer(own.sum(axis=0), signal.mean)
            weights.append(gene_weights(posteriors[-1], centred, signal))
        whiteners = [whitener(factor, posteriors, rho, pooled, eps) for rho in signal.levels]
        found.append(distances(whiteners, signal, weights[1] - weights[0]))
    write_arrays(job.output[0], {"mahalanobis": np.array(found)})


run(main, snakemake)
