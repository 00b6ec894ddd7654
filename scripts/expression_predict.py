"""Statistics, and layers where asked for, of one chunk of genes."""

import h5py
from _fit import ROLES, read_coefficients, read_noise, read_posteriors, read_signal
from _job import run
from statediff.disk import create_h5
from statediff.expression import distances, neg_log10_ptp
from statediff.layers import write_layers
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
        change, signal = compared - reference, read_signal(job.input.fit).of_genes(genes)
        if noise := read_noise(job.input.get("noise"), genes):
            members, _ = read_arrays(job.input.cells, *ROLES)
            phi = fit["phi"][:][members["reference"] | members["compared"]]
            settings = attributes["sigma"], between, attributes["covariance"]
            found = mahalanobis_noise(phi, read_posteriors(job.input.fit), noise, change, *settings)
        else:
            found = distances(arrays["whitener"], signal, change, between)
        out["start"] = genes.start
        out["mahalanobis"] = found
        out["mean_lfc"] = arrays["phi_mean"] @ change
        out["neg_log10_ptp"] = neg_log10_ptp(found, attributes["n_components"])
        write_layers(out, fit, job.params.layers, signal, reference, compared, between)


if __name__ == "__main__":
    run(main, snakemake)
