"""Fold change of genes against their mean expression."""

import h5py
import numpy as np
import pandas as pd
from _figure import conditions, run
from _values import open_values
from statediff.normalisation import mean_counts
from statediff.plots import expression_ma
from statediff.plots.style import short
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_labels
from statediff.tables import named_change


def draw(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    genes, fdr = read_arrays(job.input.fdr)
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    with open_values(job.input) as values:
        means = mean_counts(*values, members["reference"] | members["compared"])
    role = "adjusted_lfc" if "adjusted_lfc" in genes else "mean_lfc"
    columns = {"mean_expression": np.log2(1 + means), "lfc": genes[role], "is_de": genes["is_de"]}
    return expression_ma(
        pd.DataFrame(columns, index=names).iloc[rank_genes(genes, fdr["ranking"])],
        conditions=conditions(job),
        change=named_change(role, [short(name, 25) for name in conditions(job)]),
        labelled=job.params.labelled_genes,
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
