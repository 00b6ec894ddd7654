"""Heatmap of measured expression over cell types and conditions."""

from _figure import condition_colors, conditions, run
from _genes import chosen_genes, measured, shown_types
from statediff.plots import gene_heatmap
from statediff.store import read_arrays
from statediff.tables import standardised_levels

ROLES = ("reference", "compared")


def draw(job):
    genes = chosen_genes(job, job.params.heatmap_genes)
    members, _ = read_arrays(job.input.cells, *ROLES)
    types = shown_types(job)
    masks = dict(zip(conditions(job), members.values(), strict=True))
    return gene_heatmap(
        standardised_levels(measured(job, genes), genes, types, masks),
        label="Mean expression\n(z-score of the gene)",
        conditions=conditions(job),
        colors=condition_colors(job),
        cells=[
            ((types == name) & members[role]).sum() for name in types.categories for role in ROLES
        ],
        percentile=job.params.percentile,
    )


if __name__ == "__main__":
    run(draw, snakemake)
