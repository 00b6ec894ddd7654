"""Mahalanobis distances of null genes: shuffled over the cells of both conditions."""

import h5py
import numpy as np
from _job import run
from statediff.expression import Posterior, mahalanobis, replicate_deviations
from statediff.noise import mahalanobis_noise, noise_weights
from statediff.significance import choose_null_genes, permute_null_genes
from statediff.store import read_arrays, read_columns, write_arrays

ROLES = ("reference", "compared")


def main(job):
    members, _ = read_arrays(job.input.cells)
    names = ("phi", "whitener", "covariance_reference", "covariance_compared")
    fit, attributes = read_arrays(job.input.fit, *names)
    with h5py.File(job.input.store, "r") as store:
        n_genes = store["X"].attrs["shape"][1]
        columns, seeds = choose_null_genes(n_genes, job.params.null_genes, job.params.seed)
        values = read_columns(store["X"], columns)
    reference, compared = (np.flatnonzero(members[role]) for role in ROLES)
    order = np.concatenate([reference, compared])
    shuffled = permute_null_genes(values[order], seeds).tocsr()
    phi = fit["phi"][order]
    masks = {role: members[role][order] for role in ROLES}
    cross = {role: cross_product(shuffled, phi, mask) for role, mask in masks.items()}
    posteriors = [Posterior(fit[f"covariance_{role}"], attributes["sigma"]) for role in ROLES]
    weights = [p.weights(cross[role]) for p, role in zip(posteriors, ROLES, strict=True)]
    between = None
    if "sample" in members:
        replicates = [
            [members["sample"][order] == code for code in members[f"samples_{role}"]]
            for role in ROLES
        ]
        crosses = [[cross_product(shuffled, phi, mask) for mask in group] for group in replicates]
        priors, _ = read_arrays(job.input.fit, *(f"prior_{role}" for role in ROLES))
        between = replicate_deviations(
            phi, replicates, crosses, list(priors.values()), attributes["sigma"]
        )
    difference = weights[1] - weights[0]
    # The groups of a contrast have distances of their own (group_distances).
    arrays = {"gene": columns, "difference": difference}
    if between is not None:
        arrays["between"] = between
    if job.params.noise == "empirical":
        noise = noise_weights([(0, shuffled)], phi, list(masks.values()), posteriors, weights)
        arrays |= {f"noise_{role}": sums for role, sums in zip(ROLES, noise, strict=True)}
        pooled = attributes["covariance"]
        distances = mahalanobis_noise(phi, posteriors, noise, difference, between, pooled)
    else:
        distances = mahalanobis(fit["whitener"], difference, between)
    write_arrays(job.output[0], arrays | {"mahalanobis": distances})


def cross_product(values, phi, mask):
    """Sums Φ'Y over some of the cells, shape (r, genes)."""
    return (values[mask].T @ phi[mask]).T


run(main, snakemake)
