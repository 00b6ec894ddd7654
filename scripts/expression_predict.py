"""Statistics, and layers where asked for, of one chunk of genes."""

import h5py
import numpy as np
from _fit import read_coefficients
from _job import run
from statediff.expression import EPS, mahalanobis, neg_log10_ptp
from statediff.store import atomic, read_arrays

CELLS = 16384


def main(job):
    number, chunks = map(int, job.wildcards.scatteritem.split("-of-"))
    with h5py.File(job.input[0], "r") as fit:
        n_genes = len(fit["coefficients_reference"])
        genes = slice(n_genes * (number - 1) // chunks, n_genes * number // chunks)
        reference, compared, between = read_coefficients(fit, genes)
    arrays, attributes = read_arrays(job.input[0], "whitener", "phi_mean")
    difference = compared - reference
    distances = mahalanobis(arrays["whitener"], difference, between)
    wanted = {}
    if "smoothed" in job.params.layers:
        wanted |= {"smoothed_reference": reference, "smoothed_compared": compared}
    if "fold_change" in job.params.layers:
        wanted["fold_change"] = difference
    with atomic(job.output[0]) as part, h5py.File(part, "w") as out:
        out["start"] = genes.start
        out["mahalanobis"] = distances
        out["mean_lfc"] = arrays["phi_mean"] @ difference
        out["neg_log10_ptp"] = neg_log10_ptp(distances, attributes["n_components"])
        with h5py.File(job.input[0], "r") as fit:
            write_layers(out, fit["phi"], wanted)
            if "fold_change_zscores" in job.params.layers:
                write_zscores(out, fit, difference, between)


def write_layers(out, phi, wanted):
    """Dense layers of the chunk, a block of cells at a time."""
    for name, coefficients in wanted.items():
        layer = out.create_dataset(name, (len(phi), coefficients.shape[1]), dtype=np.float32)
        for start in range(0, len(phi), CELLS):
            block = slice(start, start + CELLS)
            layer[block] = phi[block] @ coefficients


def write_zscores(out, fit, difference, between):
    """Fold changes over their standard deviation, with the variance between replicates if any."""
    phi, shape = fit["phi"], (len(fit["phi"]), difference.shape[1])
    layer = out.create_dataset("fold_change_zscores", shape, dtype=np.float32)
    for start in range(0, len(phi), CELLS):
        block = slice(start, start + CELLS)
        rows = phi[block]
        variance = fit["std_reference"][block] ** 2 + fit["std_compared"][block] ** 2 - EPS
        variance = np.repeat(variance[:, None], shape[1], axis=1)
        for deviation in () if between is None else between:
            variance += (rows @ deviation) ** 2
        layer[block] = rows @ difference / np.sqrt(variance)


run(main, snakemake)
