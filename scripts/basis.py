"""Length scale of a contrast, learnt from expression or given, and the basis of its kernel."""

import h5py
from _basis import write_basis
from _job import run
from _states import read_states
from statediff.device import place
from statediff.expression_fit import choose_basis
from statediff.store import read_arrays, read_rows


def main(job):
    place(job.config["gp"]["device"])
    gp = job.params.gp
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    states, metric = read_states(job.input.states, gp["metric"])
    with h5py.File(job.input.store, "r") as store:
        basis, smoothness, tol = choose_basis(
            states, members, lambda cells: read_rows(store["X"], cells), gp
        )
    described = {"tol": tol, "kernel": gp["kernel"], "metric": metric}
    write_basis(job.output[0], basis, smoothness, **described, n_components=states.shape[1])


if __name__ == "__main__":
    run(main, snakemake)
