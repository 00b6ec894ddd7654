"""Two coordinates to draw the cells at: a key in the file, or scanpy's UMAP."""

from _job import run
from statediff import InputError
from statediff.inputs import check_finite, read_obsm
from statediff.source import open_source
from statediff.store import read_arrays, write_arrays


def main(job):
    embedding = job.params.embedding
    compute = embedding["compute"]
    with open_source(job.input.source, job.params.modality) as source:
        if compute is None:
            coordinates = read_obsm(source, embedding["key"], "dataset.embedding.key")
        elif not job.input.integrated:
            start = read_obsm(source, compute["from"], "dataset.embedding.compute.from")
    if compute is not None:
        if job.input.integrated:
            start = read_arrays(job.input.integrated)[0]["coordinates"]
        coordinates = umap(start, compute)
    if coordinates.shape[1] < 2:
        raise InputError(f"dataset.embedding.key: {embedding['key']!r} has one column, expected 2")
    write_arrays(job.output[0], {"embedding": coordinates})


def umap(coordinates, compute):
    import scanpy
    from anndata import AnnData

    n_neighbors = compute["n_neighbors"]
    if n_neighbors >= len(coordinates):
        raise InputError(
            f"dataset.embedding.compute.n_neighbors: found {n_neighbors}, expected fewer than the "
            f"{len(coordinates)} cells"
        )
    adata = AnnData(obsm={"X": coordinates}, shape=(len(coordinates), 0))
    scanpy.pp.neighbors(adata, n_neighbors=n_neighbors, use_rep="X", random_state=compute["seed"])
    scanpy.tl.umap(adata, random_state=compute["seed"])
    check_finite(adata.obsm["X_umap"], "dataset.embedding.compute: the UMAP")
    return adata.obsm["X_umap"]


if __name__ == "__main__":
    run(main, snakemake)
