"""Where the called genes change: genes over cell types, or over blocks of cells."""

from collections import Counter

import h5py
import numpy as np
import pandas as pd
from _figure import conditions, run
from _table import read_localisation
from statediff.blocks import centroids, side_by_side
from statediff.localisation import of_each_pattern, patterns
from statediff.plots import gene_regions
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names
from statediff.tables import changes_by_type


def draw(job):
    found, cells, types = read_localisation(job.input)
    _, pattern = patterns(found["direction"], cells.sum(axis=0))
    names, shown = chosen_genes(job, found["genes"], pattern)
    options = {}
    if types is None:
        order = side_by_side(block_centres(job.input.blocks))
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
        totals=Counter(pattern),
        percentile=job.params.percentile,
        **options,
    )


def chosen_genes(job, called, pattern):
    """Names of all genes, and the pattern of those to show: the configuration's choice, or of each
    pattern those that rank first."""
    with h5py.File(job.input.store, "r") as store:
        names = read_names(store["var"])
    of_all = np.full(len(names), None, dtype=object)
    of_all[called] = pattern
    columns = read_arrays(job.input.choices, "genes")[0]["genes"]
    if not len(columns):
        genes, fdr = read_arrays(job.input.fdr)
        ranked = rank_genes(genes, fdr["ranking"])
        columns = ranked[of_each_pattern(of_all[ranked], job.params.heatmap_genes)]
    return names, pd.Series(of_all[columns], names[columns], dtype=object)


def block_centres(path):
    blocks, _ = read_arrays(path, "code", "coordinates")
    codes = blocks["code"][0]
    inside = codes >= 0
    return centroids(blocks["coordinates"][inside], codes[inside])


run(draw, snakemake)
