"""False discovery rates of the genes of a contrast."""

import json

import h5py
import numpy as np
from _job import run
from statediff.inputs import find_genes
from statediff.rates import RANKING, rates_of_genes, read_null_distances
from statediff.store import described, read_arrays, read_names, write_arrays

GENE_STATISTICS = ("mahalanobis", "mean_lfc", "neg_log10_ptp")


def main(job):
    test, external = job.params.fdr["test"], job.input.get("external")
    with h5py.File(job.input.genes[0], "r") as chunk:
        # Kompot seldom writes the last.
        names = [name for name in GENE_STATISTICS if name in chunk]
    chunks = [read_arrays(path, "start", *names)[0] for path in job.input.genes]
    chunks.sort(key=lambda chunk: chunk["start"])
    genes = {name: np.concatenate([c[name] for c in chunks]) for name in names}
    null = read_arrays(job.input.null)[0] if job.input.get("null") else {}
    if test == "labels":
        null = null["mahalanobis"]
    elif test != "residual":
        null = genes["null_distances"] = null_distances(job, null, genes["mahalanobis"])
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


def null_distances(job, shuffled, distances):
    """Distances of shuffled genes, of a table, and of genes known not to change."""
    null = [shuffled["mahalanobis"]] if shuffled else []
    if job.input.get("external"):
        null.append(read_null_distances(job.input.external, "fdr.external.distances"))
    if job.params.null_genes:
        with h5py.File(job.input.store, "r") as store:
            names = read_names(store["var"])
        null.append(distances[find_genes(names, job.params.null_genes, "fdr.external.genes")])
    return np.concatenate(null)


if __name__ == "__main__":
    run(main, snakemake)
