"""Cell states: Palantir's diffusion maps, or a key that the file already holds."""

import numpy as np
from _job import run
from anndata.io import read_elem
from statediff.store import open_h5ad, write_arrays


def main(job):
    compute = job.params.states["compute"]
    with open_h5ad(job.input[0]) as store:
        key = job.params.states["key"] if compute is None else compute["from"]
        coordinates = read_elem(store[f"obsm/{key}"])
    attributes = {"key": job.params.states["key"]}
    if compute is None:
        arrays = {"states": coordinates}
    else:
        arrays = diffusion_maps(coordinates, compute)
        attributes |= compute
    write_arrays(job.output[0], arrays, **attributes)


def diffusion_maps(coordinates, compute):
    from anndata import AnnData
    from palantir.utils import run_diffusion_maps

    adata = AnnData(obsm={"coordinates": coordinates}, shape=(len(coordinates), 0))
    run_diffusion_maps(
        adata,
        pca_key="coordinates",
        n_components=compute["n_components"],
        knn=compute["knn"],
        alpha=0,
        seed=compute["seed"],
    )
    return {
        "states": np.asarray(adata.obsm["DM_EigenVectors"], dtype=np.float64),
        "eigenvalues": np.asarray(adata.uns["DM_EigenValues"], dtype=np.float64),
    }


run(main, snakemake)
