"""Reduce the source file to what the workflow reads, and check it on the way."""

import json
import warnings

import numpy as np
from _inputs import check_names, find_matrix, read_obsm
from _job import run
from anndata.io import read_elem, write_elem
from statediff import DataWarning, InputError
from statediff.store import create_h5ad, described, open_h5ad, row_blocks, write_csr


def main(job):
    config = job.params
    with open_h5ad(job.input[0]) as source, create_h5ad(job.output[0]) as store:
        obs, var = read_elem(source["obs"]), read_elem(source["var"])
        check_names(obs, var)
        arrays = {key: read_obsm(source, key, option) for key, option in config.obsm.items()}
        matrix = find_matrix(source, config.layer, "dataset.layer", (len(obs), len(var)))
        write_elem(store, "obs", with_categories(obs))
        write_elem(store, "var", with_categories(var))
        write_elem(store, "obsm", arrays)
        uns = source.get("uns", {})
        write_elem(store, "uns", {k: read_elem(uns[k]) for k in uns if kept(k)})
        write_csr(store.create_group("X"), checked_blocks(matrix, config.layer, var), len(var))
        # No slot of an AnnData: what is made from the store says it in a record of its own.
        made = source.attrs["source"] if config.preprocessed else None
        store.attrs["source"] = made or json.dumps(described(job.input[0]))


def kept(key):
    """Whether an element of uns is read later: colours, and eigenvalues of diffusion maps."""
    return key.endswith("_colors") or key == "DM_EigenValues"


def with_categories(table):
    """Table with its text as categories: scanpy draws by them, cellxgene takes nothing else."""
    text = table.select_dtypes(["object", "string"]).astype(object)
    return table.assign(**{name: text[name].astype("category") for name in text})


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
            "log-normalised expression is expected (dataset.layer; dataset.preprocess makes it)",
            DataWarning,
            stacklevel=1,
        )


run(main, snakemake)
