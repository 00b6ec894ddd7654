"""Fit both conditions of a contrast: precisions, coefficients, signal and noise of all genes."""

import h5py
import numpy as np
from _basis import read_basis
from _fit import ROLES, write_posteriors, write_signal
from _job import run
from _states import read_states
from statediff import EPS
from statediff.expression import (
    Posterior,
    cross_products,
    gene_weights,
    replicate_deviations,
    triangular_factor,
    whitener,
)
from statediff.smoothness import SignalToNoise, learn_signal_to_noise, warn_of_few
from statediff.store import read_arrays, row_blocks, write_arrays

# Of functions of the basis that are copied from its file to that of the fit.
COPIED = (
    "pivots",
    "factor",
    "rotation",
    "eigenvalues",
    "scales",
    "centre",
    "multiples",
    "evidence",
)


def main(job):
    sigma = job.params.sigma
    members, _ = read_arrays(job.input.cells)
    basis, parts, attributes = read_basis(job.input.basis)
    states, _ = read_states(job.input.states, attributes["metric"])
    roles = [members[role] for role in ROLES]
    trained = roles[0] | roles[1]
    phi = basis(states)
    priors = [basis.prior(states[role]) for role in roles]
    if sigma is None:
        # A last function, of ones, has the mean of each gene as its coefficient.
        phi = np.hstack([phi, np.ones((len(phi), 1))])
        priors = [np.pad(prior, ((0, 0), (0, 1))) for prior in priors]
    replicates = [
        [members["sample"] == code for code in members.get(f"samples_{role}", ())] for role in ROLES
    ]
    # What is left of a condition without its replicates is the last of its parts.
    groups = [
        [*masks, role & ~np.any([np.zeros_like(role), *masks], axis=0)]
        for role, masks in zip(roles, replicates, strict=True)
    ]
    with h5py.File(job.input.store, "r") as store:
        sums, squares = cross_products(row_blocks(store["X"]), phi, groups[0] + groups[1])
    of_parts = sums[: len(groups[0])], sums[len(groups[0]) :]
    crosses = [sum(of_role) for of_role in of_parts]
    of_replicates = [of_role[:-1] for of_role in of_parts]
    posteriors = [
        Posterior.fit(phi[role].T @ phi[role], prior)
        for role, prior in zip(roles, priors, strict=True)
    ]
    if sigma is None:
        totals = [phi[role].sum(axis=0) for role in roles]
        signal = learn_signal_to_noise(
            posteriors,
            crosses,
            [cross[-1] for cross in crosses],
            [sum(squares[: len(groups[0])]), sum(squares[len(groups[0]) :])],
            [int(role.sum()) for role in roles],
            totals,
        ).used()
        crosses = [
            cross - np.outer(total, signal.mean)
            for cross, total in zip(crosses, totals, strict=True)
        ]
        of_replicates = [
            [
                cross - np.outer(phi[mask].sum(axis=0), signal.mean)
                for cross, mask in zip(own, masks, strict=True)
            ]
            for own, masks in zip(of_replicates, replicates, strict=True)
        ]
    else:
        signal = SignalToNoise.given(sigma, crosses[0].shape[1])
    freedom = signal.freedom(posteriors)
    warn_of_few(freedom, [job.params.contrast[role] for role in ROLES])
    eps = EPS / (sigma or 1.0) ** 2
    factor = triangular_factor(phi[trained])
    arrays = {name: parts[name] for name in COPIED if name in parts} | {
        "phi": phi,
        "phi_mean": phi[members["evaluated"]].mean(axis=0),
        "whitener": [
            whitener(factor, posteriors, rho, job.params.covariance, eps) for rho in signal.levels
        ],
    }
    write_posteriors(arrays, posteriors)
    write_signal(arrays, signal)
    unexplained = basis.unexplained(phi)
    for role, prior, posterior, cross in zip(ROLES, priors, posteriors, crosses, strict=True):
        arrays[f"prior_{role}"] = prior
        weights = gene_weights(posterior, cross, signal)
        of_level = np.empty((len(phi), len(signal.levels)), dtype=np.float32)
        mean_variance = np.zeros(len(phi))
        for rho, index, genes in signal.slices():
            variance = posterior.variance(phi, unexplained, rho) + eps
            of_level[:, index] = np.sqrt(variance)
            mean_variance += variance * (signal.noise[genes] ** 2).sum() / len(signal.noise)
        if sigma is None:
            weights[-1] = signal.mean
        # Genes first, so that a chunk of genes is one contiguous piece of the file.
        arrays[f"coefficients_{role}"] = np.ascontiguousarray(weights.T)
        # Of each signal-to-noise ratio, relative to the noise; and root mean square over genes.
        arrays[f"relative_std_{role}"] = of_level
        arrays[f"std_{role}"] = np.sqrt(mean_variance)
    if any(replicates):
        between = replicate_deviations(phi, replicates, of_replicates, priors, signal)
        arrays["between"] = between.swapaxes(1, 2)
    write_arrays(
        job.output[0],
        arrays,
        **attributes,
        covariance=job.params.covariance,
        eps=eps,
        **({} if sigma is None else {"sigma": sigma}),
        **{f"freedom_{role}": value for role, value in zip(ROLES, freedom, strict=True)},
        signal_median=float(np.median(signal.levels[signal.level])),
        **({"genes_following": int(signal.follows.sum())} if sigma is None else {}),
    )


run(main, snakemake)
