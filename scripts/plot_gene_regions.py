"""Where the called genes change: genes over cell types, or over blocks of cells."""

from collections import Counter

import h5py
import numpy as np
import pandas as pd
from _figure import conditions, run
from _genes import chosen_genes, pattern_of_genes
from _table import read_localisation
from statediff.blocks import order_of_blocks
from statediff.plots import gene_regions
from statediff.store import read_arrays, read_labels
from statediff.tables import changes_by_type


def draw(job):
    found, cells, types = read_localisation(job.input)
    with h5py.File(job.input.store, "r") as store:
        names = read_labels(store["var"])
    pattern = pattern_of_genes(job, len(names))
    genes = chosen_genes(job, job.params.heatmap_genes)
    shown = pd.Series(pattern[list(genes.values())], list(genes), dtype=object)
    if not len(read_arrays(job.input.choices, "genes")[0]["genes"]):
        # Nobody asked for genes that could not be localised.
        shown = shown.dropna()
    options = {}
    if types is None:
        blocks, _ = read_arrays(job.input.blocks, "code", "coordinates")
        order = order_of_blocks(blocks["code"][0], blocks["coordinates"])
        cells, types = np.diag(cells[0])[order], np.arange(len(order))
        options["cells"] = cells.sum(axis=1)
    else:
        kept = ~np.isin(types, job.params.without) & cells.any(axis=1)
        cells, types = cells[kept], types[kept]
    table = changes_by_type(found, cells, types)
    table["gene"] = names[found["genes"][table["of"]]]
    return gene_regions(
        table,
        shown,
        types,
        conditions=conditions(job),
        totals=Counter(pattern[found["genes"]]),
        percentile=job.params.percentile,
        **options,
    )


if __name__ == "__main__":
    run(draw, snakemake)
