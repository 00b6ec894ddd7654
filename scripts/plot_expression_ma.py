"""Fold change of genes against their mean expression."""

import h5py
import numpy as np
import pandas as pd
from _figure import conditions, run
from _values import open_values
from statediff.linear import linear_blocks
from statediff.plots import expression_ma
from statediff.plots.style import short
from statediff.significance import rank_genes
from statediff.store import matrix_shape, read_arrays, read_labels, row_blocks


def draw(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    genes, fdr = read_arrays(job.input.fdr)
    reference, compared = (short(name, 25) for name in conditions(job))
    adjusted = "adjusted_lfc" in genes
    columns = {
        "mean_expression": np.log2(1 + means(job)),
        "lfc": genes["adjusted_lfc" if adjusted else "mean_lfc"],
        "is_de": genes["is_de"],
    }
    kind, unit = (
        ("Adjusted log₂", "normalised counts") if adjusted else ("Mean log", "units of the layer")
    )
    return expression_ma(
        pd.DataFrame(columns, index=names).iloc[rank_genes(genes, fdr["ranking"])],
        conditions=conditions(job),
        change=f"{kind} fold change, {compared} / {reference} ({unit})",
        labelled=job.params.labelled_genes,
        size=job.params.point_size,
    )


def means(job):
    """Mean counts per 10,000 of all genes over the cells of both conditions."""
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    taking_part = (members["reference"] | members["compared"]).astype(float)
    with open_values(job.input) as (matrix, normalisation):
        blocks = row_blocks(matrix)
        if normalisation.transform is not None:
            blocks = linear_blocks(blocks, normalisation.transform, normalisation.factors)
        total = np.zeros(matrix_shape(matrix)[1])
        for start, block in blocks:
            total += taking_part[start : start + block.shape[0]] @ block
    return total / taking_part.sum()


run(draw, snakemake)
