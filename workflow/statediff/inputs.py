"""Reading and checking parts of a user's file."""

import json
import math
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from statediff import InputError
from statediff.messages import close_matches, listed
from statediff.source import open_source
from statediff.store import described

__all__ = [
    "check_finite",
    "check_names",
    "check_space",
    "coordinates",
    "find_counts",
    "find_genes",
    "find_matrix",
    "read_obsm",
    "recorded",
]


@contextmanager
def recorded(path, modality=None):
    """Open a user's file, and ensure that its contents match the checksum given by `record`.

    Yields
    ------
    source : Source
    record : callable
        Name, size and checksum as JSON, to be called when all is read.
    """
    before = state(path)

    def record():
        found = json.dumps(described(path))
        if state(path) != before:
            raise InputError(
                f"{path}: changed while it was read; run again when no other program writes it "
                "(dataset.source)"
            )
        return found

    with open_source(path, modality) as source:
        yield source, record


def state(path):
    """Properties that change if a file is written or replaced; for a folder, of all its files."""
    path = Path(path)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [file.stat() for file in files if file.exists()]
    return [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in found]


def check_names(obs, var):
    """Raise an error if cells or genes share a name."""
    for kind, axis, names in (("cell", "obs", obs.index), ("gene", "var", var.index)):
        repeated = names[names.duplicated()].unique()
        if len(repeated):
            raise InputError(
                f"dataset.source: {len(repeated)} {kind} names occur more than once, such as "
                f"{listed(repeated)}; make them unique (AnnData's {axis}_names_make_unique)"
            )


def find_matrix(source, layer, option):
    """The layer that an option names, or X; dense, CSR or CSC."""
    layers = source.keys("layers")
    if layer is None and not source.has_x:
        hint = "; it has raw (dataset.preprocess.counts)" if source.has_raw else ""
        raise InputError(
            f"{option}: null stands for X, but the file has no X{hint}; its layers are: "
            f"{listed(layers)}"
        )
    if layer is not None and layer not in layers:
        hint = "; dataset.preprocess makes it from raw counts" if layer == "logged_counts" else ""
        raise InputError(
            f"{option}: no layer {layer!r}; there are: {listed(layers)} (null: X){hint}"
        )
    return source.matrix("X" if layer is None else f"layers/{layer}", option)


def find_counts(source, name, option):
    """Raw counts in a layer, in X (also by null) or in raw, and the annotation of their genes."""
    layers = source.keys("layers")
    if name in layers:
        return source.matrix(f"layers/{name}", option), source.var
    if name in (None, "X") and source.has_x:
        return source.matrix("X", option), source.var
    if name == "raw" and source.has_raw:
        return source.matrix("raw", option), source.raw_var
    others = [other for other, there in (("X", source.has_x), ("raw", source.has_raw)) if there]
    raise InputError(
        f"{option}: no layer {name or 'X'!r}; there are: {listed(layers)} (beside the layers: "
        f"{listed(others)})"
    )


def read_obsm(source, key, option):
    """Cell states or coordinates as a dense array of finite numbers."""
    if not source.has("obsm", key):
        raise InputError(f"{option}: no obsm key {key!r}; there are: {listed(source.keys('obsm'))}")
    from scipy import sparse

    try:
        values = source.read("obsm", key)
        dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
        values = dense.astype(np.float64)
    except Exception as error:  # of any kind: the file may hold anything
        raise InputError(f"{option}: obsm {key!r} is not a numeric matrix ({error})") from None
    if values.ndim != 2 or len(values) != source.n_cells:
        raise InputError(
            f"{option}: obsm {key!r} has shape {values.shape}, expected a row for each of the "
            f"{source.n_cells} cells"
        )
    check_finite(values, f"{option}: obsm {key!r}")
    return values


def coordinates(config):
    """Keys of obsm that are read, by the option that names each."""
    found = {}
    for option in ("cell_states", "embedding"):
        section = config["dataset"][option]
        if section["compute"]:
            found[f"dataset.{option}.compute.from"] = section["compute"]["from"]
        else:
            found[f"dataset.{option}.key"] = section["key"]
    if config["contrasts"] and config["fdr"]["test"] in ("residual", "labels"):
        found["fdr.blocks_from"] = config["fdr"]["blocks_from"]
    return found


def find_genes(names, wanted, option, labels=()):
    """Columns of some genes, by their names or else by the labels that they are shown by."""
    columns = {label: column for column, label in enumerate(labels)}
    columns |= {name: column for column, name in enumerate(names)}
    unknown = [gene for gene in wanted if gene not in columns]
    if unknown:
        told = "; ".join(f"{gene!r}{close_matches(gene, [*columns])}" for gene in unknown[:5])
        rest = f"; and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InputError(f"{option}: not among the {len(names)} genes: {told}{rest}")
    return np.array([columns[gene] for gene in wanted], dtype=int)


def check_finite(values, name):
    """Raise an error if a row of a matrix, which is called `name`, is not finite."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise InputError(
            f"{name} holds NaN or infinite values in {bad.size} cells (first: row {bad[0]}); "
            "expected finite numbers"
        )


def check_space(folder, matrix, config):
    """Raise an error if the disk has no space for the dense layers, whose jobs run last."""
    layers = config["expression"]["layers"]
    dense = len(layers) + ("smoothed" in layers)  # one a condition
    # In a file of each chunk of genes and in the AnnData.
    values = 2 * dense * math.prod(matrix.shape) * len(config["contrasts"])
    needed = 4 * values + 8 * matrix.stored
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if free + there < needed:
        raise InputError(
            f"{folder}: {free / 1e9:,.1f} GB are free, and the results need {needed / 1e9:,.1f} GB "
            "or more; free some space, work on another disk (--directory), or write fewer layers "
            "(expression.layers)"
        )
