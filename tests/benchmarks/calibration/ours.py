"""The workflow's calibrated tests: the residual null of expression; abundance."""

import numpy as np
from scipy import sparse
from scipy.stats import false_discovery_control
from statediff.abundance import calibrated_changes
from statediff.basis import build_basis
from statediff.blocks import centroids, contrast_weights, find_blocks, nested_regions
from statediff.conventions import LN2, THRESHOLDS
from statediff.design import Design
from statediff.diffusion import scaled_components
from statediff.linear import size_factors
from statediff.overdispersion import find_overdispersion
from statediff.preprocess import scale
from statediff.ratio import (
    fit_ratio,
    informative,
    learn_amplitude,
)
from statediff.residual import block_sums, residual_test
from statediff.shrinkage import shrink
from statediff.smoothness import choose_cells, learn_scale, length_scales

from calibration.data import principal_components

# The change of abundance that has to be exceeded by default.
THRESHOLD = THRESHOLDS["ratio"] * LN2
__all__ = ["ABUNDANCE", "EXPRESSION", "blocks", "design_of"]


def blocks(dataset):
    """Block of each cell in each partition, and coordinates in which the samples mix."""
    # Not integrated over the samples: the blocks mix them themselves.
    pcs = principal_components(dataset.counts)
    return find_blocks(pcs, dataset.samples, conditions_of(dataset))[:2]


def conditions_of(dataset):
    """Condition of each sample, 0 or 1."""
    codes = np.unique(dataset.samples)
    return np.array([dataset.labels[dataset.samples == code][0] for code in codes]).astype(int)


def design_of(dataset):
    """Conditions, pairs and covariates of the samples."""
    first = np.unique(dataset.samples, return_index=True)[1]
    covariates, pairs = np.empty((len(first), 0)), dataset.pairs
    if dataset.covariates is not None:
        covariates = dataset.covariates[first]
    if pairs is not None:
        pairs = np.unique(pairs[first], return_inverse=True)[1]
    return Design(conditions_of(dataset), covariates, pairs)


def residual(dataset):
    """Differences within blocks, with the variance between samples."""
    codes, moved = blocks(dataset)
    design = design_of(dataset)
    nuisance = None if design.adjusted is None else design.adjusted[dataset.samples]
    parts = [(of, [contrast_weights(dataset.labels, moved, of, nuisance)]) for of in codes]
    values, groups = scale(dataset.counts), (dataset.samples, design)
    ((sums,),) = block_sums([(0, values)], parts[:1], *groups)
    factors = size_factors(sums.sums.sum(axis=0), sums.sums.sum(axis=1), sums.cells)
    values = sparse.diags(1.0 / factors[dataset.samples]) @ values
    found = block_sums([(0, values.tocsr())], parts, *groups)
    tested = [
        (sums, nested_regions(centroids(moved, of)))
        for (sums,), of in zip(found, codes, strict=True)
    ]
    found = residual_test(tested, sample_effects=True)
    score = -np.log(found["pvalue"]) + 1e-6 * found["standardised"]
    return found["pvalue"], false_discovery_control(found["pvalue"]), score


def calibrated(dataset):
    """Ratio of densities, with the overdispersion of the samples."""
    states = scaled_components(dataset.states, dataset.eigenvalues)
    cells = choose_cells(np.ones(len(states), dtype=bool))
    smoothness = learn_scale(states[cells], dataset.expression[cells])
    # Enough for the functions that labels tell something about.
    basis = build_basis(states, length_scales(smoothness.ls), tol=1e-4)
    phi = basis(states)
    design = design_of(dataset)
    amplitude, _ = learn_amplitude(phi, dataset.samples, design, basis.eigenvalues)
    phi = amplitude * phi[:, : informative(basis.eigenvalues, amplitude)]
    ratio = fit_ratio(phi, dataset.samples, design)
    found = find_overdispersion(phi, np.arange(len(phi)), ratio, dataset.samples, design)
    log_ratio, variance = ratio.unshrunk(phi, amplitude**2)
    variance = variance * found.factor
    lfc = shrink(log_ratio, np.sqrt(variance), found.freedom)
    change = calibrated_changes(lfc, log_ratio, variance, found.freedom, THRESHOLD)
    return change["lfc"], change["lfc_zscore"], change["qvalue"]


EXPRESSION = {"residual": residual}
ABUNDANCE = {"calibrated": calibrated}
