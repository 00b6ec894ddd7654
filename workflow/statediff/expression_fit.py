"""The models of expression of a contrast: length scale, basis, and the fit of both conditions."""

import warnings

import numpy as np

from statediff import DataWarning
from statediff.basis import build_basis
from statediff.basis_values import grams, phi_blocks, phi_means, triangular_factor
from statediff.expression import (
    Posterior,
    cross_products,
    gene_weights,
    relative_eps,
    replicate_deviations,
    whitener,
)
from statediff.kernels import base_kernel
from statediff.neighbours import length_scale, nearest_distances
from statediff.smoothness import (
    SignalToNoise,
    choose_cells,
    fraction,
    learn_scale,
    learn_signal_to_noise,
    length_scales,
    warn_of_few,
)

__all__ = ["choose_basis", "fit_conditions"]

ROLES = ("reference", "compared")
# Times the tolerance of a learnt length scale up to which distances change by less than 1 %.
TOLERABLE = 20.0


def choose_basis(states, members, expression_rows, gp):
    """Length scale of a contrast, learnt from expression or given, and the basis of its kernel.

    Parameters
    ----------
    states : ndarray, shape (cells, D)
        In the metric of the models.
    members : dict of ndarray of bool, shape (cells,)
        With `reference` and `compared`.
    expression_rows : callable
        Gives the expression of some cells (indices) as a CSR matrix; called if the length scale is
        learnt.
    gp : dict
        Keys of the section gp: kernel, sigma, ls, ls_factor, tol, max_rank.

    Returns
    -------
    basis : statediff.basis.Basis
    smoothness : statediff.smoothness.Smoothness or None
        None where the length scale was given.
    tol : float
        Tolerance of the basis.
    """
    trained = members["reference"] | members["compared"]
    ls, smoothness = gp["ls"], None
    kernel, linear = base_kernel(gp["kernel"])
    if ls is None and gp["ls_factor"] is not None:
        ls = length_scale(nearest_distances(states[members["reference"]]), gp["ls_factor"])
    elif ls is None:
        cells = choose_cells(trained)
        smoothness = learn_scale(states[cells], expression_rows(cells), kernel=kernel)
        ls = length_scales(smoothness.ls)
        if smoothness.at_end:
            warnings.warn(
                "expression hardly follows the cell states: no length scale explains it better "
                "than a constant, or the best is the largest or smallest that is allowed (now "
                f"{fraction(smoothness.ls / smoothness.extent)} times the extent of the states); "
                "expected other states (dataset.cell_states), or a length scale of your own "
                "(gp.ls): see docs/warnings.md#length-scale",
                DataWarning,
                stacklevel=2,
            )
    noise = 1.0 if gp["sigma"] is None else gp["sigma"]
    tol = smoothness.tolerance(int(trained.sum())) if gp["tol"] is None else gp["tol"]
    enough = None if smoothness is None else TOLERABLE * tol
    basis = build_basis(states[trained], ls, tol, gp["max_rank"], noise, linear, enough, kernel)
    return basis, smoothness, tol


