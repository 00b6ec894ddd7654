"""Mean fold change and Mahalanobis distance of all genes in each group; of null genes, if any."""

import h5py
import numpy as np
from _fit import ROLES, read_coefficients, read_posteriors, read_signal
from _job import run
from statediff.basis_values import phi_means, triangular_factors
from statediff.expression import distances
from statediff.expression_statistics import group_whiteners
from statediff.noise import mahalanobis_noise
from statediff.store import read_arrays, take_rows, write_arrays

# Genes whose coefficients are read at a time.
GENES = 1024


def main(job):
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    names, masks = (groups[name][~groups["left_out"]] for name in ("names", "masks"))
    _, described = read_arrays(job.input.fit, "phi_mean")
    posteriors, noisy = read_posteriors(job.input.fit), bool(job.input.get("noise"))
    found = {"mahalanobis": [], "null": []}
    with h5py.File(job.input.fit, "r") as fit:
        means = phi_means(fit["phi"], masks)
        found["mean_lfc"] = np.hstack([means @ genes[0] for genes in parts(job)])
        # A group at a time: its matrices are as large as the basis, for each signal-to-noise ratio.
        for mask, factor in zip(masks, triangular_factors(fit["phi"], masks), strict=True):
            if noisy:
                phi = take_rows(fit["phi"], np.flatnonzero(mask))
                distance = by_noise(phi, posteriors, described)
            else:
                signal = read_signal(job.input.fit)
                distance = by_signal(group_whiteners(factor, posteriors, signal, described))
            found["mahalanobis"].append(np.concatenate([distance(*genes) for genes in parts(job)]))
            if job.input.get("null"):
                found["null"].append(distance(*null_genes(job)))
    arrays = {name: np.array(values) for name, values in found.items() if len(values)}
    write_arrays(job.output[0], {"names": names} | arrays)


def by_signal(whiteners):
    """Distances over a group of cells, by the signal-to-noise ratios of the genes."""
    return lambda difference, between, signal, noise: distances(
        whiteners, signal, difference, between
    )


def by_noise(phi, posteriors, described):
    """Distances over a group of cells, by noise that varies along the states."""
    sigma, pooled = described["sigma"], described["covariance"]
    return lambda difference, between, signal, noise: mahalanobis_noise(
        phi, posteriors, noise, difference, sigma, between, pooled
    )


def parts(job):
    """Differences of coefficients, those of samples, signal and noise, some genes at a time."""
    signal = read_signal(job.input.fit)
    with h5py.File(job.input.fit, "r") as fit:
        for start in range(0, len(fit["coefficients_reference"]), GENES):
            genes = slice(start, start + GENES)
            reference, compared, between = read_coefficients(fit, genes)
            noise = None
            if job.input.get("noise"):
                with h5py.File(job.input.noise, "r") as file:
                    noise = [file[f"noise_{role}"][genes].T for role in ROLES]
            yield compared - reference, between, signal.of_genes(genes), noise


def null_genes(job):
    """The same of the null genes, all at once."""
    null, _ = read_arrays(job.input.null)
    noise = [null[f"noise_{role}"] for role in ROLES] if job.input.get("noise") else None
    return null["difference"], null.get("between"), read_signal(job.input.null), noise


if __name__ == "__main__":
    run(main, snakemake)
