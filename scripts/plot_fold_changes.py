"""Heatmap of fold changes of genes over cell types."""

from _figure import conditions, run
from _genes import changed_types, chosen_genes, fold_changes, shown_types
from statediff.plots import gene_heatmap
from statediff.plots.style import short


def draw(job):
    genes, types = chosen_genes(job, job.params.heatmap_genes), shown_types(job)
    reference, compared = (short(name, 25) for name in conditions(job))
    return gene_heatmap(
        fold_changes(job, genes, types),
        label=f"Mean log fold change\n{compared} − {reference}\n(units of the layer)",
        significant=changed_types(job, genes, types.categories),
        percentile=job.params.percentile,
    )


run(draw, snakemake)
