"""Two coordinates to draw the cells at: a key in the file, or scanpy's UMAP."""

from _job import run
from anndata.io import read_elem
from statediff import InputError
from statediff.store import open_h5ad, write_arrays


def main(job):
    embedding = job.params.embedding
    compute = embedding["compute"]
    with open_h5ad(job.input[0]) as store:
        key = embedding["key"] if compute is None else compute["from"]
        coordinates = read_elem(store[f"obsm/{key}"])
    if compute is not None:
        coordinates = umap(coordinates, compute)
    elif coordinates.shape[1] < 2:
        raise InputError(f"dataset.embedding.key: {key!r} has one column, expected two")
    write_arrays(job.output[0], {"embedding": coordinates[:, :2]}, key=embedding["key"])


def umap(coordinates, compute):
    import scanpy
    from anndata import AnnData

    adata = AnnData(obsm={"X": coordinates}, shape=(len(coordinates), 0))
    scanpy.pp.neighbors(
        adata, n_neighbors=compute["n_neighbors"], use_rep="X", random_state=compute["seed"]
    )
    scanpy.tl.umap(adata, random_state=compute["seed"])
    return adata.obsm["X_umap"]


run(main, snakemake)
