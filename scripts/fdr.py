"""False discovery rates of the genes of a contrast."""

import json

import h5py
import numpy as np
from _job import run
from statediff.rates import RANKING, distances_of_null_genes, rates_of_genes
from statediff.store import described, read_arrays, read_chunks, read_names, write_arrays

# Of these Kompot seldom writes the last.
GENE_STATISTICS = ("mahalanobis", "mean_lfc", "neg_log10_ptp")


def main(job):
    test, external = job.params.fdr["test"], job.input.get("external")
    genes = read_chunks(job.input.genes, GENE_STATISTICS)
    null = read_arrays(job.input.null)[0] if job.input.get("null") else {}
    if test == "labels":
        null = null["mahalanobis"]
    elif test != "residual":
        shuffled, unchanged, names = null.get("mahalanobis"), job.params.null_genes, None
        if unchanged:
            with h5py.File(job.input.store, "r") as store:
                names = read_names(store["var"])
        of_null = shuffled, external, unchanged, genes["mahalanobis"], names
        null = genes["null_distances"] = distances_of_null_genes(*of_null)
    option = f"dataset.layer, contrasts.{job.wildcards.contrast}"
    rates = rates_of_genes(genes["mahalanobis"], null, job.params.fdr, option)
    write_arrays(
        job.output[0],
        genes | rates,
        **({"external": json.dumps(described(external))} if external else {}),
        test=test,
        ranking=RANKING[test],
        threshold=job.params.fdr["threshold"],
        n_de=int(rates["is_de"].sum()),
        mahalanobis_threshold=float(genes["mahalanobis"][rates["is_de"]].min(initial=np.inf)),
        gaps=job.params.fdr["gaps"],
    )


if __name__ == "__main__":
    run(main, snakemake)
