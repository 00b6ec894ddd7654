"""Statistics of the fold changes of genes, from the fit of both conditions of a contrast."""

import numpy as np

from statediff.basis_values import phi_means, triangular_factors
from statediff.expression import (
    Posterior,
    distances,
    neg_log10_ptp,
    whitener,
)
from statediff.noise import mahalanobis_noise
from statediff.smoothness import SignalToNoise

__all__ = ["distances_in_group", "gene_statistics", "group_statistics", "group_whiteners"]

ROLES = ("reference", "compared")


def gene_statistics(fit, described, n_components):
    """Statistics of the fold change of every gene.

    Parameters
    ----------
    fit, described : dict
        Arrays and attributes from `statediff.expression_fit.fit_conditions`.
    n_components : int
        Dimensions of the states.

    Returns
    -------
    dict of ndarray, shape (genes,)
        ``mahalanobis``, the distance of the fold change from 0; ``mean_lfc``, its mean over the
        evaluated cells in units of the layer; ``neg_log10_ptp``.
    """
    difference, between = _difference(fit)
    found = distances(fit["whitener"], SignalToNoise.of_arrays(fit), difference, between)
    return {
        "mahalanobis": found,
        "mean_lfc": fit["phi_mean"] @ difference,
        "neg_log10_ptp": neg_log10_ptp(found, n_components),
    }


def group_statistics(fit, described, groups):
    """Mean fold change and Mahalanobis distance of every gene over the cells of each group.

    Parameters
    ----------
    fit, described : dict
        Arrays and attributes from `statediff.expression_fit.fit_conditions`.
    groups : dict of ndarray
        From `statediff.contrast.group_masks`.

    Returns
    -------
    dict of ndarray, shape (groups, genes)
        ``mean_lfc`` and ``mahalanobis`` of the groups that are not left out.
    """
    difference, between = _difference(fit)
    signal, posteriors = SignalToNoise.of_arrays(fit), [Posterior.of_arrays(fit, r) for r in ROLES]
    masks, found = groups["masks"][~groups["left_out"]], []
    for factor in triangular_factors(fit["phi"], masks):
        whiteners = group_whiteners(factor, posteriors, signal, described)
        found.append(distances(whiteners, signal, difference, between))
    mean_lfc = phi_means(fit["phi"], masks) @ difference
    return {"mean_lfc": mean_lfc, "mahalanobis": np.array(found)}


def group_whiteners(factor, posteriors, signal, described):
    """Whitener of the fold changes over some cells, for each signal-to-noise ratio.

    Parameters
    ----------
    factor : ndarray, shape (m, r)
        `statediff.basis_values.triangular_factor` of the basis at these cells.
    posteriors : list of statediff.expression.Posterior
        Of the reference and the compared condition.
    signal : statediff.smoothness.SignalToNoise
    described : dict
        Attributes from `statediff.expression_fit.fit_conditions`.

    Returns
    -------
    list of ndarray
    """
    pooled, eps = described["covariance"], described["eps"]
    return [whitener(factor, posteriors, rho, pooled, eps) for rho in signal.levels]


def distances_in_group(factor, phi, posteriors, described, parts):
    """Mahalanobis distance of every gene over the cells of a group.

    Parameters
    ----------
    factor : ndarray, shape (m, r)
        `statediff.basis_values.triangular_factor` of the basis at these cells.
    phi : callable
        Gives the basis (n, r) at these cells; called where the noise varies along the states.
    posteriors, described
        As for `group_whiteners`.
    parts : iterable of tuple
        Of some genes: differences of the coefficients (r, genes), those of the samples or None,
        their `statediff.smoothness.SignalToNoise`, and the noise along the states, from
        `statediff.noise.noise_weights`, or None.

    Returns
    -------
    ndarray, shape (genes,)
    """
    found, shared = [], None
    for difference, between, signal, noise in parts:
        if noise is None:
            shared = shared or group_whiteners(factor, posteriors, signal, described)
            found.append(distances(shared, signal, difference, between))
        else:
            shared = phi() if shared is None else shared
            settings = described["sigma"], between, described["covariance"]
            found.append(mahalanobis_noise(shared, posteriors, noise, difference, *settings))
    return np.concatenate(found)


def _difference(fit):
    """Difference of the coefficients (r, genes), and of those of the samples if there are any."""
    difference = (fit["coefficients_compared"] - fit["coefficients_reference"]).T
    between = fit["between"].swapaxes(1, 2) if "between" in fit else None
    return difference, between
