"""Statistics, and layers where asked for, of one chunk of genes."""

import h5py
import numpy as np
from _fit import ROLES, read_coefficients, read_posteriors, read_signal
from _job import run
from statediff.disk import create_h5
from statediff.expression import distances, neg_log10_ptp
from statediff.noise import mahalanobis_noise
from statediff.store import read_arrays

# Of a layer, at a time.
VALUES = 1 << 22


def main(job):
    if job.params.layers:
        from statediff.device import place  # starts JAX, which the statistics do without

        place(job.config["gp"]["device"])
    number, chunks = map(int, job.wildcards.scatteritem.split("-of-"))
    with h5py.File(job.input.fit, "r") as fit:
        n_genes = len(fit["coefficients_reference"])
        genes = slice(n_genes * (number - 1) // chunks, n_genes * number // chunks)
        reference, compared, between = read_coefficients(fit, genes)
    arrays, attributes = read_arrays(job.input.fit, "whitener", "phi_mean")
    difference = compared - reference
    signal = read_signal(job.input.fit).of_genes(genes)
    if job.input.get("noise"):
        found = distances_under_noise(job.input, genes, difference, between)
    else:
        found = distances(arrays["whitener"], signal, difference, between)
    wanted = {}
    if "smoothed" in job.params.layers:
        wanted |= {"smoothed_reference": reference, "smoothed_compared": compared}
    if "fold_change" in job.params.layers:
        wanted["fold_change"] = difference
    with create_h5(job.output[0]) as out:
        out["start"] = genes.start
        out["mahalanobis"] = found
        out["mean_lfc"] = arrays["phi_mean"] @ difference
        out["neg_log10_ptp"] = neg_log10_ptp(found, attributes["n_components"])
        with h5py.File(job.input.fit, "r") as fit:
            if wanted:
                write_layers(out, fit["phi"], wanted)
            if "fold_change_zscores" in job.params.layers:
                write_zscores(out, fit, signal, difference, between)


def distances_under_noise(paths, genes, difference, between):
    """Distances over the cells of both conditions, with the noise of each gene there."""
    members, _ = read_arrays(paths.cells, *ROLES)
    fit, attributes = read_arrays(paths.fit, "phi")
    with h5py.File(paths.noise, "r") as file:
        noise = [file[f"noise_{role}"][genes].T for role in ROLES]
    return mahalanobis_noise(
        fit["phi"][members["reference"] | members["compared"]],
        read_posteriors(paths.fit),
        noise,
        difference,
        attributes["sigma"],
        between,
        attributes["covariance"],
    )


def write_layers(out, phi, wanted):
    """Dense layers of the chunk, a block of cells at a time."""
    from statediff.device import product

    for name, coefficients in wanted.items():
        layer = out.create_dataset(name, (len(phi), coefficients.shape[1]), dtype=np.float32)
        for block in cell_blocks(layer):
            layer[block] = product(phi[block], coefficients)


def cell_blocks(layer):
    """Slices of the cells of a layer."""
    cells = max(1, VALUES // max(layer.shape[1], 1))
    return (slice(start, start + cells) for start in range(0, len(layer), cells))


def write_zscores(out, fit, signal, difference, between):
    """Fold changes over their standard deviation, with the variance between replicates if any."""
    from statediff.device import product

    phi, shape = fit["phi"], (len(fit["phi"]), difference.shape[1])
    layer = out.create_dataset("fold_change_zscores", shape, dtype=np.float32)
    for block in cell_blocks(layer):
        rows = phi[block]
        relative = sum(fit[f"relative_std_{role}"][block].astype(np.float64) ** 2 for role in ROLES)
        variance = (relative - fit.attrs["eps"])[:, signal.level] * signal.noise**2
        for deviation in () if between is None else between:
            variance += np.square(product(rows, deviation))
        layer[block] = product(rows, difference) / np.sqrt(variance)


run(main, snakemake)
