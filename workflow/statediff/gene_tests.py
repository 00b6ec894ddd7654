"""The tests of all genes of a contrast: of differences, of where they are, and within groups."""

import warnings

import numpy as np

from statediff import DataWarning
from statediff.blocks import MAX_BLOCKS, PARTITIONS, centroids, permute_within, region_tree
from statediff.contrast_blocks import partitions_of_group
from statediff.localisation import fold_changes, localise
from statediff.messages import key_of, listed
from statediff.normalisation import expression_blocks, scaled_blocks
from statediff.residual import block_sums, residual_test
from statediff.sample_effects import SampleEffects, fit_sample_effects
from statediff.samples import read_design
from statediff.store import matrix_shape

__all__ = ["compare_genes", "compare_genes_in_groups", "locate_genes"]

# Genes, drawn at random, that are also tested where nothing can differ.
CHECKED = 2000


def compare_genes(matrix, normalisation, blocks, described, lfc=0.0, seed=42, threads=1):
    """The residual test of all genes, from one pass over the expression matrix.

    Parameters
    ----------
    matrix : h5py.Group or scipy.sparse.csr_matrix, shape (cells, genes)
        Expression.
    normalisation : statediff.normalisation.Normalisation
        How the matrix becomes counts per 10,000.
    blocks, described : dict
        Arrays and attributes from `statediff.contrast_blocks.blocks_of_contrast`.
    lfc : float
        Absolute log2 fold change that has to be exceeded.
    seed : int
    threads : int

    Returns
    -------
    result : dict of ndarray, shape (genes,)
        From `statediff.residual.residual_test`, with ``adjusted_lfc`` (log2) and, of a numeric
        condition, ``lfc_per_unit``. Also ``sample_factors`` (samples,), size factors, and
        ``null_pvalue``: p-values of up to 2,000 genes with the weights permuted within blocks.
    effects : dict of ndarray
        Effects of the samples, for `locate_genes`; empty without samples.
    """
    generator = np.random.default_rng(seed)
    partitions = [
        (codes, [weights, permute_within(weights, codes, generator)])
        for codes, weights in zip(blocks["code"], blocks["weight"], strict=True)
    ]
    cells = blocks["code"][0], blocks["sample"]
    values, factors = expression_blocks(matrix, normalisation, *cells)
    found = block_sums(values, partitions, blocks["sample"], read_design(blocks), threads)
    regions = [blocks[f"regions_{i}"] for i in range(len(partitions))]
    genes = generator.permutation(found[0][0].contrast.shape[1])[:CHECKED]
    tested, checked = [], []
    for (sums, null), sets in zip(found, regions, strict=True):
        tested.append((sums, sets))
        checked.append((null.of_genes(genes), sets))
    del found
    samples = described["has_samples"]
    null = residual_test(checked, samples, threads=threads)["pvalue"]
    effects = fit_sample_effects(tested[0][0], threads=threads) if samples else None
    result = residual_test(tested, effects or False, lfc, threads)
    everywhere = [fold_changes(sums, sets[-1:])[0] for sums, sets in tested]
    result["adjusted_lfc"] = np.mean(everywhere, axis=0)
    if "span" in described:
        result["lfc_per_unit"] = result["adjusted_lfc"] / described["span"]
    result |= {"null_pvalue": null, "sample_factors": factors}
    if effects is None:
        return result, {}
    return result, vars(effects) | {"trend": effects.trend.astype(np.float32)}


