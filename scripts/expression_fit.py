"""Fit both conditions of a contrast: precisions, coefficients, signal and noise of all genes."""

import h5py
from _basis import COPIED, read_basis
from _job import run
from _states import read_states
from statediff.basis_values import Evaluated, phi_blocks
from statediff.device import place
from statediff.disk import create_h5
from statediff.expression_fit import fit_conditions
from statediff.store import add_arrays, read_arrays, row_blocks


def main(job):
    place(job.config["gp"]["device"])
    members, _ = read_arrays(job.input.cells)
    basis, parts, described = read_basis(job.input.basis)
    states, _ = read_states(job.input.states, described["metric"])
    constant, how = job.params.sigma is None, (job.params.sigma, job.params.covariance)
    with h5py.File(job.input.store, "r") as store, create_h5(job.output[0]) as out:
        # In the file, from which it is read block by block.
        values = Evaluated(basis, states, constant)
        phi = out.create_dataset("phi", values.shape, "f8")
        for rows, block in phi_blocks(values):
            phi[rows] = block
        cells = phi, states, members, row_blocks(store["X"])
        arrays, attributes = fit_conditions(*cells, basis, job.params.contrast, *how)
        copied = {name: parts[name] for name in COPIED if name in parts}
        add_arrays(out, copied | arrays, **described, **attributes)


if __name__ == "__main__":
    run(main, snakemake)
