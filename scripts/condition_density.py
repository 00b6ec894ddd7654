"""Density of one condition at every cell: of its cells, and how it varies between replicates."""

import numpy as np
from _job import run
from _states import read_states
from statediff.basis_values import Evaluated
from statediff.density import fit_density
from statediff.device import place
from statediff.observations import StoredObservations, cells_of_condition
from statediff.store import open_h5ad, write_arrays


def main(job):
    place(job.config["gp"]["device"])
    gp, uncertainty = job.params.gp, job.params.uncertainty
    with open_h5ad(job.input.store) as store:
        cells, replicates = cells_of_condition(StoredObservations(store), **job.params.condition)
    states, _ = read_states(job.input.states, gp["metric"])
    # A length scale that is given or learnt is that of expression: the published rule holds here.
    options = {key: gp[key] for key in ("ls_factor", "tol", "max_rank") if gp[key] is not None}
    density = fit_density(states[cells], uncertainty=uncertainty, **options)
    phi = Evaluated(density.basis, states)
    arrays = {"log_density": density(phi), "variance": density.variance(phi)}
    if len(replicates) >= 2:
        fits = (fit_density(states[members], **options) for members in replicates)
        arrays["between"] = np.var(
            [fit(Evaluated(fit.basis, states)) for fit in fits], axis=0, ddof=1
        )
    write_arrays(job.output[0], arrays, **density.described())


if __name__ == "__main__":
    run(main, snakemake)