def fit_conditions(phi, states, members, expression, basis, contrast, sigma=None, covariance="sum"):
    """Fit the expression of all genes in both conditions, in one pass over the expression matrix.

    Parameters
    ----------
    phi : array or similar (`statediff.basis_values`), shape (cells, r)
        Values of the basis, with a constant where `sigma` is None: the mean of each gene is its
        coefficient. They are read block by block.
    states : ndarray, shape (cells, D)
    members : dict of ndarray
        From `statediff.contrast.find_cells`.
    expression : iterable of (int, scipy.sparse.csr_matrix)
        Row blocks of the expression of all cells.
    basis : statediff.basis.Basis
    contrast : dict
        Names of the conditions, by role.
    sigma : float, optional
        Standard deviation of the noise of every gene; learnt, with the signal, if it is None.
    covariance : {"sum", "mean"}
        Of the fold change: see `statediff.expression.whitener`.

    Returns
    -------
    arrays : dict of ndarray
        The mean of `phi` over the evaluated cells (``phi_mean``); ``whitener`` (levels, r, r); and
        of each condition ``prior_``, ``modes_`` and ``spectrum_`` of the posterior,
        ``coefficients_`` (genes, r), ``relative_std_`` (cells, levels) and ``std_`` (cells,).
        ``signal_``: signal-to-noise ratio and noise of the genes. With samples ``between``
        (samples, genes, r).
    attributes : dict
        ``eps``, ``covariance``, effective degrees of freedom (``freedom_``), ``signal_median``,
        and ``sigma`` where it is given, else ``genes_following``.
    """
    roles = [members[role] for role in ROLES]
    trained = roles[0] | roles[1]
    priors = [basis.prior(states[role]) for role in roles]
    if sigma is None:
        priors = [np.pad(prior, ((0, 0), (0, 1))) for prior in priors]
    replicates = [
        [members["sample"] == code for code in members.get(f"samples_{role}", ())] for role in ROLES
    ]
    # What is left of a condition without its replicates is the last of its parts.
    groups = [
        [*masks, role & ~np.any([np.zeros_like(role), *masks], axis=0)]
        for role, masks in zip(roles, replicates, strict=True)
    ]
    sums, squares = cross_products(expression, phi, groups[0] + groups[1])
    of_parts = sums[: len(groups[0])], sums[len(groups[0]) :]
    crosses = [sum(of_role) for of_role in of_parts]
    of_replicates = [of_role[:-1] for of_role in of_parts]
    found = [grams(phi, parts) for parts in groups]
    posteriors = [
        Posterior.fit(of_parts.sum(axis=0), prior)
        for (of_parts, _), prior in zip(found, priors, strict=True)
    ]
    if sigma is None:
        totals = [of_parts.sum(axis=0) for _, of_parts in found]
        signal = learn_signal_to_noise(
            posteriors,
            crosses,
            [cross[-1] for cross in crosses],
            [sum(squares[: len(groups[0])]), sum(squares[len(groups[0]) :])],
            [int(role.sum()) for role in roles],
            totals,
        ).used()
        crosses = [
            cross - np.outer(total, signal.mean)
            for cross, total in zip(crosses, totals, strict=True)
        ]
        of_replicates = [
            [
                cross - np.outer(total, signal.mean)
                for cross, total in zip(own, of_parts, strict=False)
            ]
            for own, (_, of_parts) in zip(of_replicates, found, strict=True)
        ]
    else:
        signal = SignalToNoise.given(sigma, crosses[0].shape[1])
    freedom = signal.freedom(posteriors)
    warn_of_few(freedom, [contrast[role] for role in ROLES])
    eps = relative_eps(sigma)
    factor = triangular_factor(phi, trained)
    arrays = {
        "phi_mean": phi_means(phi, [members["evaluated"]])[0],
        "whitener": np.array(
            [whitener(factor, posteriors, rho, covariance, eps) for rho in signal.levels]
        ),
    }
    arrays |= signal.arrays()
    for role, prior, posterior, cross in zip(ROLES, priors, posteriors, crosses, strict=True):
        arrays[f"prior_{role}"] = prior
        arrays[f"modes_{role}"] = posterior.modes
        arrays[f"spectrum_{role}"] = posterior.eigenvalues
        weights = gene_weights(posterior, cross, signal)
        of_level = np.empty((len(phi), len(signal.levels)), dtype=np.float32)
        mean_variance = np.zeros(len(phi))
        for rows, block in phi_blocks(phi):
            unexplained = basis.unexplained(block)
            for rho, index, genes in signal.slices():
                variance = posterior.variance(block, unexplained, rho) + eps
                of_level[rows, index] = np.sqrt(variance)
                share = (signal.noise[genes] ** 2).sum() / len(signal.noise)
                mean_variance[rows] += variance * share
        if sigma is None:
            weights[-1] = signal.mean
        # Genes first, so that a chunk of genes is one contiguous piece of a file.
        arrays[f"coefficients_{role}"] = np.ascontiguousarray(weights.T)
        # Of each signal-to-noise ratio, relative to the noise; and root mean square over genes.
        arrays[f"relative_std_{role}"] = of_level
        arrays[f"std_{role}"] = np.sqrt(mean_variance)
    if any(replicates):
        kept = [of_parts[:-1] for of_parts, _ in found]
        between = replicate_deviations(kept, of_replicates, priors, signal)
        arrays["between"] = between.swapaxes(1, 2)
    attributes = {"covariance": covariance, "eps": eps}
    attributes |= {f"freedom_{role}": value for role, value in zip(ROLES, freedom, strict=True)}
    attributes["signal_median"] = float(np.median(signal.levels[signal.level]))
    if sigma is None:
        attributes["genes_following"] = int(signal.follows.sum())
    else:
        attributes["sigma"] = sigma
    return arrays, attributes
