"""The fit of a contrast: its basis, length scale, degrees of freedom and signal-to-noise ratios."""

import numpy as np
from _figure import condition_colors, conditions, run
from _fit import read_posteriors, read_signal
from _states import read_states
from statediff.neighbours import sampled_distances
from statediff.plots import fit_overview
from statediff.smoothness import LEVELS
from statediff.store import read_arrays

# Cells whose distance to their neighbour is shown.
SHOWN = 5000


def draw(job):
    fit, attributes = read_arrays(job.input.fit, "eigenvalues")
    signal = read_signal(job.input.fit)
    rho = signal.typical()
    shares = [rho * posterior.eigenvalues for posterior in read_posteriors(job.input.fit)]
    evidence = (
        read_arrays(job.input.fit, "multiples", "evidence")[0] if attributes["learnt"] else {}
    )
    # Nothing was compared where no gene varies.
    if evidence and len(evidence["multiples"]):
        per_gene = evidence["evidence"] / max(attributes["evidence_genes"], 1)
        scale = {"evidence": (evidence["multiples"], per_gene)}
    else:
        members, _ = read_arrays(job.input.cells, "reference")
        states, _ = read_states(job.input.states, attributes["metric"])
        scale = {"distances": sampled_distances(states[members["reference"]], SHOWN)}
    if "sigma" not in attributes:
        of_genes = signal.levels[signal.level]
        scale["signal"] = LEVELS, [np.count_nonzero(of_genes == level) for level in LEVELS]
    return fit_overview(
        rho * fit["eigenvalues"],
        residual=attributes["residual_max"],
        tol=attributes["tol"],
        ls=attributes["ls"],
        freedom=[np.sort(share / (1.0 + share))[::-1] for share in shares],
        conditions=conditions(job),
        colors=condition_colors(job),
        **scale,
    )


if __name__ == "__main__":
    run(draw, snakemake)
