"""The fit of a contrast: its basis, length scale, degrees of freedom and signal-to-noise ratios."""

from _figure import condition_colors, conditions, run
from _smoothed import read_description
from statediff.plots import fit_overview


def draw(job):
    numbers = read_description(job.input)
    return fit_overview(**numbers, conditions=conditions(job), colors=condition_colors(job))


if __name__ == "__main__":
    run(draw, snakemake)
