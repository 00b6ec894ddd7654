"""From raw counts to log expression, principal components and, if asked, those of Harmony."""

import json

import numpy as np
from _counts import check_kept, count_blocks, find_batches
from _inputs import check_names, find_counts, recorded
from _job import run
from anndata.io import write_elem
from statediff.disk import atomic
from statediff.preprocess import (
    FEWEST,
    Moments,
    common_depth,
    covariance,
    expected_logarithm,
    integrate,
    logarithm,
    principal_components,
    project,
    quality,
    scale,
    variable_genes,
)
from statediff.settings import COMPONENTS, INTEGRATED, LAYER
from statediff.store import create_h5ad, write_csr

MADE = (COMPONENTS, INTEGRATED)
# What scanpy noted of matrices and components other than those made here.
STALE = ("log1p", "hvg", "pca", "neighbors")


def main(job):
    config, option = job.params.preprocess, "dataset.preprocess.counts"
    opened = recorded(job.input[0], job.params.modality)
    with opened as (source, record), create_h5ad(job.output.data) as file:
        obs, (matrix, var) = source.obs, find_counts(source, config["counts"], option)
        check_names(obs, var)
        find_batches(obs, config)
        blocks = count_blocks(matrix, option, var.index)
        limits = config["min_counts"] or 0, config["min_genes"] or 0
        found = quality(blocks, len(var), *limits)
        cells, genes = found.kept, found.cells >= (config["min_cells"] or 0)
        check_kept(found, genes, config, obs.index)
        batches, mixed = find_batches(obs[cells], config)

        def kept():
            return kept_blocks(count_blocks(matrix, option, var.index), cells, genes)

        totals = found.counts[cells]
        depth, moments = common_depth(totals), Moments(batches, int(genes.sum()))
        layer = file.create_group(f"layers/{LAYER}")
        logged = logged_blocks(kept(), config["target_sum"], depth, moments)
        write_csr(layer, logged, int(genes.sum()))
        chosen = variable_genes(moments, config["highly_variable_genes"])
        columns = np.arange(len(chosen))
        mean, spread = covariance(thinned_blocks(kept(), totals, depth, chosen), columns)
        loadings, variance = principal_components(spread, config["n_components"])
        thinned = thinned_blocks(kept(), totals, depth, chosen)
        made = {COMPONENTS: project(thinned, columns, mean, loadings)}
        share = variance / np.trace(spread)
        if harmony := config["harmony"]:
            how = harmony["theta"], harmony["seed"], job.threads
            made[INTEGRATED] = integrate(made[COMPONENTS], mixed, *how)

        var = var[genes].assign(highly_variable=np.isin(np.arange(genes.sum()), chosen))
        weights = np.zeros((len(var), len(variance)))
        weights[chosen] = loadings
        write_elem(file, "obs", obs[cells])
        write_elem(file, "var", var)
        write_elem(file, "varm", {"PCs": weights})
        write_elem(file, "obsm", kept_rows(source.readable("obsm", MADE), cells) | made)
        pca = {"variance": variance, "variance_ratio": share}
        write_elem(file, "uns", source.readable("uns", STALE) | {"pca": pca})
        file.attrs["source"] = record()

        replaced = [name for name in MADE if source.has("obsm", name)]
    summary = {
        "cells": {
            "found": len(cells),
            "too_few_counts": int((found.counts < limits[0]).sum()),
            "too_few_genes": int((found.genes < limits[1]).sum()),
            "kept": int(cells.sum()),
        },
        "genes": {"found": len(genes), "kept": len(var), "highly_variable": len(chosen)},
        "counts_per_cell": spread_of(found.counts[cells]),
        "genes_per_cell": spread_of(found.genes[cells]),
        "common_depth": depth,
        "components": {"n": len(variance), "share_of_variance": float(share.sum())},
        "batches": {"ranked_in": int((moments.cells >= FEWEST).sum())}
        | {"mixed": {column: int(codes.max() + 1) for column, codes in mixed.items()}},
        "replaced": replaced,
    }
    text = json.dumps(summary, indent=1)
    print(text)
    with atomic(job.output.record) as part:
        part.write_text(text + "\n", encoding="utf-8")


def kept_blocks(blocks, cells, genes):
    """Blocks of the cells and genes that are kept."""
    for start, block in blocks:
        yield block[cells[start : start + block.shape[0]]][:, genes]


def logged_blocks(blocks, target, depth, moments):
    """Log expression of blocks of counts, which are counted in on the way, at a common depth."""
    start = 0
    for block in blocks:
        scaled = scale(block, target)
        moments.add(start, scaled * (depth / target))
        start += scaled.shape[0]
        yield logarithm(scaled)


def thinned_blocks(blocks, totals, depth, genes):
    """Expected logarithm, at a common depth, of some genes in blocks of counts."""
    start = 0
    for block in blocks:
        stop = start + block.shape[0]
        yield start, expected_logarithm(block[:, genes], totals[start:stop], depth)
        start = stop


def kept_rows(arrays, cells):
    """Some rows of arrays by name."""
    return {key: values[cells] for key, values in arrays.items()}


def spread_of(values):
    """Smallest, median and largest value."""
    return dict(zip(("min", "median", "max"), map(float, np.quantile(values, [0, 0.5, 1]))))


if __name__ == "__main__":
    run(main, snakemake)
