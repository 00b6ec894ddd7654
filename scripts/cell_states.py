"""Cell states: Palantir's diffusion maps, or a key that the file already holds."""

import numpy as np
from _inputs import check_finite
from _job import run
from statediff import InputError
from statediff.store import open_h5ad, read_arrays, write_arrays

# Where Palantir leaves the eigenvalues of its components.
EIGENVALUES = "uns/DM_EigenValues"
# Components from which on diffusion distances hardly change.
ENOUGH = 40


def main(job):
    compute = job.params.states["compute"]
    if job.input.integrated:
        coordinates = read_arrays(job.input.integrated)[0]["coordinates"]
    else:
        with open_h5ad(job.input.store) as store:
            key = job.params.states["key"] if compute is None else compute["from"]
            coordinates = store[f"obsm/{key}"][:]
            eigenvalues = known_eigenvalues(store, coordinates) if compute is None else {}
    if compute is None:
        arrays = {"states": coordinates} | eigenvalues
        wanted = coordinates.shape[1]
    else:
        wanted = compute["n_components"]
        arrays = diffusion_maps(coordinates, compute, job.params.metric)
    # Those beyond the wanted ones enter distances and nothing else.
    write_arrays(job.output[0], arrays, n_components=wanted)


def known_eigenvalues(store, components):
    """Eigenvalues of components that the file holds, if they are there, one for each."""
    values = np.asarray(store[EIGENVALUES][:] if EIGENVALUES in store else [])
    fits = values.ndim == 1 and len(values) == components.shape[1]
    return {"eigenvalues": values} if fits and np.isfinite(values).all() else {}


def diffusion_maps(coordinates, compute, metric):
    from anndata import AnnData
    from palantir.utils import run_diffusion_maps

    n_cells = len(coordinates)
    for key in ("knn", "n_components"):
        if compute[key] >= n_cells:
            raise InputError(
                f"dataset.cell_states.compute.{key}: found {compute[key]}, expected fewer than the "
                f"{n_cells} cells"
            )
    count = compute["n_components"]
    if metric == "diffusion":
        count = min(max(count, ENOUGH), n_cells - 1)
    adata = AnnData(obsm={"coordinates": coordinates}, shape=(len(coordinates), 0))
    run_diffusion_maps(
        adata,
        pca_key="coordinates",
        n_components=count,
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
