"""Density of one condition at every cell: of its cells, and how it varies between replicates."""

import numpy as np
from _cells import select
from _inputs import read_column
from _job import run
from anndata.io import read_elem
from statediff.density import fit_density
from statediff.store import open_h5ad, read_arrays, write_arrays


def main(job):
    gp, uncertainty = job.params.gp, job.params.uncertainty
    with open_h5ad(job.input.store) as store:
        cells, replicates = find_cells(read_elem(store["obs"]), **job.params.condition)
    states = read_arrays(job.input.states, "states")[0]["states"]
    options = {"ls_factor": gp["ls_factor"], "tol": gp["tol"], "max_rank": gp["max_rank"]}
    density = fit_density(states[cells], uncertainty=uncertainty, **options)
    phi = density.basis(states)
    arrays = {"log_density": density(phi), "variance": density.variance(phi)}
    if len(replicates) >= 2:
        fits = (fit_density(states[members], **options) for members in replicates)
        arrays["between"] = np.var([fit(fit.basis(states)) for fit in fits], axis=0, ddof=1)
    write_arrays(job.output[0], arrays, **density.described())


def find_cells(obs, column, level, cells, sample, min_cells):
    """Mask of the condition's cells, and one for each of its replicates that counts."""
    members = select(obs, cells or {}, "contrasts") & select(obs, {column: level}, "contrasts")
    if sample is None:
        return members, []
    codes = read_column(obs, sample, "contrasts")
    sizes = codes[members].value_counts()
    names = sorted(sizes.index[sizes >= min_cells])
    return members, [members & (codes == name).to_numpy() for name in names]


run(main, snakemake)
