"""Cell states: Palantir's diffusion maps, or a key that the file already holds."""

import h5py
from _job import run
from statediff.states import diffusion_maps, known_eigenvalues
from statediff.store import open_h5ad, read_arrays, write_arrays

# Where Palantir leaves the eigenvalues of its components.
EIGENVALUES = "uns/DM_EigenValues"


def main(job):
    compute = job.params.states["compute"]
    if job.input.integrated:
        coordinates = read_arrays(job.input.integrated)[0]["coordinates"]
    else:
        with open_h5ad(job.input.store) as store:
            key = job.params.states["key"] if compute is None else compute["from"]
            coordinates = store[f"obsm/{key}"][:]
            # Anything may be there, such as a dict.
            found = store.get(EIGENVALUES)
            stored = found[()] if isinstance(found, h5py.Dataset) else None
    if compute is None:
        eigenvalues = known_eigenvalues(stored, coordinates.shape[1])
        arrays = {"states": coordinates}
        arrays |= {} if eigenvalues is None else {"eigenvalues": eigenvalues}
    else:
        how = {key: compute[key] for key in ("n_components", "knn", "seed")}
        option = "dataset.cell_states.compute"
        found = diffusion_maps(coordinates, metric=job.params.metric, option=option, **how)
        arrays = dict(zip(("states", "eigenvalues"), found, strict=True))
    write_arrays(job.output[0], arrays)


if __name__ == "__main__":
    run(main, snakemake)
