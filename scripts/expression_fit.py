"""Fit both conditions of a contrast: precisions, coefficients, signal and noise of all genes."""

import h5py
from _basis import COPIED, read_basis
from _job import run
from _states import read_states
from statediff.device import place
from statediff.expression_fit import fit_conditions
from statediff.store import read_arrays, row_blocks, write_arrays


def main(job):
    place(job.config["gp"]["device"])
    members, _ = read_arrays(job.input.cells)
    basis, parts, described = read_basis(job.input.basis)
    states, _ = read_states(job.input.states, described["metric"])
    with h5py.File(job.input.store, "r") as store:
        blocks, contrast = row_blocks(store["X"]), job.params.contrast
        how = job.params.sigma, job.params.covariance
        arrays, attributes = fit_conditions(states, members, blocks, basis, contrast, *how)
    copied = {name: parts[name] for name in COPIED if name in parts}
    write_arrays(job.output[0], copied | arrays, **described, **attributes)


if __name__ == "__main__":
    run(main, snakemake)
