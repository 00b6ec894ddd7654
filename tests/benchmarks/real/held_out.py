"""Predictions of cells that were held out, with the learnt smoothness and with the published one.

Whole samples are held out, one after another, where each condition has two or more; otherwise a
tenth of the cells. States are those of a run of the workflow, in both metrics.
"""

import h5py
import numpy as np
from scipy import sparse
from scipy.special import expit, logit
from statediff.basis import build_basis
from statediff.design import Design
from statediff.diffusion import scaled_components
from statediff.expression import Posterior, gene_weights
from statediff.neighbours import length_scale, nearest_distances
from statediff.ratio import fit_ratio, informative, learn_amplitude
from statediff.smoothness import (
    SignalToNoise,
    choose_cells,
    learn_scale,
    learn_signal_to_noise,
    length_scales,
)
from statediff.store import read_arrays

__all__ = ["compare"]

ROLES = ("reference", "compared")
# The published length scale: this factor times the distance of neighbours.
FACTOR, TOLERANCE, MAX_RANK = 10.0, 1e-6, 2000
# Parts of the cells where no samples can be held out.
FOLDS = 10


def compare(folder, contrast):
    """Mean log predictive densities (nats) of expression and of labels.

    Parameters
    ----------
    folder : pathlib.Path
        Results of a data set, computed under the conventions `standard`.
    contrast : str

    Returns
    -------
    dict of str to dict of str to float
        For `learnt` and `published`: `expression`, per value of a gene in a cell, over genes found
        in ten cells or more; `labels`, per cell.
    """
    members, _ = read_arrays(folder / contrast / "stages/cells.h5")
    arrays, _ = read_arrays(folder / "data/cell_states.h5")
    with h5py.File(folder / "data/store.h5ad") as store:
        parts = (store["X"][name][:] for name in ("data", "indices", "indptr"))
        expression = sparse.csr_matrix(tuple(parts), shape=store["X"].attrs["shape"])
    cells = np.flatnonzero(members["reference"] | members["compared"])
    labels = members["compared"][cells]
    expression = expression[cells]
    expression = expression[:, np.asarray((expression > 0).sum(axis=0)).ravel() >= 10]
    states = {
        "learnt": scaled_components(arrays["states"], arrays["eigenvalues"])[cells],
        "published": arrays["states"][cells],
    }
    total = {way: {"expression": [], "labels": []} for way in states}
    for held in _folds(members, cells, labels):
        for way, coordinates in states.items():
            fits = _predict(coordinates, expression, labels, held, way == "learnt")
            for what, densities in zip(("expression", "labels"), fits, strict=True):
                total[way][what].append(densities)
    return {
        way: {what: float(np.concatenate(values).mean()) for what, values in found.items()}
        for way, found in total.items()
    }


def _folds(members, cells, labels):
    """Masks of the cells that are held out."""
    if "sample" in members and min(len(members[f"samples_{role}"]) for role in ROLES) >= 2:
        samples = members["sample"][cells]
        return [samples == code for code in np.unique(samples[samples >= 0])]
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    return [fold == 0]


def _predict(states, expression, labels, held, learnt):
    """Log predictive densities of expression (mean of each held-out cell) and of labels."""
    kept = np.flatnonzero(~held)
    if learnt:
        chosen = choose_cells(~held)
        smoothness = learn_scale(states[chosen], expression[chosen])
        ls, tol = length_scales(smoothness.ls), smoothness.tolerance(len(kept))
    else:
        near = nearest_distances(states[kept][~labels[kept]])
        ls, tol = length_scale(near, FACTOR), TOLERANCE
    basis = build_basis(states[kept], ls, tol, MAX_RANK)
    phi = basis(states)
    groups = [kept[labels[kept] == condition] for condition in (False, True)]
    posteriors = [Posterior.fit(phi[group].T @ phi[group]) for group in groups]
    crosses = [(expression[group].T @ phi[group]).T for group in groups]
    feature_sums = [phi[group].sum(axis=0) for group in groups]
    if learnt:
        parts = [expression[group].astype(np.float64) for group in groups]
        signal = learn_signal_to_noise(
            posteriors,
            crosses,
            [np.asarray(part.sum(axis=0)).ravel() for part in parts],
            [np.asarray(part.power(2).sum(axis=0)).ravel() for part in parts],
            [len(group) for group in groups],
            feature_sums,
        )
    else:
        signal = SignalToNoise.given(1.0, expression.shape[1])
    densities = np.zeros(len(labels))
    unexplained = basis.unexplained(phi)
    for condition, posterior in enumerate(posteriors):
        tested = np.flatnonzero(held & (labels == bool(condition)))
        cross = crosses[condition] - np.outer(feature_sums[condition], signal.mean)
        mean = phi[tested] @ gene_weights(posterior, cross, signal) + signal.mean
        variance = np.empty_like(mean)
        for rho, _, genes in signal.slices():
            of_cells = 1.0 + posterior.variance(phi[tested], unexplained[tested], rho)
            variance[:, genes] = np.outer(of_cells, signal.noise[genes] ** 2)
        residual = expression[tested].toarray() - mean
        of_values = -0.5 * (np.log(2.0 * np.pi * variance) + residual**2 / variance)
        densities[tested] = of_values.mean(axis=1)
    design, conditions = Design.unpaired([0, 1]), labels.astype(int)
    amplitude = 1.0
    if learnt:
        amplitude, _ = learn_amplitude(phi[kept], conditions[kept], design, basis.eigenvalues)
    scaled = amplitude * phi[:, : informative(basis.eigenvalues, amplitude)]
    ratio = fit_ratio(scaled[kept], conditions[kept], design)
    probability = expit(logit(ratio.shares[1]) + ratio(scaled[held]))
    of_labels = np.log(np.where(labels[held], probability, 1.0 - probability))
    return densities[held], of_labels
