"""Dot plot of fold changes of genes over cell types."""

import numpy as np
import pandas as pd
from _figure import conditions, run
from _genes import changed_types, chosen_genes, fold_changes, measured, shown_types
from statediff.plots import fold_change_dots


def draw(job):
    genes, types = chosen_genes(job, job.params.heatmap_genes), shown_types(job)
    change, values = fold_changes(job, genes, types), measured(job, genes)
    share = {
        name: np.asarray((values[types == name] > 0).mean(axis=0)).ravel()
        for name in change.columns
    }
    return fold_change_dots(
        change,
        pd.DataFrame(share, index=change.index),
        conditions=conditions(job),
        significant=changed_types(job, genes, types.categories),
    )


if __name__ == "__main__":
    run(draw, snakemake)
