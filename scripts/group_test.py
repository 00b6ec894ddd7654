"""The residual test of all genes in each group of cells of a contrast."""

import warnings

import numpy as np
from _inputs import listed
from _job import run
from _samples import read_design
from _values import open_values, with_known_factors
from statediff import DataWarning
from statediff.blocks import (
    MAX_BLOCKS,
    PARTITIONS,
    centroids,
    contrast_weights,
    nested_regions,
    partition_cells,
    samples_meet,
)
from statediff.localisation import fold_changes
from statediff.residual import block_sums, residual_test
from statediff.store import read_arrays, write_arrays


def main(job):
    blocks, attributes = read_arrays(job.input.blocks)
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    design = read_design(blocks)
    factors = read_arrays(job.input.residual, "sample_factors")[0]["sample_factors"]
    kept = np.flatnonzero(~groups["left_out"])
    samples = attributes["has_samples"]
    parts = [
        partitions(blocks, mask, job.params.blocks, design, samples)
        for mask in groups["masks"][kept]
    ]
    untested = [groups["names"][i] for i, part in zip(kept, parts, strict=True) if not part]
    if untested:
        warnings.warn(
            f"contrasts.{job.wildcards.contrast}.groups: {listed(untested)} cannot be tested and "
            "get p = 1: in no block of cells do both conditions occur"
            + (", or enough samples" if samples else ""),
            DataWarning,
            stacklevel=1,
        )
    found = [None] * len(parts)
    with open_values(job.input) as (matrix, normalisation):
        n_genes = int(matrix.attrs["shape"][1])
        for batch in batches(parts):
            chosen = [part[:2] for i in batch for part in parts[i]]
            values = with_known_factors(matrix, normalisation, blocks["sample"], factors)
            sums = iter(block_sums(values, chosen, blocks["sample"], design, job.threads))
            for i in batch:
                tested = [
                    (of_part, regions)
                    for (_, _, regions), (of_part,) in zip(parts[i], sums, strict=False)
                ]
                found[i] = residual_test(tested, samples, job.params.lfc, job.threads)
                changes = [fold_changes(of_part, sets[-1:])[0] for of_part, sets in tested]
                found[i]["adjusted_lfc"] = np.mean(changes, axis=0)
    nothing = {"pvalue": np.ones(n_genes), "standardised": np.zeros(n_genes)}
    nothing["adjusted_lfc"] = np.full(n_genes, np.nan)
    write_arrays(
        job.output[0],
        {"names": groups["names"][kept]}
        | {key: np.array([(one or nothing)[key] for one in found]) for key in nothing},
    )


def partitions(blocks, mask, settings, design, samples):
    """Block and weight of each cell, and regions, for each partition of a group's cells; none
    where the conditions, or the samples, do not meet in a block."""
    cells = np.flatnonzero(mask & (blocks["code"][0] >= 0))
    sample, moved = blocks["sample"][cells], blocks["coordinates"][cells].astype(np.float64)
    labels = design.labels[sample]
    nuisance = None if design.adjusted is None else design.adjusted[sample]
    if not np.ptp(labels) > 0:
        return []
    found = []
    for codes in partition_cells(moved, settings["block_cells"], settings["seed"], PARTITIONS):
        weights = contrast_weights(labels, moved, codes, nuisance)
        if not weights.any() or (samples and not samples_meet(codes, sample, design)):
            return []
        everywhere = np.full(len(mask), -1), np.zeros(len(mask))
        for values, own in zip(everywhere, (codes, weights), strict=True):
            values[cells] = own
        found.append((everywhere[0], [everywhere[1]], nested_regions(centroids(moved, codes))))
    return found


def batches(parts):
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


run(main, snakemake)
