"""Smoothed expression of some genes, learnt in one population of cells without a contrast."""

import numpy as np

from statediff import EPS
from statediff.basis import build_basis
from statediff.basis_values import Evaluated, grams, phi_blocks
from statediff.expression import Posterior, cross_products, gene_weights
from statediff.kernels import base_kernel
from statediff.neighbours import length_scale, nearest_distances
from statediff.smoothness import (
    SignalToNoise,
    choose_cells,
    learn_scale,
    learn_signal_to_noise,
    length_scales,
)

__all__ = ["fit_population"]


def fit_population(states, population, measured, expression_rows, gp):
    """Fit the expression of some genes in a population of cells.

    Parameters
    ----------
    states : ndarray, shape (cells, D)
        In the metric of the models.
    population : ndarray of bool, shape (cells,)
    measured : scipy.sparse.csr_matrix, shape (cells, genes)
        Expression of the genes.
    expression_rows : callable
        Gives the expression of some cells (indices) in all genes as a CSR matrix; called if the
        length scale is learnt.
    gp : dict
        Keys of the section gp: kernel, sigma, ls, ls_factor, tol, max_rank.

    Returns
    -------
    phi : statediff.basis_values.Evaluated, shape (cells, r)
        Basis at all cells, computed block by block.
    weights : ndarray, shape (r, genes)
    mean : ndarray, shape (genes,)
        ``values_at(phi, weights) + mean`` is the smoothed expression.
    std : ndarray, shape (cells,)
        Posterior standard deviation, root mean square over the genes.
    used : dict
        Settings as they were used, with rank and largest unexplained variance of the basis.
    """
    members, (kernel, linear) = states[population], base_kernel(gp["kernel"])
    ls, tol = _scale(gp, members, population, expression_rows, kernel)
    noise = 1.0 if gp["sigma"] is None else gp["sigma"]
    basis = build_basis(members, ls, tol, gp["max_rank"], noise, linear, kernel=kernel)
    phi = Evaluated(basis, states)
    (cross,), (squares,) = cross_products([(0, measured)], phi, [population])
    (of_population,), (totals,) = grams(phi, [population])
    posterior = Posterior.fit(of_population, basis.prior(members))
    genes = measured.shape[1]
    if gp["sigma"] is None:
        sums = np.asarray(measured[population].sum(axis=0, dtype=np.float64)).ravel()
        signal = learn_signal_to_noise(
            [posterior], [cross], [sums], [squares], [int(population.sum())], [totals]
        )
        cross = cross - np.outer(totals, signal.mean)
    else:
        signal = SignalToNoise.given(gp["sigma"], genes)
    variance = np.zeros(len(phi))
    for rows, block in phi_blocks(phi):
        unexplained = basis.unexplained(block)
        for rho, _, of_level in signal.slices():
            shared = (signal.noise[of_level] ** 2).sum() / genes
            variance[rows] += posterior.variance(block, unexplained, rho) * shared
    used = {key: value for key, value in gp.items() if value is not None}
    used |= {"tol": tol, "rank": basis.rank, "residual_max": basis.residual_max}
    used["ls"] = float(np.median(basis.ls))
    weights = gene_weights(posterior, cross, signal)
    return phi, weights, signal.mean, np.sqrt(variance + EPS), used


def _scale(gp, states, population, expression_rows, kernel):
    """Length scale of the population, given, by distances of neighbours, or learnt, and the
    tolerance of its basis."""
    if gp["ls"] is not None:
        return gp["ls"], gp["tol"]
    if gp["ls_factor"] is not None:
        return length_scale(nearest_distances(states), gp["ls_factor"]), gp["tol"]
    cells = choose_cells(population)
    of_population = np.searchsorted(np.flatnonzero(population), cells)
    smoothness = learn_scale(states[of_population], expression_rows(cells), kernel=kernel)
    tol = smoothness.tolerance(len(states)) if gp["tol"] is None else gp["tol"]
    return length_scales(smoothness.ls), tol
