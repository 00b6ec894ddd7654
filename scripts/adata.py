"""The results of a contrast as an AnnData with Kompot's field names."""

import json

import h5py
import numpy as np
import pandas as pd
from _job import run
from anndata.io import read_elem, write_elem
from shareable import without_folders
from statediff.provenance import (
    DIRECTION_COLORS,
    DIRECTIONS,
    abundance_fields,
    abundance_run,
    expression_fields,
    expression_run,
    group_column,
)
from statediff.store import create_h5ad, create_slot, read_arrays

# Of a layer, at a time.
VALUES = 1 << 24
LAYERS = {
    "smoothed": ("smoothed_reference", "smoothed_compared"),
    "fold_change": ("fold_change",),
    "fold_change_zscores": ("fold_change_zscores",),
}
ADDITIONAL = ("tail_fdr", "neg_log10_ptp")
IN_GROUPS = ("mean_lfc", "mahalanobis", "local_fdr", "is_de")
OF_SUMMARY = ("dataset", "contrast", "conditions", "conventions", "versions", "stages")
COORDINATES = {
    "states": "cell states, on which the models live",
    "embedding": "coordinates to draw the cells on",
}


def main(job):
    config, contrast = job.params, job.params.contrast
    conditions = contrast["reference"], contrast["compared"]
    replicates = contrast["sample"] is not None
    da_fields = abundance_fields(*conditions, replicates)
    genes, fdr = read_arrays(job.input.fdr)
    calibrated = fdr["ranking"] != "mahalanobis"
    de_fields = expression_fields(*conditions, replicates, calibrated)
    skipped = set() if config.additional_stats else set(ADDITIONAL)
    if not (calibrated or config.additional_stats):
        skipped.add("pvalue")
    skipped |= {role for layer in LAYERS if layer not in config.layers for role in LAYERS[layer]}
    if not job.input.get("groups"):
        skipped |= {f"{role}_groups" for role in IN_GROUPS}
    de_fields = {role: field for role, field in de_fields.items() if role not in skipped}

    abundance, _ = read_arrays(job.input.abundance)
    density, ls = read_arrays(job.input.density, "log_density_reference", "log_density_compared")
    da_fields = {role: da_fields[role] for role in da_fields if role in abundance | density}
    fit, basis = read_arrays(job.input.fit, "std_reference", "std_compared")
    with h5py.File(job.input.store, "r") as store, create_h5ad(job.output[0]) as out:
        obs, var = read_elem(store["obs"]), read_elem(store["var"])
        obs = with_fields(obs, abundance | density, da_fields)
        obs = with_fields(obs, fit, de_fields)
        var = with_fields(var, genes, de_fields)
        write_elem(out, "obs", obs)
        write_elem(out, "var", var)
        store.copy("X", out)
        store.copy("obsm", out)
        store.copy("uns", out)
        made = [field[:2] + field[3:] for field in (*da_fields.values(), *de_fields.values())]
        made += write_coordinates(out, job.input.states, "states", config.settings["states"])
        made += write_coordinates(out, job.input.embedding, "embedding", config.embedding)
        with h5py.File(job.input.fit, "r") as arrays:
            write_elem(out, f"obsm/{de_fields['phi'][1]}", arrays["phi"][:].astype(np.float32))
            for role in ("coefficients_reference", "coefficients_compared"):
                write_elem(out, f"varm/{de_fields[role][1]}", arrays[role][:].astype(np.float32))
        grouped = None
        if job.input.get("groups"):
            grouped = write_groups(out, job.input.groups, de_fields, var.index)
        write_layers(out, job.input.genes, de_fields, (len(obs), len(var)))

        settings = without_folders(config.settings) | contrast | config.groups
        # The length scales as they were used.
        de_settings = settings | {"gp": settings["gp"] | {"ls": basis["ls"]}}
        shared = {key: settings["gp"][key] for key in ("ls_factor", "tol", "max_rank")}
        scales = {key: ls[key] for key in ("ls", "ls_reference", "ls_compared") if key in ls}
        da_settings = settings | {"gp": shared | scales}
        called = {
            "n_de": fdr["n_de"],
            "n_genes": len(var),
            "mahalanobis_threshold": fdr["mahalanobis_threshold"] if fdr["n_de"] else None,
            "groups": grouped,
        }
        colors = [DIRECTION_COLORS[name] for name in DIRECTIONS]
        colors_key = f"{da_fields['lfc_direction'][1]}_colors"
        write_elem(out, f"uns/{colors_key}", np.array(colors))
        made.append(("uns", colors_key, "colours of the directions"))
        write_run(out, "kompot_da", da_fields, abundance_run(da_fields, da_settings))
        write_run(out, "kompot_de", de_fields, expression_run(de_fields, de_settings, called))
        made += [
            ("uns", f"kompot_{kind}", "record of the run, for Kompot") for kind in ("da", "de")
        ]
        write_record(out, job.input.summary, made)


def with_fields(table, arrays, fields):
    """Table with the result columns that belong in it."""
    columns = {}
    for role in [role for role in fields if role in arrays]:
        values = arrays[role]
        if role == "lfc_direction":
            values = pd.Categorical.from_codes(values, DIRECTIONS)
        elif values.dtype.kind == "f":
            # Kompot's figures print no numbers of single precision.
            values = values.astype(np.float64)
        columns[fields[role][1]] = values
    kept = table.drop(columns=columns, errors="ignore")
    return pd.concat([kept, pd.DataFrame(columns, index=table.index)], axis=1)


def write_groups(out, path, fields, genes):
    """Data frames of the groups, one column each; returns the columns."""
    arrays, _ = read_arrays(path)
    columns = [group_column(name) for name in arrays["names"]]
    for role in IN_GROUPS:
        frame = pd.DataFrame(arrays[role].T, index=genes, columns=columns)
        write_elem(out, f"varm/{fields[f'{role}_groups'][1]}", frame)
    return columns


def write_coordinates(out, path, name, key):
    """Coordinates that were computed, or that the store does not hold; returns what was written."""
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
                cells = max(1, VALUES // (stop - start) // whole) * whole
                for row in range(0, shape[0], cells):
                    rows = slice(row, row + cells)
                    layers[name][rows, start:stop] = chunk[role][rows]


def write_run(out, key, fields, entry):
    """Run history, JSON as Kompot keeps it."""
    written = {}
    for slot, name, *_ in fields.values():
        written.setdefault(slot, {})[name] = 0
    record = {
        "run_history": json.dumps([entry]),
        "last_run_info": json.dumps(entry),
        "anndata_fields": json.dumps(written),
    }
    write_elem(out, f"uns/{key}", record)


def write_record(out, path, fields):
    """How this file came about, and the fields that were added to those of the source."""
    with open(path) as file:
        summary = json.load(file)
    fields = [*fields, ("uns", "statediff", "this record: how the file came about")]
    found = summary["provenance"] | {key: summary[key] for key in OF_SUMMARY}
    described = [dict(zip(("slot", "name", "meaning"), field, strict=True)) for field in fields]
    write_elem(out, "uns/statediff", json.dumps(found | {"fields": described}))


run(main, snakemake)
