"""Volcano of genes."""

import h5py
import pandas as pd
from _figure import conditions, run
from statediff.plots import expression_volcano
from statediff.store import read_arrays, read_labels


def draw(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    genes, fdr = read_arrays(job.input.fdr)
    height = job.params.volcano or fdr["ranking"]
    columns = {name: genes[name] for name in ("mean_lfc", "is_de", fdr["ranking"], height)}
    return expression_volcano(
        pd.DataFrame(columns, index=names),
        conditions=conditions(job),
        fdr_threshold=fdr["threshold"],
        ranking=fdr["ranking"],
        shown=height,
        labelled=job.params.labelled_genes,
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
