"""Mean fold change and Mahalanobis distance of all genes in each group; of null genes, if any."""

import h5py
import numpy as np
from _fit import read_coefficients
from _job import run
from statediff.expression import Posterior, mahalanobis, triangular_factor, whitener
from statediff.noise import mahalanobis_noise
from statediff.store import read_arrays, write_arrays

# Genes whose coefficients are read at a time.
GENES = 1024
ROLES = ("reference", "compared")


def main(job):
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    fit, attributes = read_arrays(job.input.fit, "phi", *(f"covariance_{role}" for role in ROLES))
    posteriors = [Posterior(fit[f"covariance_{role}"]) for role in ROLES]
    kept, pooled = ~groups["left_out"], attributes["covariance"]
    phis = [fit["phi"][mask] for mask in groups["masks"][kept]]
    means = np.array([phi.mean(axis=0) for phi in phis])
    whiteners = [whitener(triangular_factor(phi), posteriors, pooled) for phi in phis]
    noise = job.input.get("noise")

    def distances(difference, between, noise):
        if noise is None:
            return np.array([mahalanobis(whiten, difference, between) for whiten in whiteners])
        return np.array(
            [mahalanobis_noise(phi, posteriors, noise, difference, between, pooled) for phi in phis]
        )

    def noise_of(genes):
        if not noise:
            return None
        with h5py.File(noise, "r") as file:
            return [file[f"noise_{role}"][genes].T for role in ROLES]

    mean_lfc, found = [], []
    with h5py.File(job.input.fit, "r") as file:
        for start in range(0, len(file["coefficients_reference"]), GENES):
            genes = slice(start, start + GENES)
            reference, compared, between = read_coefficients(file, genes)
            mean_lfc.append(means @ (compared - reference))
            found.append(distances(compared - reference, between, noise_of(genes)))
    arrays = {
        "names": groups["names"][kept],
        "mean_lfc": np.hstack(mean_lfc),
        "mahalanobis": np.hstack(found),
    }
    if job.input.get("null"):
        null, _ = read_arrays(job.input.null)
        null_noise = [null[f"noise_{role}"] for role in ROLES] if noise else None
        arrays["null"] = distances(null["difference"], null.get("between"), null_noise)
    write_arrays(job.output[0], arrays)


run(main, snakemake)
