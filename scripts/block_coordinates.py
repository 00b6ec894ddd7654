"""Coordinates in which blocks of cells are found, from the source: any null may want others."""

from _job import run
from statediff.inputs import read_obsm
from statediff.source import open_source
from statediff.store import write_arrays


def main(job):
    with open_source(job.input[0], job.params.modality) as source:
        coordinates = read_obsm(source, job.params.key, "fdr.blocks_from")
    write_arrays(job.output[0], {"coordinates": coordinates})


if __name__ == "__main__":
    run(main, snakemake)
