"""False discovery rates of the genes of a contrast."""

import json

import h5py
import numpy as np
from _inputs import find_genes
from _job import run
from statediff import InputError
from statediff.messages import listed
from statediff.significance import called_genes, false_discovery_rates, permutation_test
from statediff.store import described, read_arrays, read_names, write_arrays

GENE_STATISTICS = ("mahalanobis", "mean_lfc", "neg_log10_ptp")
# What ranks the genes under each null.
RANKING = {
    "residual": "pvalue",
    "labels": "standardised",
    "genes": "mahalanobis",
    "external": "mahalanobis",
}


def main(job):
    settings = job.params.fdr
    with h5py.File(job.input.genes[0], "r") as chunk:
        # Kompot seldom writes the last.
        names = [name for name in GENE_STATISTICS if name in chunk]
    chunks = [read_arrays(path, "start", *names)[0] for path in job.input.genes]
    chunks.sort(key=lambda chunk: chunk["start"])
    genes = {name: np.concatenate([c[name] for c in chunks]) for name in names}
    distances = genes["mahalanobis"]
    match settings["test"]:
        case "residual":
            rates = called_genes(read_arrays(job.input.null)[0], settings["threshold"])
        case "labels":
            permuted = read_arrays(job.input.null)[0]["mahalanobis"]
            rates = called_genes(permutation_test(distances, permuted), settings["threshold"])
        case _:
            null = null_distances(job, distances)
            genes["null_distances"] = null
            try:
                rates = false_discovery_rates(
                    distances, null, settings["threshold"], settings["gaps"]
                )
            except ValueError as error:
                raise InputError(
                    f"{error} (dataset.layer, contrasts.{job.wildcards.contrast})"
                ) from error
    external = job.input.get("external")
    write_arrays(
        job.output[0],
        genes | rates,
        **({"external": json.dumps(described(external))} if external else {}),
        test=settings["test"],
        ranking=RANKING[settings["test"]],
        threshold=settings["threshold"],
        n_de=int(rates["is_de"].sum()),
        mahalanobis_threshold=float(distances[rates["is_de"]].min(initial=np.inf)),
        gaps=settings["gaps"],
    )


def null_distances(job, distances):
    """Distances of shuffled genes, of a table, and of genes known not to change."""
    null = []
    if job.input.get("null"):
        null.append(read_arrays(job.input.null, "mahalanobis")[0]["mahalanobis"])
    if job.input.get("external"):
        null.append(read_table(job.input.external))
    if job.params.null_genes:
        with h5py.File(job.input.store, "r") as store:
            names = read_names(store["var"])
        null.append(distances[find_genes(names, job.params.null_genes, "fdr.external.genes")])
    return np.concatenate(null)


def read_table(path):
    """Distances of null genes from a TSV with a column of that name."""
    import pandas as pd

    table = pd.read_csv(path, sep="\t")
    if "mahalanobis" not in table:
        raise InputError(
            f"fdr.external.distances: {path} has the columns {listed(table.columns)}; expected "
            "one named mahalanobis"
        )
    values = pd.to_numeric(table["mahalanobis"], errors="coerce").to_numpy()
    if not (values >= 0).all() or not np.isfinite(values).all():
        raise InputError(
            f"fdr.external.distances: {path} has distances that are not finite numbers ≥ 0"
        )
    return values


run(main, snakemake)
