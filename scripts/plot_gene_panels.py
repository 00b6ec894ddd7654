"""Smoothed expression, fold change and its uncertainty on the embedding, a row per gene."""

from _figure import conditions, coordinates, run
from _genes import chosen_genes
from _smoothed import smoothed
from statediff.plots import gene_panels


def draw(job):
    xy, axis_names = coordinates(job)
    genes = chosen_genes(job, job.params.panel_genes)
    before, after, _, spread = smoothed(job.input.fit, list(genes.values()))
    rows = {name: (before[:, i], after[:, i], spread[:, i]) for i, name in enumerate(genes)}
    return gene_panels(
        xy,
        rows,
        conditions=conditions(job),
        axis_names=axis_names,
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
