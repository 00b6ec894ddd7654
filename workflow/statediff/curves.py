"""The models of a contrast as figures show them: numbers of the fit, and curves of single genes."""

import numpy as np

from statediff.basis_values import grams, values_at
from statediff.expression import cross_products, replicate_deviations
from statediff.neighbours import sampled_distances
from statediff.smoothness import LEVELS, SignalToNoise

__all__ = ["curves_of_genes", "describe_fit", "sample_deviations"]

ROLES = ("reference", "compared")
# Cells whose distance to their neighbour is shown.
SHOWN = 5000


def describe_fit(fit, described, states_of_reference):
    """Numbers of the fit of a contrast, arguments of `statediff.plots.fit.fit_overview`.

    Parameters
    ----------
    fit : dict of ndarray
        Of `statediff.expression_fit.fit_conditions`, ``spectrum_`` and ``signal_``, with the
        ``eigenvalues`` of the basis and, where the length scale was learnt, its ``multiples`` and
        ``evidence``.
    described : dict
        ``ls``, ``tol`` and ``residual_max`` of the basis; ``sigma`` if it was given; where the
        length scale was learnt, ``evidence_genes``, the number of genes.
    states_of_reference : callable
        Gives the states (n, D) of the cells of the reference; called where no length scales were
        compared.

    Returns
    -------
    dict of float or ndarray
        ``spectrum``, ``residual``, ``tol``, ``ls``, ``freedom`` (2, r), ``evidence`` (2, m) or
        ``distances``, and ``signal`` (2, L) unless the noise was given.
    """
    signal = SignalToNoise.of_arrays(fit)
    rho = signal.typical()
    shares = np.array([rho * fit[f"spectrum_{role}"] for role in ROLES])
    numbers = {
        "spectrum": rho * fit["eigenvalues"],
        "residual": float(described["residual_max"]),
        "tol": float(described["tol"]),
        "ls": float(described["ls"]),
        "freedom": np.sort(shares / (1.0 + shares), axis=1)[:, ::-1],
    }
    # Nothing was compared where no gene varies.
    if len(fit.get("multiples", ())):
        per_gene = fit["evidence"] / max(described["evidence_genes"], 1)
        numbers["evidence"] = np.array([fit["multiples"], per_gene])
    else:
        numbers["distances"] = sampled_distances(states_of_reference(), SHOWN)
    if "sigma" not in described:
        of_genes = signal.levels[signal.level]
        numbers["signal"] = np.array(
            [LEVELS, [np.count_nonzero(of_genes == level) for level in LEVELS]]
        )
    return numbers


def curves_of_genes(phi, coefficients, relative_stds, signal, eps, between=None):
    """Smoothed expression of a few genes at all cells, and its uncertainty.

    Parameters
    ----------
    phi : array or similar (`statediff.basis_values`), shape (n, r)
    coefficients : pair of ndarray, shape (r, genes)
        Of the reference and the compared condition.
    relative_stds : pair of array, shape (n, L)
        Posterior standard deviations in units of the noise, for each signal-to-noise ratio.
    signal : statediff.smoothness.SignalToNoise
        Of these genes.
    eps : float
        Variance in units of that of the noise which both standard deviations contain, and their
        difference has once.
    between : iterable of ndarray, shape (r, genes)
        From `sample_deviations`; empty by default.

    Returns
    -------
    reference, compared : ndarray, shape (n, genes)
    stds : ndarray, shape (n, genes, 2)
        Posterior standard deviation in each condition.
    spread : ndarray, shape (n, genes)
        Standard deviation of the fold change, with the variance between the samples.
    """
    relative = [np.asarray(of_role)[:, signal.level] for of_role in relative_stds]
    stds = np.stack(relative, axis=2) * signal.noise[:, None]
    variance = (stds.astype(np.float64) ** 2).sum(axis=2) - eps * signal.noise**2
    for deviation in () if between is None else between:
        variance += values_at(phi, deviation) ** 2
    return *(values_at(phi, of_role) for of_role in coefficients), stds, np.sqrt(variance)


def sample_deviations(phi, expression, samples, priors, signal):
    """Deviations between samples of the weights of a few genes, from their expression.

    These are the deviations of `statediff.expression_fit.fit_conditions`, of which those of all
    genes would be too large for an AnnData.

    Parameters
    ----------
    phi : ndarray, shape (n, r)
    expression : scipy.sparse.csr_matrix, shape (n, genes)
    samples : pair of list of ndarray of bool, shape (n,)
        Cells of each sample of the reference and of the compared condition.
    priors : pair of ndarray
        See `statediff.basis.Basis.prior`.
    signal : statediff.smoothness.SignalToNoise
        Of these genes.

    Returns
    -------
    ndarray of float32, shape (samples, r, genes)
        See `statediff.expression.replicate_deviations`.
    """
    masks, first = [*samples[0], *samples[1]], len(samples[0])
    sums, _ = cross_products([(0, expression)], phi, masks)
    of_cells, totals = grams(phi, masks)
    crosses = [
        cross - np.outer(total, signal.mean) for cross, total in zip(sums, totals, strict=True)
    ]
    parts = slice(None, first), slice(first, None)
    return replicate_deviations(
        [of_cells[part] for part in parts], [crosses[part] for part in parts], priors, signal
    )
