"""Mean fold change and Mahalanobis distance of all genes, and of the null genes, in each group."""

import h5py
import numpy as np
from _fit import read_coefficients
from _job import run
from statediff.basis import triangular_factor
from statediff.expression import Posterior, mahalanobis, whitener
from statediff.store import read_arrays, write_arrays

# Genes whose coefficients are read at a time.
GENES = 1024


def main(job):
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    null, _ = read_arrays(job.input.null)
    fit, attributes = read_arrays(
        job.input.fit, "phi", "covariance_reference", "covariance_compared"
    )
    posteriors = [Posterior(fit[f"covariance_{role}"]) for role in ("reference", "compared")]
    kept = ~groups["left_out"]
    means, whiteners = [], []
    for mask in groups["masks"][kept]:
        phi = fit["phi"][mask]
        means.append(phi.mean(axis=0))
        whiteners.append(whitener(triangular_factor(phi), posteriors, attributes["covariance"]))

    def distances(difference, between):
        return np.array([mahalanobis(whiten, difference, between) for whiten in whiteners])

    mean_lfc, found = [], []
    with h5py.File(job.input.fit, "r") as file:
        for start in range(0, len(file["coefficients_reference"]), GENES):
            genes = slice(start, start + GENES)
            reference, compared, between = read_coefficients(file, genes)
            mean_lfc.append(np.array(means) @ (compared - reference))
            found.append(distances(compared - reference, between))
    arrays = {
        "names": groups["names"][kept],
        "mean_lfc": np.hstack(mean_lfc),
        "mahalanobis": np.hstack(found),
        "null": distances(null["difference"], null.get("between")),
    }
    write_arrays(job.output[0], arrays)


run(main, snakemake)
