"""Smoothed expression of a few genes, learnt in one population, at all cells."""

import json

import h5py
import numpy as np
from _job import run
from _record import record
from _states import read_states
from anndata.io import read_elem, write_elem
from statediff.basis_values import phi_blocks
from statediff.device import place
from statediff.provenance import versions
from statediff.smoothing import fit_population
from statediff.store import create_h5ad, read_arrays, read_columns, read_rows


def main(job):
    place(job.config["gp"]["device"])
    chosen, _ = read_arrays(job.input.cells)
    population, genes = chosen["population"], chosen["genes"]
    states, _ = read_states(job.input.states, job.params.gp["metric"])
    with h5py.File(job.input.store, "r") as store:
        obs, var = read_elem(store["obs"]), read_elem(store["var"])
        measured = read_columns(store["X"], genes)
        phi, weights, mean, std, used = fit_population(
            states, population, measured, lambda rows: read_rows(store["X"], rows), job.params.gp
        )
    obs["in_population"], obs["smoothed_std"] = population, std.astype(np.float32)
    embedding = read_arrays(job.input.embedding, "embedding")[0]["embedding"]
    with create_h5ad(job.output[0]) as out:
        write_elem(out, "obs", obs)
        write_elem(out, "var", var.iloc[genes])
        layer = out.create_dataset("X", (len(phi), len(genes)), dtype=np.float32)
        layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for rows, block in phi_blocks(phi):
            layer[rows] = block @ weights + mean
        write_elem(out, "layers/expression", measured)
        write_elem(out, f"obsm/{job.params.embedding}", embedding)
        write_elem(out, "uns/smooth", used)
        write_elem(out, "uns/statediff", json.dumps(record(job) | {"versions": versions()}))


if __name__ == "__main__":
    run(main, snakemake)
