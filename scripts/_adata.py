"""Writing results into an AnnData file, slot by slot."""

import json

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem
from statediff.elements import paths
from statediff.h5ad import SLOTS
from statediff.provenance import group_column, run_record
from statediff.source import open_source
from statediff.store import create_slot, read_arrays

# Cells of a layer that are written at a time.
VALUES = 1 << 24
IN_GROUPS = ("mean_lfc", "adjusted_lfc", "mahalanobis", "local_fdr", "pvalue", "qvalue", "is_de")
OF_SUMMARY = ("dataset", "contrast", "conditions", "conventions", "versions", "stages")
COORDINATES = {
    "states": "cell states, on which the models are defined",
    "embedding": "coordinates for figures",
}


def write_rest(out, path, modality):
    """Copy other contents of the source, except its layers, which can be large.

    The contents are not needed, so that an error in them does not stop the run."""
    with open_source(path, modality) as source:
        for slot in SLOTS:
            written = create_slot(out, slot)
            there = [*written] if slot == "uns" else [*paths(written)]
            if slot != "uns":
                flatten(written)
            for key, value in source.readable(slot, there).items():
                name = key if slot == "uns" else key.replace("/", "_")
                if name in written:
                    source.warn(f"{slot}[{key!r}]", f"another is named {name!r}")
                    continue
                try:
                    write_elem(written, name, value)
                except OSError:
                    raise  # the disk, not the value
                except Exception as error:
                    written.pop(name, None)
                    source.warn(f"{slot}[{key!r}]", error)


def flatten(group):
    """Give names without slashes: AnnData opens no file with groups in these slots."""
    nested = [key for key in paths(group) if "/" in key]
    for key in nested:
        group.move(key, key.replace("/", "_"))
    for outer in {key.partition("/")[0] for key in nested}:
        del group[outer]


def write_compressed(out, path, fields):
    """Write basis and coefficients, from which any gene can be computed."""
    with h5py.File(path, "r") as fit:
        write_elem(out, f"obsm/{fields['phi'][1]}", fit["phi"][:].astype(np.float32))
        for role in ("coefficients_reference", "coefficients_compared"):
            write_elem(out, f"varm/{fields[role][1]}", fit[role][:].astype(np.float32))


def write_groups(out, path, fields, genes):
    """Data frames of the groups, one column each; returns the columns."""
    arrays, _ = read_arrays(path)
    columns = [group_column(name) for name in arrays["names"]]
    for role in IN_GROUPS:
        if f"{role}_groups" not in fields:
            continue  # a statistic of another test
        frame = pd.DataFrame(arrays[role].T, index=genes, columns=columns)
        write_elem(out, f"varm/{fields[f'{role}_groups'][1]}", frame)
    return columns


def write_coordinates(out, path, name, key):
    """Write coordinates that were computed, or are not in the store; returns the fields written."""
    arrays, _ = read_arrays(path)
    made = []
    if key not in out["obsm"]:
        write_elem(out, f"obsm/{key}", arrays[name])
        made.append(("obsm", key, COORDINATES[name]))
    if "eigenvalues" in arrays:
        write_elem(out, "uns/DM_EigenValues", arrays["eigenvalues"])
        made.append(("uns", "DM_EigenValues", "eigenvalues of the diffusion maps"))
    return made


def write_layers(out, chunks, fields, shape):
    """Dense layers, gene chunk by gene chunk and a block of cells at a time."""
    layers = create_slot(out, "layers")
    for path in chunks:
        with h5py.File(path, "r") as chunk:
            start = chunk["start"][()]
            stop = start + len(chunk["mahalanobis"])
            for role in fields.keys() & chunk.keys():
                slot, name = fields[role][:2]
                if slot != "layers":
                    continue
                if name not in layers:
                    layer = layers.create_dataset(name, shape, np.float32, chunks=True)
                    layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
                # Whole chunks of the file, which are written once.
                whole = layers[name].chunks[0]
                cells = max(1, VALUES // max(stop - start, 1) // whole) * whole
                for row in range(0, shape[0], cells):
                    rows = slice(row, row + cells)
                    layers[name][rows, start:stop] = chunk[role][rows]


def write_run(out, key, fields, entry):
    """Run history, JSON as Kompot keeps it."""
    write_elem(out, f"uns/{key}", run_record(fields, entry))


def write_record(out, path, fields):
    """Write the provenance of the file and the fields that were added to those of the source."""
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    fields = [*fields, ("uns", "statediff", "this record: provenance of the file")]
    found = summary["provenance"] | {key: summary[key] for key in OF_SUMMARY}
    described = [dict(zip(("slot", "name", "meaning"), field, strict=True)) for field in fields]
    write_elem(out, "uns/statediff", json.dumps(found | {"fields": described}))
