"""Density of the cells of both conditions together, divided between the conditions."""

from pathlib import Path

from _basis import read_basis
from _job import run
from _states import read_states
from statediff.abundance_fit import fit_abundance
from statediff.device import place
from statediff.store import read_arrays, write_arrays


def main(job):
    place(job.config["gp"]["device"])
    basis, _, known = read_basis(job.input.basis)
    states, _ = read_states(job.input.states, known["metric"])
    cells = read_arrays(job.input.cells)
    folder = Path(job.output[0]).parent
    arrays, attributes = fit_abundance(states, *cells, basis, job.params.gp, folder)
    write_arrays(job.output[0], arrays, **attributes)


if __name__ == "__main__":
    run(main, snakemake)
