"""PyDESeq2 by cell type and by cluster, which takes minutes a data set."""

import numpy as np

from calibration.competitors import _by_type, _test_deseq2, clusters

__all__ = ["ABUNDANCE", "EXPRESSION"]

# Pre-filter of the vignette of DESeq2: a count of 10 in as many samples as the smaller group has.
COUNT = 10


def by_type(dataset):
    """Within each cell type; the smallest p-value, by Šidák; Benjamini-Hochberg."""
    return _by_type(dataset, prefiltered)


def by_cluster(dataset):
    """The same within each Leiden cluster."""
    return _by_type(dataset, prefiltered, clusters(dataset))


def prefiltered(counts, metadata):
    """p-values and adjusted ones, NaN for genes that the pre-filter leaves out."""
    kept = (counts >= COUNT).sum().to_numpy() >= metadata["condition"].value_counts().min()
    found = np.full((2, len(kept)), np.nan)
    if kept.any():
        found[:, kept] = _test_deseq2(counts.loc[:, kept], metadata)
    return found[0], found[1]


EXPRESSION = {"pseudobulk_deseq2_by_type": by_type, "pseudobulk_deseq2_by_cluster": by_cluster}
ABUNDANCE = {}
