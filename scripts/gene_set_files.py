"""Gene sets of GMT files, those with genes of the data; files about other genes are refused."""

import json
from pathlib import Path

import h5py
from _job import run
from anndata.io import read_elem
from statediff import InputError
from statediff.disk import atomic
from statediff.enrichment import parse_gmt
from statediff.store import described


def main(job):
    with h5py.File(job.input.store, "r") as store:
        genes = set(read_elem(store["var"]).index)
    # A single file is given as text, not as a list.
    paths = [job.input.gmt] if isinstance(job.input.gmt, str) else job.input.gmt
    sets = {Path(path).stem: read(path) for path in paths}
    members = set()
    for path in paths:
        named = {gene for entry in sets[Path(path).stem].values() for gene in entry["genes"]}
        members |= named
        print(f"{path}: {len(named):,} genes, {len(named & genes):,} of them in the data")
        if not named & genes:
            raise InputError(
                f"enrichment.gmt: {path}: none of its {len(named):,} genes (such as "
                f"{min(named)[:40]!r}) is in the data, which has {min(genes)[:40]!r}; expected the "
                "same kind of names, and the same species"
            )
    settings = job.params.enrichment
    if settings["background"] == "genome" and settings["genome_genes"] < len(members):
        raise InputError(
            f"enrichment.genome_genes: found {settings['genome_genes']:,}, expected the number of "
            f"genes of the whole genome; the files of enrichment.gmt name {len(members):,}"
        )
    with atomic(job.output[0]) as part:
        part.write_text(
            json.dumps({"files": list(map(described, paths)), "sets": sets}), encoding="utf-8"
        )


def read(path):
    try:
        return parse_gmt(Path(path).read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InputError(f"enrichment.gmt: {path} is no text ({error})") from error


run(main, snakemake)
