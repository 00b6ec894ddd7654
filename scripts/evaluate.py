"""Compare a contrast of the simulated data with the simulated truth."""

import json

import h5py
from _job import run
from anndata.io import read_elem
from statediff.conventions import LN2
from statediff.disk import atomic
from statediff.significance import rank_genes
from statediff.simulate import compare_with_truth
from statediff.store import read_arrays


def main(job):
    with h5py.File(job.input.truth, "r") as truth:
        change = read_elem(truth["var"])["true_change"].astype(str).to_numpy()
        true_lfc = read_elem(truth["obs"])["true_abundance_lfc"].to_numpy()
    genes, fdr = read_arrays(job.input.fdr)
    ranked, lfc = rank_genes(genes, fdr["ranking"]), read_arrays(job.input.abundance, "lfc")[0]
    threshold = job.params.lfc_threshold * LN2
    result = compare_with_truth(change, true_lfc, lfc["lfc"], ranked, genes["is_de"], threshold)
    with atomic(job.output[0]) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
