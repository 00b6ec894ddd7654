"""Fit both conditions of a contrast: basis, precisions, coefficients of all genes."""

import h5py
import numpy as np
from _job import run
from statediff.basis import build_basis, triangular_factor
from statediff.expression import EPS, Posterior, cross_products, whitener
from statediff.kernels import length_scale, nearest_distances
from statediff.store import read_arrays, row_blocks, write_arrays


def main(job):
    gp = job.params.gp
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    roles = [members["reference"], members["compared"]]
    ls = gp["ls"]
    if ls is None:
        ls = length_scale(nearest_distances(states[roles[0]]), gp["ls_factor"])
    trained = roles[0] | roles[1]
    basis = build_basis(states[trained], ls, gp["tol"], gp["max_rank"], gp["sigma"])
    phi = basis(states)
    with h5py.File(job.input.store, "r") as store:
        crosses = cross_products(row_blocks(store["X"]), phi, roles)
    grams = [phi[role].T @ phi[role] for role in roles]
    posteriors = [Posterior.fit(g, c, gp["sigma"]) for g, c in zip(grams, crosses, strict=True)]
    arrays = {
        "phi": phi,
        "phi_mean": phi.mean(axis=0),
        "whitener": whitener(triangular_factor(phi[trained]), posteriors),
        "eigenvalues": basis.eigenvalues,
        "pivots": basis.pivots,
        "factor": basis.factor,
        "rotation": basis.rotation,
    }
    for role, posterior in zip(("reference", "compared"), posteriors, strict=True):
        arrays[f"precision_{role}"] = posterior.precision
        # Genes first, so that a chunk of genes is one contiguous piece of the file.
        arrays[f"coefficients_{role}"] = np.ascontiguousarray(posterior.coefficients.T)
        arrays[f"std_{role}"] = np.sqrt(posterior.variance(phi) + EPS)
    write_arrays(
        job.output[0],
        arrays,
        ls=basis.ls,
        sigma=gp["sigma"],
        rank=basis.rank,
        n_components=states.shape[1],
        residual_max=basis.residual_max,
        residual_sum=basis.residual_sum,
        dropped=basis.dropped,
        truncated=basis.truncated,
    )


run(main, snakemake)
