"""Gene sets of GMT files that contain genes of the data; files with other genes raise an error."""

import json

import h5py
from _job import run
from statediff import InputError
from statediff.disk import atomic
from statediff.enrichment import read_gene_sets
from statediff.store import described, read_names


def main(job):
    with h5py.File(job.input.store, "r") as store:
        genes = set(read_names(store["var"]))
    # A single file is given as text, not as a list.
    paths = [job.input.gmt] if isinstance(job.input.gmt, str) else job.input.gmt
    sets, settings = read_gene_sets(paths, genes), job.params.enrichment
    members = {g for file in sets.values() for entry in file.values() for g in entry["genes"]}
    if settings["background"] == "genome" and settings["genome_genes"] < len(members):
        raise InputError(
            f"enrichment.genome_genes: found {settings['genome_genes']:,}, expected the number of "
            f"genes of the whole genome; the files of enrichment.gmt name {len(members):,}"
        )
    with atomic(job.output[0]) as part:
        part.write_text(
            json.dumps({"files": list(map(described, paths)), "sets": sets}), encoding="utf-8"
        )


if __name__ == "__main__":
    run(main, snakemake)