def locate_genes(
    matrix, normalisation, blocks, factors, effects, is_de, threshold, lfc=0.0, threads=1
):
    """Blocks of cells in which the called genes differ, from one more pass over their expression.

    Parameters
    ----------
    matrix, normalisation, blocks, lfc, threads
        As for `compare_genes`.
    factors : ndarray, shape (samples,)
        ``sample_factors`` of `compare_genes`.
    effects : dict of ndarray
        From `compare_genes`.
    is_de : ndarray of bool, shape (genes,)
    threshold : float
        False discovery rate at which the genes were called.

    Returns
    -------
    dict of ndarray
        ``genes`` (G,), the called ones, and of `statediff.localisation.Localisation` ``region``,
        ``direction`` and ``lfc``, shape (G, blocks).
    """
    genes, codes = np.flatnonzero(is_de), blocks["code"][0]
    inside = codes >= 0
    empty = np.empty((0, codes.max() + 1))
    found = {
        "region": empty.astype(np.int16),
        "direction": empty.astype(np.int8),
        "lfc": empty.astype(np.float32),
    }
    if len(genes):
        tree = region_tree(centroids(blocks["coordinates"][inside], codes[inside]))
        values = scaled_blocks(matrix, normalisation, blocks["sample"], factors)
        chosen = ((start, block[:, genes]) for start, block in values)
        partition, design = (codes, [blocks["weight"][0]]), read_design(blocks)
        ((sums,),) = block_sums(chosen, [partition], blocks["sample"], design, threads)
        effects = SampleEffects(**effects).of_genes(genes) if effects else None
        where = localise(sums, tree, effects, threshold * len(genes) / len(is_de), lfc, threads)
        found = {name: getattr(where, name).astype(of.dtype) for name, of in found.items()}
    return found | {"genes": genes}


def compare_genes_in_groups(
    matrix, normalisation, blocks, described, factors, groups, settings, option, threads=1
):
    """The residual test of all genes in each group of cells of a contrast.

    Parameters
    ----------
    matrix, normalisation, blocks, described, threads
        As for `compare_genes`.
    factors : ndarray, shape (samples,)
        ``sample_factors`` of `compare_genes`.
    groups : dict of ndarray
        From `statediff.contrast.group_masks`; groups that are left out are not tested.
    settings : dict
        Keys of the section fdr: blocks_from, block_cells, seed, lfc.
    option : str
        Section of the contrast, for messages.

    Returns
    -------
    dict of ndarray
        ``names`` of the groups that were not left out, and ``pvalue``, ``standardised`` and
        ``adjusted_lfc``, shape (groups, genes): 1, 0 and NaN in a group that cannot be tested.
    """
    design, samples = read_design(blocks), described["has_samples"]
    kept = np.flatnonzero(~groups["left_out"])
    parts = [
        partitions_of_group(blocks, mask, settings, design, samples)
        for mask in groups["masks"][kept]
    ]
    untested = [groups["names"][i] for i, part in zip(kept, parts, strict=True) if not part]
    if untested:
        warnings.warn(
            f"{key_of(option, 'groups')}: {listed(untested)} cannot be tested and "
            "get p = 1: in no block of cells do both conditions occur"
            + (", or enough samples" if samples else ""),
            DataWarning,
            stacklevel=2,
        )
    found = [None] * len(parts)
    for batch in _batches(parts):
        chosen = [part[:2] for i in batch for part in parts[i]]
        values = scaled_blocks(matrix, normalisation, blocks["sample"], factors)
        sums = iter(block_sums(values, chosen, blocks["sample"], design, threads))
        for i in batch:
            tested = [
                (of_part, regions)
                for (_, _, regions), (of_part,) in zip(parts[i], sums, strict=False)
            ]
            found[i] = residual_test(tested, samples, settings["lfc"], threads)
            changes = [fold_changes(of_part, sets[-1:])[0] for of_part, sets in tested]
            found[i]["adjusted_lfc"] = np.mean(changes, axis=0)
    n_genes = matrix_shape(matrix)[1]
    nothing = {"pvalue": np.ones(n_genes), "standardised": np.zeros(n_genes)}
    nothing["adjusted_lfc"] = np.full(n_genes, np.nan)
    return {"names": groups["names"][kept]} | {
        key: np.array([(one or nothing)[key] for one in found]) for key in nothing
    }


def _batches(parts):
    """Groups whose sums are made in one pass: together no more blocks than the whole may have."""
    batch, size = [], 0
    for i, part in enumerate(parts):
        blocks = sum(len(regions[0]) for _, _, regions in part)
        if batch and size + blocks > PARTITIONS * MAX_BLOCKS:
            yield batch
            batch, size = [], 0
        if part:
            batch.append(i)
            size += blocks
    if batch:
        yield batch
