"""Smoothed expression of a few genes, learnt in one population, at all cells."""

import json

import h5py
import numpy as np
from _job import run
from _record import record
from _states import read_states
from anndata.io import read_elem, write_elem
from statediff import EPS
from statediff.basis import build_basis
from statediff.expression import Posterior, cross_products, gene_weights
from statediff.kernels import base_kernel
from statediff.neighbours import length_scale, nearest_distances
from statediff.provenance import versions
from statediff.smoothness import (
    SignalToNoise,
    choose_cells,
    learn_scale,
    learn_signal_to_noise,
    length_scales,
)
from statediff.store import create_h5ad, read_arrays, read_columns, read_rows

CELLS = 16384


def main(job):
    gp = job.params.gp
    chosen, _ = read_arrays(job.input.cells)
    population, genes = chosen["population"], chosen["genes"]
    states, _ = read_states(job.input.states, gp["metric"])
    members, (kernel, linear) = states[population], base_kernel(gp["kernel"])
    with h5py.File(job.input.store, "r") as store:
        obs, var = read_elem(store["obs"]), read_elem(store["var"])
        measured = read_columns(store["X"], genes)
        ls, tol = scale_of(gp, members, population, store["X"])
    noise = 1.0 if gp["sigma"] is None else gp["sigma"]
    basis = build_basis(members, ls, tol, gp["max_rank"], noise, linear, kernel=kernel)
    phi = basis(states)
    (cross,), (squares,) = cross_products([(0, measured)], phi, [population])
    posterior = Posterior.fit(phi[population].T @ phi[population], basis.prior(members))
    if gp["sigma"] is None:
        sums = np.asarray(measured[population].sum(axis=0, dtype=np.float64)).ravel()
        totals = phi[population].sum(axis=0)
        signal = learn_signal_to_noise(
            [posterior], [cross], [sums], [squares], [int(population.sum())], [totals]
        )
        cross = cross - np.outer(totals, signal.mean)
    else:
        signal = SignalToNoise.given(gp["sigma"], len(genes))
    obs["in_population"] = population
    unexplained = basis.unexplained(phi)
    variance = np.zeros(len(phi))
    for rho, _, of_level in signal.slices():
        shared = (signal.noise[of_level] ** 2).sum() / len(genes)
        variance += posterior.variance(phi, unexplained, rho) * shared
    # Root mean square over the genes.
    obs["smoothed_std"] = np.sqrt(variance + EPS).astype(np.float32)
    embedding = read_arrays(job.input.embedding, "embedding")[0]["embedding"]
    with create_h5ad(job.output[0]) as out:
        write_elem(out, "obs", obs)
        write_elem(out, "var", var.iloc[genes])
        write_smoothed(out, phi, gene_weights(posterior, cross, signal), signal.mean)
        write_elem(out, "layers/expression", measured)
        write_elem(out, f"obsm/{job.params.embedding}", embedding)
        used = {key: value for key, value in gp.items() if value is not None}
        used |= {"tol": tol, "rank": basis.rank, "residual_max": basis.residual_max}
        used["ls"] = float(np.median(basis.ls))
        write_elem(out, "uns/smooth", used)
        write_elem(out, "uns/statediff", json.dumps(record(job) | {"versions": versions()}))


def scale_of(gp, states, population, expression):
    """Length scale of the population, given, by distances of neighbours, or learnt, and the
    tolerance of its basis."""
    if gp["ls"] is not None:
        return gp["ls"], gp["tol"]
    if gp["ls_factor"] is not None:
        return length_scale(nearest_distances(states), gp["ls_factor"]), gp["tol"]
    cells = choose_cells(population)
    of_population = np.searchsorted(np.flatnonzero(population), cells)
    smoothness = learn_scale(
        states[of_population], read_rows(expression, cells), kernel=base_kernel(gp["kernel"])[0]
    )
    tol = smoothness.tolerance(len(states)) if gp["tol"] is None else gp["tol"]
    return length_scales(smoothness.ls), tol


def write_smoothed(out, phi, weights, mean):
    """X, a block of cells at a time."""
    layer = out.create_dataset("X", (len(phi), weights.shape[1]), dtype=np.float32)
    layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for start in range(0, len(phi), CELLS):
        rows = slice(start, start + CELLS)
        layer[rows] = phi[rows] @ weights + mean


run(main, snakemake)
