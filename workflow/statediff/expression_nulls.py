"""Statistics of data in which nothing differs: shuffled genes, and permuted conditions."""

from dataclasses import replace

import numpy as np

from statediff.basis_values import grams, triangular_factor
from statediff.blocks import permute_within
from statediff.expression import (
    Posterior,
    cross_products,
    distances,
    gene_weights,
    replicate_deviations,
    whitener,
)
from statediff.noise import mahalanobis_noise, noise_weights
from statediff.significance import permute_null_genes
from statediff.smoothness import SignalToNoise, learn_signal_to_noise

__all__ = ["label_distances", "null_gene_statistics"]

ROLES = ("reference", "compared")


def null_gene_statistics(values, columns, seeds, members, fit, described, empirical_noise=False):
    """Mahalanobis distances of genes whose values are shuffled over the cells of both conditions.

    Parameters
    ----------
    values : scipy.sparse matrix, shape (cells, null genes)
        Expression of the genes that are shuffled.
    columns, seeds : ndarray of int, shape (null genes,)
        From `statediff.significance.choose_null_genes`.
    members : dict of ndarray
        From `statediff.contrast.find_cells`.
    fit, described : dict
        Arrays and attributes from `statediff.expression_fit.fit_conditions`.
    empirical_noise : bool
        Whether the noise of a gene varies along the states.

    Returns
    -------
    dict of ndarray
        ``gene``, ``mahalanobis``, shape (null genes,); ``difference`` (r, null genes) and the
        signal-to-noise ratios, of which the distances in groups of cells are made; with samples
        ``between``, and with empirical noise ``noise_reference`` and ``noise_compared``.
    """
    order = np.concatenate([np.flatnonzero(members[role]) for role in ROLES])
    shuffled = permute_null_genes(values[order], seeds).tocsr()
    phi, masks = fit["phi"][order], [members[role][order] for role in ROLES]
    posteriors = [Posterior.of_arrays(fit, role) for role in ROLES]
    crosses = [_cross_product(shuffled, phi, mask) for mask in masks]
    signal = SignalToNoise.of_arrays(fit).of_genes(columns)
    if described.get("sigma") is None:
        signal = _signal_of_null(signal, shuffled, phi, masks, posteriors, crosses)

    def centred(cross, mask):
        return cross - np.outer(phi[mask].sum(axis=0), signal.mean)

    weights = [
        gene_weights(posterior, centred(cross, mask), signal)
        for posterior, cross, mask in zip(posteriors, crosses, masks, strict=True)
    ]
    between = None
    if "sample" in members:
        samples = members["sample"][order]
        replicates = [[samples == code for code in members[f"samples_{role}"]] for role in ROLES]
        sums = [
            [centred(_cross_product(shuffled, phi, mask), mask) for mask in group]
            for group in replicates
        ]
        priors = [fit[f"prior_{role}"] for role in ROLES]
        of_cells = [grams(phi, group)[0] for group in replicates]
        between = replicate_deviations(of_cells, sums, priors, signal)
    difference = weights[1] - weights[0]
    arrays = {"gene": columns, "difference": difference} | signal.arrays()
    if between is not None:
        arrays["between"] = between
    if empirical_noise:
        sigma, pooled = described["sigma"], described["covariance"]
        noise = noise_weights([(0, shuffled)], phi, masks, posteriors, weights, sigma)
        arrays |= {f"noise_{role}": sums for role, sums in zip(ROLES, noise, strict=True)}
        found = mahalanobis_noise(phi, posteriors, noise, difference, sigma, between, pooled)
    else:
        found = distances(fit["whitener"], signal, difference, between)
    return arrays | {"mahalanobis": found}


def label_distances(blocks, codes, members, fit, described, seed, permutations=6):
    """Mahalanobis distances with the conditions permuted within blocks of similar cells.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        First row and rows of blocks of the expression of all cells.
    codes : ndarray of int, shape (cells,)
        Block of each cell within which conditions are permuted.
    members, fit, described
        As for `null_gene_statistics`.
    seed, permutations : int

    Returns
    -------
    ndarray, shape (permutations, genes)
    """
    phi, signal = fit["phi"], SignalToNoise.of_arrays(fit)
    trained, generator = members["reference"] | members["compared"], np.random.default_rng(seed)
    labelled = [permute_within(members["compared"], codes, generator) for _ in range(permutations)]
    (total, *crosses), _ = cross_products(blocks, phi, [trained, *labelled])
    factor, found = triangular_factor(phi, trained), []
    pooled, eps = described["covariance"], described["eps"]
    for compared, cross in zip(labelled, crosses, strict=True):
        conditions = (trained & ~compared, total - cross), (compared, cross)
        posteriors, weights = [], []
        for (cells, sums), role in zip(conditions, ROLES, strict=True):
            own = phi[cells]
            posteriors.append(Posterior.fit(own.T @ own, fit[f"prior_{role}"]))
            centred = sums - np.outer(own.sum(axis=0), signal.mean)
            weights.append(gene_weights(posteriors[-1], centred, signal))
        whiteners = [whitener(factor, posteriors, rho, pooled, eps) for rho in signal.levels]
        found.append(distances(whiteners, signal, weights[1] - weights[0]))
    return np.array(found)


def _signal_of_null(signal, values, phi, masks, posteriors, crosses):
    """Signal-to-noise ratios of the genes that were shuffled, with the noise that they have now."""
    parts = [values[mask] for mask in masks]
    noise = learn_signal_to_noise(
        posteriors,
        crosses,
        [np.asarray(part.sum(axis=0, dtype=np.float64)).ravel() for part in parts],
        [np.asarray(part.astype(np.float64).power(2).sum(axis=0)).ravel() for part in parts],
        [int(mask.sum()) for mask in masks],
        [phi[mask].sum(axis=0) for mask in masks],
        known=signal.levels[signal.level],
    ).noise
    return replace(signal, noise=noise)


def _cross_product(values, phi, mask):
    """Sums Φ'Y over some of the cells, shape (r, genes)."""
    return (values[mask].T @ phi[mask]).T
