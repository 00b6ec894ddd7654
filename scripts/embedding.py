"""Two coordinates to draw the cells at: a key in the file, or scanpy's UMAP."""

from _job import run
from statediff import InputError
from statediff.inputs import read_obsm
from statediff.source import open_source
from statediff.store import read_arrays, write_arrays


def main(job):
    compute, option = job.params.embedding["compute"], "dataset.embedding"
    with open_source(job.input.source, job.params.modality) as source:
        if compute is None:
            coordinates = read_obsm(source, job.params.embedding["key"], f"{option}.key")
        elif not job.input.integrated:
            start = read_obsm(source, compute["from"], f"{option}.compute.from")
    if compute is not None:
        from statediff.embedding import umap  # scanpy takes seconds

        if job.input.integrated:
            start = read_arrays(job.input.integrated)[0]["coordinates"]
        coordinates = umap(start, compute["n_neighbors"], compute["seed"], f"{option}.compute")
    if coordinates.shape[1] < 2:
        key = job.params.embedding["key"]
        raise InputError(f"{option}.key: {key!r} has one column, expected 2")
    write_arrays(job.output[0], {"embedding": coordinates})


if __name__ == "__main__":
    run(main, snakemake)
