"""Statistics of data in which nothing differs: shuffled genes, and permuted conditions."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from statediff.basis_values import Part, grams, triangular_factor
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
    shuffled = permute_null_genes(values[order], seeds).tocoo()
    placed = shuffled.data, (order[shuffled.row], shuffled.col)
    shuffled = sparse.csr_matrix(placed, shape=values.shape)
    phi, posteriors = fit["phi"], [Posterior.of_arrays(fit, role) for role in ROLES]
    masks = [members[role] for role in ROLES]
    replicates = [
        [members["sample"] == code for code in members.get(f"samples_{role}", ())] for role in ROLES
    ]
    groups = [*masks, *replicates[0], *replicates[1]]
    sums, squares = cross_products([(0, shuffled)], phi, groups)
    of_cells, totals = grams(phi, groups)
    signal = SignalToNoise.of_arrays(fit).of_genes(columns)
    if described.get("sigma") is None:
        counts, known = [int(mask.sum()) for mask in masks], signal.levels[signal.level]
        of_genes = [cross[-1] for cross in sums[:2]]  # the last function is a constant
        noise = learn_signal_to_noise(
            posteriors, sums[:2], of_genes, squares[:2], counts, totals[:2], known
        ).noise
        signal = replace(signal, noise=noise)
    centred = [
        cross - np.outer(total, signal.mean) for cross, total in zip(sums, totals, strict=True)
    ]
    weights = [
        gene_weights(posterior, cross, signal)
        for posterior, cross in zip(posteriors, centred[:2], strict=True)
    ]
    between = None
    if any(replicates):
        first, second = slice(2, 2 + len(replicates[0])), slice(2 + len(replicates[0]), None)
        priors = [fit[f"prior_{role}"] for role in ROLES]
        parts = [(of_cells[one], centred[one]) for one in (first, second)]
        between = replicate_deviations(*zip(*parts, strict=True), priors, signal)
    difference = weights[1] - weights[0]
    arrays = {"gene": columns, "difference": difference} | signal.arrays()
    if between is not None:
        arrays["between"] = between
    if empirical_noise:
        sigma, pooled = described["sigma"], described["covariance"]
        noise = noise_weights([(0, shuffled)], phi, masks, posteriors, weights, sigma)
        arrays |= {f"noise_{role}": sums for role, sums in zip(ROLES, noise, strict=True)}
        trained = Part(phi, np.flatnonzero(masks[0] | masks[1]))[:]
        found = mahalanobis_noise(trained, posteriors, noise, difference, sigma, between, pooled)
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
    groups = [trained, *labelled]
    sums, _ = cross_products(blocks, phi, groups)
    of_both, *of_compared = zip(sums, *grams(phi, groups), strict=True)
    factor, found = triangular_factor(phi, trained), []
    pooled, eps = described["covariance"], described["eps"]
    for compared in of_compared:
        reference = [both - own for both, own in zip(of_both, compared, strict=True)]
        posteriors, weights = [], []
        for (cross, gram, totals), role in zip((reference, compared), ROLES, strict=True):
            posteriors.append(Posterior.fit(gram, fit[f"prior_{role}"]))
            centred = cross - np.outer(totals, signal.mean)
            weights.append(gene_weights(posteriors[-1], centred, signal))
        whiteners = [whitener(factor, posteriors, rho, pooled, eps) for rho in signal.levels]
        found.append(distances(whiteners, signal, weights[1] - weights[0]))
    return np.array(found)
