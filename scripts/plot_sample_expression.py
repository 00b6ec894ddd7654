"""Expression of genes in each sample and cell type."""

import numpy as np
import pandas as pd
from _figure import condition_colors, conditions, run
from _genes import changed_types, chosen_genes, shown_types
from _values import open_values
from statediff.linear import linear_blocks
from statediff.plots import sample_expression
from statediff.samples import number_samples
from statediff.store import read_arrays, read_columns


def draw(job):
    genes, types = chosen_genes(job, job.params.panel_genes), shown_types(job)
    members, _ = read_arrays(job.input.cells)
    cells, samples, design = number_samples(members)
    values = counts_per_10000(job, list(genes.values()))[cells]
    inside = pd.DataFrame({"sample": samples, "cell_type": types[cells]})
    groups = inside.groupby(["sample", "cell_type"], observed=True)
    parts = []
    for (sample, name), rows in groups.indices.items():
        means = np.asarray(values[rows].mean(axis=0)).ravel()
        part = {"gene": list(genes), "expression": np.log2(1 + means), "cells": len(rows)}
        part |= {"sample": sample, "cell_type": name, "condition": design.conditions[sample]}
        part |= {} if design.pairs is None else {"pair": design.pairs[sample]}
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values("gene", key=lambda names: names.map(list(genes).index), kind="stable")
    return sample_expression(
        table,
        [name for name in types.categories if (table["cell_type"] == name).any()],
        conditions=conditions(job),
        colors=condition_colors(job),
        significant=changed_types(job, genes, types.categories),
    )


def counts_per_10000(job, columns):
    """Counts per 10,000 of some genes at all cells, relative to the size factor of their sample."""
    with open_values(job.input) as (matrix, normalisation):
        values = read_columns(matrix, columns)
    if normalisation.transform is None:
        return values
    factors = normalisation.factors
    known = read_arrays(job.input.fdr)[0].get("sample_factors")
    if known is not None:
        cells, samples, _ = number_samples(read_arrays(job.input.cells)[0])
        factors = factors.copy()
        factors[cells] /= known[samples]
    ((_, values),) = linear_blocks([(0, values)], normalisation.transform, factors)
    return values


if __name__ == "__main__":
    run(draw, snakemake)
