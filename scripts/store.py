"""Reduce the source file to what the workflow reads, and check it on the way."""

import json
import warnings

import numpy as np
from _inputs import listed, read_obsm
from _job import run
from anndata.io import read_elem, write_elem
from statediff import DataWarning, InputError
from statediff.store import (
    create_h5ad,
    described,
    matrix_shape,
    open_h5ad,
    row_blocks,
    write_csr,
)


def main(job):
    config = job.params
    with open_h5ad(job.input[0]) as source, create_h5ad(job.output[0]) as store:
        obs, var = read_elem(source["obs"]), read_elem(source["var"])
        check_names(obs.index, "cell")
        check_names(var.index, "gene")
        arrays = {key: read_obsm(source, key, option) for key, option in config.obsm.items()}
        matrix = expression(source, config.layer)
        if matrix_shape(matrix) != (len(obs), len(var)):
            raise InputError(
                f"dataset.layer: expression has shape {matrix_shape(matrix)}, "
                f"expected {len(obs)} cells × {len(var)} genes"
            )
        write_elem(store, "obs", with_categories(obs))
        write_elem(store, "var", with_categories(var))
        write_elem(store, "obsm", arrays)
        uns = source.get("uns", {})
        write_elem(store, "uns", {k: read_elem(uns[k]) for k in uns if k.endswith("_colors")})
        write_csr(store.create_group("X"), checked_blocks(matrix, config.layer, var), len(var))
        # No slot of an AnnData: what is made from the store says it in a record of its own.
        store.attrs["source"] = json.dumps(described(job.input[0]))


def check_names(names, kind):
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"dataset.source: {len(repeated)} {kind} names occur more than once, such as "
            f"{listed(repeated)}; make them unique (AnnData's "
            f"{'obs' if kind == 'cell' else 'var'}_names_make_unique)"
        )


def with_categories(table):
    """Table with its text as categories: scanpy draws by them, cellxgene takes nothing else."""
    text = table.select_dtypes(["object", "string"]).astype(object)
    return table.assign(**{name: text[name].astype("category") for name in text})


def expression(source, layer):
    if layer is None:
        if "X" not in source:
            raise InputError("dataset.layer: null stands for X, but the file has no X")
        return source["X"]
    if layer not in source.get("layers", {}):
        found = listed(source.get("layers", {}))
        raise InputError(f"dataset.layer: no layer {layer!r}; there are: {found} (null: X)")
    return source[f"layers/{layer}"]


def checked_blocks(matrix, layer, var):
    """Row blocks as they come, refusing non-finite values and warning of raw counts."""
    whole = True
    for start, block in row_blocks(matrix):
        block = block.astype(np.float32)
        bad = ~np.isfinite(block.data)
        if bad.any():
            row, column = (axis[bad][0] for axis in block.tocoo().coords)
            raise InputError(
                f"dataset.layer: expression ({layer or 'X'}) is NaN or infinite in cell row "
                f"{start + row}, gene {var.index[column]!r}; expected finite values of float32"
            )
        whole = whole and bool((block.data == np.round(block.data)).all())
        yield block
    if whole:
        warnings.warn(
            f"the expression ({layer or 'X'}) holds whole numbers only, like raw counts; "
            "log-normalised expression is expected (dataset.layer)",
            DataWarning,
            stacklevel=1,
        )


run(main, snakemake)
