"""Cell states: Palantir's diffusion maps, or a key that the file already holds."""

import numpy as np
from _inputs import check_finite
from _job import run
from statediff import InputError
from statediff.store import open_h5ad, write_arrays


def main(job):
    compute = job.params.states["compute"]
    with open_h5ad(job.input[0]) as store:
        key = job.params.states["key"] if compute is None else compute["from"]
        coordinates = store[f"obsm/{key}"][:]
    arrays = {"states": coordinates} if compute is None else diffusion_maps(coordinates, compute)
    write_arrays(job.output[0], arrays)


def diffusion_maps(coordinates, compute):
    from anndata import AnnData
    from palantir.utils import run_diffusion_maps

    n_cells = len(coordinates)
    for key in ("knn", "n_components"):
        if compute[key] >= n_cells:
            raise InputError(
                f"dataset.cell_states.compute.{key}: found {compute[key]}, expected fewer than the "
                f"{n_cells} cells"
            )
    adata = AnnData(obsm={"coordinates": coordinates}, shape=(len(coordinates), 0))
    run_diffusion_maps(
        adata,
        pca_key="coordinates",
        n_components=compute["n_components"],
        knn=compute["knn"],
        alpha=0,
        seed=compute["seed"],
    )
    check_finite(np.asarray(adata.obsm["DM_EigenVectors"]), "dataset.cell_states.compute: the map")
    return {
        "states": np.asarray(adata.obsm["DM_EigenVectors"], dtype=np.float64),
        "eigenvalues": np.asarray(adata.uns["DM_EigenValues"], dtype=np.float64),
    }


run(main, snakemake)
