"""Mahalanobis distances of null genes: shuffled over the cells of both conditions."""

from dataclasses import replace

import h5py
import numpy as np
from _fit import ROLES, read_posteriors, read_signal
from _job import run
from statediff.expression import distances, gene_weights, replicate_deviations
from statediff.noise import mahalanobis_noise, noise_weights
from statediff.significance import choose_null_genes, permute_null_genes
from statediff.smoothness import learn_signal_to_noise
from statediff.store import read_arrays, read_columns, write_arrays


def main(job):
    members, _ = read_arrays(job.input.cells)
    fit, attributes = read_arrays(job.input.fit, "phi", "whitener")
    with h5py.File(job.input.store, "r") as store:
        n_genes = store["X"].attrs["shape"][1]
        columns, seeds = choose_null_genes(n_genes, job.params.null_genes, job.params.seed)
        values = read_columns(store["X"], columns)
    reference, compared = (np.flatnonzero(members[role]) for role in ROLES)
    order = np.concatenate([reference, compared])
    shuffled = permute_null_genes(values[order], seeds).tocsr()
    phi = fit["phi"][order]
    masks = [members[role][order] for role in ROLES]
    posteriors = read_posteriors(job.input.fit)
    crosses = [cross_product(shuffled, phi, mask) for mask in masks]
    signal = signal_of_null(
        read_signal(job.input.fit).of_genes(columns), attributes.get("sigma"), shuffled,
        phi, masks, posteriors, crosses,
    )  # fmt: skip

    def centred(cross, mask):
        return cross - np.outer(phi[mask].sum(axis=0), signal.mean)

    weights = [
        gene_weights(posterior, centred(cross, mask), signal)
        for posterior, cross, mask in zip(posteriors, crosses, masks, strict=True)
    ]
    between = None
    if "sample" in members:
        replicates = [
            [members["sample"][order] == code for code in members[f"samples_{role}"]]
            for role in ROLES
        ]
        of_replicates = [
            [centred(cross_product(shuffled, phi, mask), mask) for mask in group]
            for group in replicates
        ]
        priors, _ = read_arrays(job.input.fit, *(f"prior_{role}" for role in ROLES))
        between = replicate_deviations(
            phi, replicates, of_replicates, list(priors.values()), signal
        )
    difference = weights[1] - weights[0]
    # The groups of a contrast have distances of their own (group_distances).
    arrays = {"gene": columns, "difference": difference} | signal.arrays()
    if between is not None:
        arrays["between"] = between
    if job.params.noise == "empirical":
        sigma, pooled = attributes["sigma"], attributes["covariance"]
        noise = noise_weights([(0, shuffled)], phi, masks, posteriors, weights, sigma)
        arrays |= {f"noise_{role}": sums for role, sums in zip(ROLES, noise, strict=True)}
        found = mahalanobis_noise(phi, posteriors, noise, difference, sigma, between, pooled)
    else:
        found = distances(fit["whitener"], signal, difference, between)
    write_arrays(job.output[0], arrays | {"mahalanobis": found})


def signal_of_null(signal, sigma, values, phi, masks, posteriors, crosses):
    """Signal-to-noise ratios of the genes that were shuffled, with the noise that they have now."""
    if sigma is not None:
        return signal
    parts = [values[mask] for mask in masks]
    noise = learn_signal_to_noise(
        posteriors,
        crosses,
        [np.asarray(part.sum(axis=0, dtype=np.float64)).ravel() for part in parts],
        [np.asarray(part.astype(np.float64).power(2).sum(axis=0)).ravel() for part in parts],
        [int(mask.sum()) for mask in masks],
        [phi[mask].sum(axis=0) for mask in masks],
        known=signal.levels[signal.level],
    ).noise
    return replace(signal, noise=noise)


def cross_product(values, phi, mask):
    """Sums Φ'Y over some of the cells, shape (r, genes)."""
    return (values[mask].T @ phi[mask]).T


run(main, snakemake)
