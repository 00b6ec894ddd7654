"""The published method, with the settings of `conventions: kompot-0.8`."""

from functools import lru_cache

import numpy as np
from statediff.abundance import differential_abundance
from statediff.basis import build_basis
from statediff.basis_values import grams, triangular_factor
from statediff.conventions import PRESETS
from statediff.density import fit_density
from statediff.expression import (
    Posterior,
    cross_products,
    mahalanobis,
    replicate_deviations,
    whitener,
)
from statediff.neighbours import length_scale, nearest_distances
from statediff.significance import choose_null_genes, false_discovery_rates, permute_null_genes
from statediff.smoothness import SignalToNoise

__all__ = ["ABUNDANCE", "EXPRESSION", "PRESET", "RHO", "distances", "fitted"]

PRESET = PRESETS["kompot-0.8"]
RHO = PRESET["sigma"] ** -2.0
NULL_GENES = 2000
SEED = 42


def genes(dataset):
    """Null genes: values shuffled over all cells."""
    return _significance(dataset, by_sample=False)


def replicates(dataset):
    """The same, with the variance between samples in the distances, null ones included."""
    return _significance(dataset, by_sample=True)


def density(dataset):
    """Densities of the two conditions; called as published, by size and tail probability."""
    fits = [
        fit_density(dataset.states[cells], uncertainty=PRESET["uncertainty"])
        for cells in _conditions(dataset)
    ]
    phis = [fit.basis(dataset.states) for fit in fits]
    change = differential_abundance(
        *(fit(phi) for fit, phi in zip(fits, phis, strict=True)),
        sum(fit.variance(phi) for fit, phi in zip(fits, phis, strict=True)),
        sides=PRESET["ptp_sides"],
    )
    neutral = change["lfc_direction"] == 1
    tail = np.where(neutral, 1.0, 10.0 ** -change["neg_log10_lfc_ptp"])
    return change["lfc"], change["lfc_zscore"], tail


@lru_cache(maxsize=1)
def fitted(dataset):
    """Basis at the cells, posteriors of the conditions, whitener of differences."""
    conditions = _conditions(dataset)
    ls = length_scale(nearest_distances(dataset.states[conditions[0]]))
    phi = build_basis(dataset.states, ls)(dataset.states)
    posteriors = [Posterior.fit(phi[cells].T @ phi[cells]) for cells in conditions]
    return phi, posteriors, whitener(triangular_factor(phi), posteriors, RHO, PRESET["covariance"])


def distances(dataset, expression, by_sample=False):
    """Mahalanobis distance of each gene."""
    phi, posteriors, whiten = fitted(dataset)
    conditions, between = _conditions(dataset), None
    samples = [
        [dataset.samples == code for code in np.unique(dataset.samples[cells])]
        for cells in conditions
    ]
    masks = [*conditions, *(samples[0] + samples[1] if by_sample else [])]
    crosses, _ = cross_products([(0, expression)], phi, masks)
    a, b = (posterior.weights(cross, RHO) for posterior, cross in zip(posteriors, crosses[:2]))
    if by_sample:
        split = 2 + len(samples[0])
        of_samples = crosses[2:split], crosses[split:]
        signal = SignalToNoise.given(PRESET["sigma"], expression.shape[1])
        priors = [np.eye(phi.shape[1])] * 2
        between = replicate_deviations(
            [grams(phi, own)[0] for own in samples], of_samples, priors, signal
        )
    return mahalanobis(whiten, b - a, between)


def _conditions(dataset):
    return [~dataset.labels, dataset.labels]


def _significance(dataset, by_sample):
    columns, seeds = choose_null_genes(len(dataset.kinds), NULL_GENES, SEED)
    # The permutations are drawn over the cells of the reference, then the compared condition.
    order = np.concatenate([np.flatnonzero(cells) for cells in _conditions(dataset)])
    null = permute_null_genes(dataset.expression[order][:, columns], seeds).tocsr()
    null = null[np.argsort(order)]
    found = distances(dataset, dataset.expression, by_sample)
    null_distances = distances(dataset, null, by_sample)
    rates = false_discovery_rates(found, null_distances, gaps=PRESET["gaps"])
    return rates["pvalue"], rates["local_fdr"], found


EXPRESSION = {"genes": genes, "replicates": replicates}
ABUNDANCE = {"published": density}
