"""The published distance against the workflow's other nulls."""

import numpy as np
from scipy.stats import false_discovery_control
from statediff.basis_values import triangular_factor
from statediff.blocks import permute_within
from statediff.expression import (
    Posterior,
    cross_products,
    mahalanobis,
    whitener,
)
from statediff.significance import false_discovery_rates, permutation_test

from calibration.ours import blocks
from calibration.published import PRESET, RHO, distances, fitted

__all__ = ["ABUNDANCE", "EXPRESSION"]

PERMUTATIONS = 6
# Unchanged genes that the external null is told.
KNOWN = 500
SEED = 42


def labels(dataset):
    """Labels of the cells permuted within blocks: as if cells were independent."""
    codes = blocks(dataset)[0][0]
    phi, _, _ = fitted(dataset)
    generator = np.random.default_rng(SEED)
    labelled = [permute_within(dataset.labels, codes, generator) for _ in range(PERMUTATIONS)]
    everyone = np.ones(len(phi), dtype=bool)
    expression = [(0, dataset.expression)]
    (total, *crosses), _ = cross_products(expression, phi, [everyone, *labelled])
    factor, permuted = triangular_factor(phi), []
    for compared, cross in zip(labelled, crosses, strict=True):
        a, b = (Posterior.fit(phi[cells].T @ phi[cells]) for cells in (~compared, compared))
        difference = b.weights(cross, RHO) - a.weights(total - cross, RHO)
        whiten = whitener(factor, [a, b], RHO, PRESET["covariance"])
        permuted.append(mahalanobis(whiten, difference))
    found = permutation_test(distances(dataset, dataset.expression), np.array(permuted))
    return found["pvalue"], false_discovery_control(found["pvalue"]), found["standardised"]


def external(dataset):
    """Distances of genes that are known not to change."""
    unchanged = np.flatnonzero(dataset.kinds == "none")
    known = np.random.default_rng(SEED).choice(unchanged, KNOWN, replace=False)
    found = distances(dataset, dataset.expression)
    rates = false_discovery_rates(found, found[known])
    return rates["pvalue"], rates["local_fdr"], found


EXPRESSION = {"labels": labels, "external": external}
ABUNDANCE = {}
