"""Length scale of a contrast, learnt from expression or given, and the basis of its kernel."""

import warnings

import h5py
from _fit import write_basis
from _job import run
from _states import read_states
from statediff import DataWarning
from statediff.basis import build_basis
from statediff.neighbours import length_scale, nearest_distances
from statediff.smoothness import choose_cells, fraction, learn_scale, length_scales
from statediff.store import read_arrays, read_rows

# Times the tolerance of a learnt length scale up to which distances change by less than 1 %.
TOLERABLE = 20.0


def main(job):
    gp = job.params.gp
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    states, metric = read_states(job.input.states, gp["metric"])
    trained = members["reference"] | members["compared"]
    ls, smoothness = gp["ls"], None
    if ls is None and gp["ls_factor"] is not None:
        ls = length_scale(nearest_distances(states[members["reference"]]), gp["ls_factor"])
    elif ls is None:
        cells = choose_cells(trained)
        with h5py.File(job.input.store, "r") as store:
            smoothness = learn_scale(states[cells], read_rows(store["X"], cells))
        ls = length_scales(smoothness.ls)
        if smoothness.at_end:
            warnings.warn(
                "expression hardly follows the cell states: no length scale explains it better "
                "than a constant, or the best is the largest or smallest that is allowed (now "
                f"{fraction(smoothness.ls / smoothness.extent)} times the extent of the states); "
                "expected other states (dataset.cell_states), or a length scale of your own "
                "(gp.ls): see docs/warnings.md#length-scale",
                DataWarning,
                stacklevel=1,
            )
    noise = 1.0 if gp["sigma"] is None else gp["sigma"]
    linear = gp["kernel"] == "matern52+linear"
    tol = smoothness.tolerance(int(trained.sum())) if gp["tol"] is None else gp["tol"]
    enough = None if smoothness is None else TOLERABLE * tol
    basis = build_basis(states[trained], ls, tol, gp["max_rank"], noise, linear, enough)
    write_basis(
        job.output[0],
        basis,
        smoothness,
        tol=tol,
        kernel=gp["kernel"],
        metric=metric,
        n_components=states.shape[1],
    )


run(main, snakemake)
