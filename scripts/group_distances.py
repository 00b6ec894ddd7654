"""Mean fold change and Mahalanobis distance of all genes in each group; of null genes, if any."""

import h5py
import numpy as np
from _fit import ROLES, read_coefficients, read_posteriors, read_signal
from _job import run
from statediff.expression import distances
from statediff.expression_statistics import group_whiteners
from statediff.noise import mahalanobis_noise
from statediff.store import read_arrays, write_arrays

# Genes whose coefficients are read at a time.
GENES = 1024


def main(job):
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    fit, attributes = read_arrays(job.input.fit, "phi")
    posteriors, signal = read_posteriors(job.input.fit), read_signal(job.input.fit)
    kept, pooled = ~groups["left_out"], attributes["covariance"]
    phis = [fit["phi"][mask] for mask in groups["masks"][kept]]
    means = np.array([phi.mean(axis=0) for phi in phis])
    whiteners = [group_whiteners(phi, posteriors, signal, attributes) for phi in phis]
    noise = job.input.get("noise")

    def of_groups(difference, between, noise, signal):
        if noise is None:
            return np.array([distances(own, signal, difference, between) for own in whiteners])
        settings = attributes["sigma"], between, pooled
        return np.array(
            [mahalanobis_noise(phi, posteriors, noise, difference, *settings) for phi in phis]
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
            of_genes = noise_of(genes), signal.of_genes(genes)
            found.append(of_groups(compared - reference, between, *of_genes))
    arrays = {
        "names": groups["names"][kept],
        "mean_lfc": np.hstack(mean_lfc),
        "mahalanobis": np.hstack(found),
    }
    if job.input.get("null"):
        null, _ = read_arrays(job.input.null)
        null_noise = [null[f"noise_{role}"] for role in ROLES] if noise else None
        own = null_noise, read_signal(job.input.null)
        arrays["null"] = of_groups(null["difference"], null.get("between"), *own)
    write_arrays(job.output[0], arrays)


if __name__ == "__main__":
    run(main, snakemake)
