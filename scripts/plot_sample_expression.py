"""Expression of genes in each sample and cell type."""

import numpy as np
from _figure import condition_colors, conditions, run
from _genes import changed_types, chosen_genes, shown_types
from _values import open_values
from statediff.normalisation import counts_per_10000
from statediff.plots import sample_expression
from statediff.samples import number_samples
from statediff.store import read_arrays, read_columns
from statediff.tables import sample_table


def draw(job):
    genes, types = chosen_genes(job, job.params.panel_genes), shown_types(job)
    members, size_factors = read_arrays(job.input.cells)[0], read_arrays(job.input.fdr)[0]
    cells, numbers, design = number_samples(members)
    samples = np.full(len(types), -1)
    samples[cells] = numbers
    with open_values(job.input) as (matrix, normalisation):
        factors = normalisation.of_samples(members, size_factors.get("sample_factors"))
        values = read_columns(matrix, list(genes.values()))
    values = counts_per_10000(values, normalisation.transform, factors)
    table = sample_table(values, list(genes), types, samples, design.conditions, design.pairs)
    return sample_expression(
        table,
        [name for name in types.categories if (table["cell_type"] == name).any()],
        conditions=conditions(job),
        colors=condition_colors(job),
        significant=changed_types(job, genes, types.categories),
    )


if __name__ == "__main__":
    run(draw, snakemake)
