"""Fit both conditions of a contrast: basis, precisions, coefficients of all genes."""

import h5py
import numpy as np
from _job import run
from statediff import EPS
from statediff.basis import build_basis
from statediff.expression import (
    Posterior,
    cross_products,
    replicate_deviations,
    triangular_factor,
    whitener,
)
from statediff.neighbours import length_scale, nearest_distances
from statediff.store import read_arrays, row_blocks, write_arrays

ROLES = ("reference", "compared")


def main(job):
    gp = job.params.gp
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    roles = [members[role] for role in ROLES]
    ls = gp["ls"]
    if ls is None:
        ls = length_scale(nearest_distances(states[roles[0]]), gp["ls_factor"])
    trained = roles[0] | roles[1]
    basis = build_basis(
        states[trained],
        ls,
        gp["tol"],
        gp["max_rank"],
        gp["sigma"],
        gp["kernel"] == "matern52+linear",
    )
    phi = basis(states)
    priors = [basis.prior(states[role]) for role in roles]
    replicates = [
        [members["sample"] == code for code in members.get(f"samples_{role}", ())] for role in ROLES
    ]
    # What is left of a condition without its replicates is the last of its parts.
    parts = [
        [*masks, role & ~np.any([np.zeros_like(role), *masks], axis=0)]
        for role, masks in zip(roles, replicates, strict=True)
    ]
    with h5py.File(job.input.store, "r") as store:
        sums = cross_products(row_blocks(store["X"]), phi, parts[0] + parts[1])
    of_parts = sums[: len(parts[0])], sums[len(parts[0]) :]
    crosses = [sum(of_role) for of_role in of_parts]
    of_replicates = [of_role[:-1] for of_role in of_parts]
    posteriors = [
        Posterior.fit(phi[role].T @ phi[role], gp["sigma"], prior)
        for role, prior in zip(roles, priors, strict=True)
    ]
    arrays = {
        "phi": phi,
        "phi_mean": phi[members["evaluated"]].mean(axis=0),
        "whitener": whitener(triangular_factor(phi[trained]), posteriors, job.params.covariance),
        "eigenvalues": basis.eigenvalues,
        "pivots": basis.pivots,
        "factor": basis.factor,
        "rotation": basis.rotation,
    }
    unexplained = basis.unexplained(phi)
    if basis.centre is not None:
        arrays["centre"] = basis.centre
    for role, prior, posterior, cross in zip(ROLES, priors, posteriors, crosses, strict=True):
        arrays[f"prior_{role}"] = prior
        arrays[f"covariance_{role}"] = posterior.covariance
        # Genes first, so that a chunk of genes is one contiguous piece of the file.
        arrays[f"coefficients_{role}"] = np.ascontiguousarray(posterior.weights(cross).T)
        arrays[f"std_{role}"] = np.sqrt(posterior.variance(phi, unexplained) + EPS)
    if any(replicates):
        between = replicate_deviations(phi, replicates, of_replicates, priors, gp["sigma"])
        arrays["between"] = between.swapaxes(1, 2)
    write_arrays(
        job.output[0],
        arrays,
        ls=basis.ls,
        sigma=gp["sigma"],
        kernel=gp["kernel"],
        covariance=job.params.covariance,
        rank=basis.rank,
        n_components=states.shape[1],
        residual_max=basis.residual_max,
        residual_sum=basis.residual_sum,
        dropped=basis.dropped,
        truncated=basis.truncated,
    )


run(main, snakemake)
