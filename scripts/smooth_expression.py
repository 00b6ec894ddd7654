"""Smoothed expression of a few genes, learnt in one population, at all cells."""

import json

import h5py
import numpy as np
from _job import run
from _record import record
from anndata.io import read_elem, write_elem
from statediff import EPS
from statediff.basis import build_basis
from statediff.expression import Posterior, cross_products
from statediff.neighbours import length_scale, nearest_distances
from statediff.provenance import versions
from statediff.store import create_h5ad, read_arrays, read_columns

CELLS = 16384


def main(job):
    gp = job.params.gp
    chosen, _ = read_arrays(job.input.cells)
    population, genes = chosen["population"], chosen["genes"]
    states = read_arrays(job.input.states, "states")[0]["states"]
    members, linear = states[population], gp["kernel"] == "matern52+linear"
    ls = gp["ls"] or length_scale(nearest_distances(members), gp["ls_factor"])
    basis = build_basis(members, ls, gp["tol"], gp["max_rank"], gp["sigma"], linear)
    phi = basis(states)
    with h5py.File(job.input.store, "r") as store:
        obs, var = read_elem(store["obs"]), read_elem(store["var"])
        measured = read_columns(store["X"], genes)
    (cross,) = cross_products([(0, measured)], phi, [population])
    gram = phi[population].T @ phi[population]
    posterior = Posterior.fit(gram, gp["sigma"], basis.prior(members))
    obs["in_population"] = population
    variance = posterior.variance(phi, basis.unexplained(phi))
    obs["smoothed_std"] = np.sqrt(variance + EPS).astype(np.float32)
    embedding = read_arrays(job.input.embedding, "embedding")[0]["embedding"]
    with create_h5ad(job.output[0]) as out:
        write_elem(out, "obs", obs)
        write_elem(out, "var", var.iloc[genes])
        write_smoothed(out, phi, posterior.weights(cross))
        write_elem(out, "layers/expression", measured)
        write_elem(out, f"obsm/{job.params.embedding}", embedding)
        used = gp | {"ls": basis.ls, "rank": basis.rank, "residual_max": basis.residual_max}
        write_elem(out, "uns/smooth", used)
        write_elem(out, "uns/statediff", json.dumps(record(job) | {"versions": versions()}))


def write_smoothed(out, phi, weights):
    """X, a block of cells at a time."""
    layer = out.create_dataset("X", (len(phi), weights.shape[1]), dtype=np.float32)
    layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for start in range(0, len(phi), CELLS):
        rows = slice(start, start + CELLS)
        layer[rows] = phi[rows] @ weights


run(main, snakemake)
