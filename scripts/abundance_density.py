"""Density of each condition of a contrast at every cell, and the uncertainty of their ratio."""

import numpy as np
from _job import run
from statediff.density import fit_density
from statediff.ratio import find_overdispersion, fit_ratio, informative
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")


def main(job):
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    options = {key: job.params.gp[key] for key in ("ls_factor", "tol", "max_rank")}
    estimator = job.params.abundance["estimator"]
    if estimator == "ratio":
        arrays, attributes = ratio(states, members, options)
    else:
        arrays, attributes = densities(
            states, members, options, job.params.abundance["uncertainty"]
        )
    write_arrays(job.output[0], arrays, estimator=estimator, **attributes)


def ratio(states, members, options):
    """Density of all cells, and its division between the conditions."""
    both = members["reference"] | members["compared"]
    density = fit_density(states[both], **options)
    phi = density.basis(states)
    log_density = density(phi)
    phi = phi[:, : informative(density.basis)]
    fitted = fit_ratio(phi[both], members["compared"][both])
    arrays = {"variance": fitted.variance(phi), "freedom": np.inf}
    for role, values in zip(ROLES, fitted.log_densities(log_density, phi), strict=True):
        arrays[f"log_density_{role}"] = values
    attributes = described(density) | {"rank_ratio": phi.shape[1]}
    if "sample" in members:
        samples = [np.where(members[role], members["sample"], -1) for role in ROLES]
        found = find_overdispersion(phi, samples)
        arrays["variance"] = arrays["variance"] * found.factor
        arrays["freedom"] = found.freedom
        attributes["overdispersion"] = found.mean
    return arrays, attributes


def densities(states, members, options, uncertainty):
    """Density of each condition by itself."""
    arrays, variance, attributes = {}, np.zeros(len(states)), {"uncertainty": uncertainty}
    between = between_replicates(states, members, options)
    for role in ROLES:
        density = fit_density(states[members[role]], uncertainty=uncertainty, **options)
        phi = density.basis(states)
        arrays[f"log_density_{role}"] = density(phi)
        variance += density.variance(phi)
        if between is not None:
            variance += between[role]
        attributes |= {f"{key}_{role}": value for key, value in described(density).items()}
    return arrays | {"variance": variance}, attributes


def described(density):
    """Parameters of a fitted density."""
    return {
        "ls": density.basis.ls,
        "dimension": density.dimension,
        "mean": density.mean,
        "rank": density.basis.rank,
        "residual_max": density.basis.residual_max,
        "truncated": density.basis.truncated,
    }


def between_replicates(states, members, options):
    """Variance between replicates of the log density at every cell, for each condition."""
    if "sample" not in members:
        return None
    variance = {}
    for role in ROLES:
        densities = []
        for code in members[f"samples_{role}"]:
            density = fit_density(states[members["sample"] == code], **options)
            densities.append(density(density.basis(states)))
        if len(densities) >= 2:
            variance[role] = np.var(densities, axis=0, ddof=1)
    # One condition without replicates: the other's variance stands for both.
    (known, *_) = variance.values()
    return {role: variance.get(role, known) for role in ROLES}


run(main, snakemake)
