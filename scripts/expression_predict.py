"""Statistics, and layers where asked for, of one chunk of genes."""

import h5py
from _fit import ROLES, read_coefficients, read_posteriors, read_signal
from _job import run
from statediff.disk import create_h5
from statediff.expression import distances, neg_log10_ptp
from statediff.layers import write_layers, write_zscores
from statediff.noise import mahalanobis_noise
from statediff.store import read_arrays


def main(job):
    if job.params.layers:
        from statediff.device import place  # starts JAX, which the statistics do without

        place(job.config["gp"]["device"])
    number, chunks = map(int, job.wildcards.scatteritem.split("-of-"))
    with h5py.File(job.input.fit, "r") as fit, create_h5(job.output[0]) as out:
        n_genes = len(fit["coefficients_reference"])
        genes = slice(n_genes * (number - 1) // chunks, n_genes * number // chunks)
        reference, compared, between = read_coefficients(fit, genes)
        arrays, attributes = read_arrays(job.input.fit, "whitener", "phi_mean")
        difference, signal = compared - reference, read_signal(job.input.fit).of_genes(genes)
        if job.input.get("noise"):
            found = distances_under_noise(job.input, genes, difference, between)
        else:
            found = distances(arrays["whitener"], signal, difference, between)
        out["start"] = genes.start
        out["mahalanobis"] = found
        out["mean_lfc"] = arrays["phi_mean"] @ difference
        out["neg_log10_ptp"] = neg_log10_ptp(found, attributes["n_components"])
        layers = {}
        if "smoothed" in job.params.layers:
            layers |= {"smoothed_reference": reference, "smoothed_compared": compared}
        if "fold_change" in job.params.layers:
            layers["fold_change"] = difference
        write_layers(out, fit["phi"], layers)
        if "fold_change_zscores" in job.params.layers:
            write_zscores(out, fit, signal, difference, between)


def distances_under_noise(paths, genes, difference, between):
    """Distances over the cells of both conditions, with the noise of each gene there."""
    members, _ = read_arrays(paths.cells, *ROLES)
    fit, attributes = read_arrays(paths.fit, "phi")
    with h5py.File(paths.noise, "r") as file:
        noise = [file[f"noise_{role}"][genes].T for role in ROLES]
    phi = fit["phi"][members["reference"] | members["compared"]]
    settings = attributes["sigma"], between, attributes["covariance"]
    return mahalanobis_noise(phi, read_posteriors(paths.fit), noise, difference, *settings)


if __name__ == "__main__":
    run(main, snakemake)
