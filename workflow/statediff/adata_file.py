"""The results of a contrast as an AnnData file, with Kompot's field names where it has some."""

import json

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from statediff.basis_values import phi_blocks
from statediff.design import sample_columns
from statediff.elements import paths
from statediff.fields import (
    abundance_fields,
    direction_colors,
    expression_fields,
    group_column,
    stem_of,
)
from statediff.h5ad import SLOTS
from statediff.normalisation import Normalisation
from statediff.observations import StoredObservations
from statediff.provenance import abundance_run, expression_run, run_record
from statediff.samples import describe_cells
from statediff.significance import rank_genes
from statediff.source import open_source
from statediff.store import create_slot, read_arrays, read_names
from statediff.tables import region_table, where_changed, with_fields

__all__ = ["write_adata", "write_rest"]

# Cells of a layer that are written at a time.
VALUES = 1 << 24
# How AnnData marks a dense array.
ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
IN_GROUPS = ("mean_lfc", "adjusted_lfc", "mahalanobis", "local_fdr", "pvalue", "qvalue", "is_de")
LAYERS = {
    "smoothed": ("smoothed_reference", "smoothed_compared"),
    "fold_change": ("fold_change",),
    "fold_change_zscores": ("fold_change_zscores",),
}
NUMERIC = ("adjusted_lfc", "lfc_per_unit")
LOCATED = ("changed_share", "pattern", "strongest_type", "strongest_type_lfc")
ADDITIONAL = ("tail_fdr", "neg_log10_ptp")
OF_SUMMARY = ("dataset", "contrast", "conditions", "conventions", "versions", "stages")
COORDINATES = {
    "states": "cell states, on which the models are defined",
    "embedding": "coordinates for figures",
}


def write_adata(out, files, options, settings, fit_numbers, where=None):
    """Write the results of all stages of a contrast into a new file.

    Parameters
    ----------
    out : h5py.File
        New.
    files
        Paths by attribute, as inputs of a rule: store, linear, source, cells, fit, fdr, abundance,
        density, states, embedding, genes (chunks), summary; and groups, localisation and blocks,
        if there are such results.
    options
        By attribute: entry of the contrast, its groups, key of the embedding, `layers`,
        `additional_stats` and `modality`.
    settings : dict
        For the record: states, layer, conventions, gp, abundance and fdr.
    fit_numbers : dict
        From `statediff.curves.describe_fit`.
    where : tuple, optional
        Arguments of `statediff.tables.where_changed` but for the number of genes.
    """
    genes, fdr = read_arrays(files.fdr)
    abundance, _ = read_arrays(files.abundance)
    density, ls = read_arrays(files.density, "log_density_reference", "log_density_compared")
    signal = [f"signal_{name}" for name in ("levels", "level", "noise")]
    fit, basis = read_arrays(files.fit, "std_reference", "std_compared", *signal)
    members, _ = read_arrays(files.cells)
    genes |= {"noise": fit["signal_noise"]}
    genes |= {"signal_to_noise": fit["signal_levels"][fit["signal_level"]]}
    groups = read_arrays(files.groups)[0] if files.get("groups") else None
    cells, regions = abundance | density, None
    with h5py.File(files.linear, "r") as linear:
        if "counts" not in linear:
            size_factors = genes.get("sample_factors")
            fit["size_factor"] = Normalisation.read(linear).of_samples(members, size_factors)
    with h5py.File(files.store, "r") as store:
        fit |= describe_cells(StoredObservations(store), options.contrast, members)
        if where is not None:
            names = read_names(store["var"])
            genes |= where_changed(*where, len(names))
            fit["block"] = read_arrays(files.blocks, "code")[0]["code"][0]
            regions = region_table(*where, names, rank_genes(genes, fdr["ranking"]))
        da_fields, de_fields = _fields(options, cells, genes, fit, groups, fdr["ranking"])
        obs = with_fields(read_elem(store["obs"]), cells, da_fields)
        obs = with_fields(obs, fit, de_fields)
        var = with_fields(read_elem(store["var"]), genes, de_fields)
        write_elem(out, "obs", obs)
        write_elem(out, "var", var)
        for slot in ("X", "obsm", "uns"):
            store.copy(slot, out)
    made = [field[:2] + field[3:] for field in (*da_fields.values(), *de_fields.values())]
    made += _write_coordinates(out, files.states, "states", settings["states"])
    made += _write_coordinates(out, files.embedding, "embedding", options.embedding)
    _write_compressed(out, files.fit, de_fields)
    grouped = None if groups is None else _write_groups(out, groups, de_fields, var.index)
    _write_layers(out, files.genes, de_fields, (len(obs), len(var)))
    colors_key = f"{da_fields['lfc_direction'][1]}_colors"
    write_elem(out, f"uns/{colors_key}", np.array(direction_colors()))
    made.append(("uns", colors_key, "colours of the directions"))
    stem = stem_of((options.contrast["reference"], options.contrast["compared"]))
    write_elem(out, f"uns/{stem}_fit", fit_numbers)
    made.append(("uns", f"{stem}_fit", "numbers of the figure of the fit"))
    if regions is not None:
        key = f"{stem}_gene_regions"
        write_elem(out, f"uns/{key}", regions.set_axis(regions.index.astype(str)))
        made.append(("uns", key, "table of where the called genes change"))
    called = {
        "n_de": fdr["n_de"],
        "n_genes": len(var),
        "mahalanobis_threshold": fdr["mahalanobis_threshold"] if fdr["n_de"] else None,
        "groups": grouped,
        "layer": None,
    }
    da_settings, de_settings = _used_settings(
        settings | options.contrast | options.groups, ls, basis
    )
    for key, fields, entry in (
        ("kompot_da", da_fields, abundance_run(da_fields, da_settings)),
        ("kompot_de", de_fields, expression_run(de_fields, de_settings, called)),
    ):
        # Run history, JSON as Kompot keeps it.
        write_elem(out, f"uns/{key}", run_record(fields, entry))
        made.append(("uns", key, "record of the run, for Kompot"))
    _write_record(out, files.summary, made)
    write_rest(out, files.source, options.modality)


def _fields(options, cells, genes, fit, groups, ranking):
    """Fields of abundance and of expression that are there and asked for."""
    contrast, calibrated = options.contrast, ranking != "mahalanobis"
    of_contrast = contrast["reference"], contrast["compared"], bool(sample_columns(contrast))
    skipped = set() if options.additional_stats else set(ADDITIONAL)
    if not (calibrated or options.additional_stats):
        skipped.add("pvalue")
    skipped |= {role for layer in LAYERS if layer not in options.layers for role in LAYERS[layer]}
    in_groups = groups or {}
    tested = ("local_fdr",) if "qvalue" in in_groups else ("pvalue", "qvalue")
    # Of genes that no test localises, without cell types, or of conditions that are no numbers.
    skipped |= {role for role in (*LOCATED, *NUMERIC) if role not in genes}
    skipped |= {"block", "size_factor"} - fit.keys()
    skipped |= {f"{role}_groups" for role in IN_GROUPS if role not in in_groups or role in tested}
    da_fields, de_fields = (
        abundance_fields(*of_contrast),
        expression_fields(*of_contrast, calibrated),
    )
    return (
        {role: field for role, field in da_fields.items() if role in cells},
        {role: field for role, field in de_fields.items() if role not in skipped},
    )


def _used_settings(settings, ls, basis):
    """Settings of both runs, with metric, length scales and amplitude as they were used."""
    chosen = {key: basis[key] for key in ("metric", "learnt", "tol")}
    shared = {key: settings["gp"][key] for key in ("ls_factor", "max_rank")}
    scales = {
        key: ls[key] for key in ("ls", "ls_reference", "ls_compared", "amplitude") if key in ls
    }
    found = shared | chosen | scales, settings["gp"] | chosen | {"ls": basis["ls"]}
    # Kompot refuses a record with settings that are null: what was learnt is left out.
    return tuple(
        settings | {"gp": {key: value for key, value in gp.items() if value is not None}}
        for gp in found
    )


def write_rest(out, path, modality):
    """Copy other contents of the source, except its layers, which can be large.

    The contents are not needed, so that an error in them does not stop the run."""
    with open_source(path, modality) as source:
        for slot in SLOTS:
            written = create_slot(out, slot)
            there = [*written] if slot == "uns" else [*paths(written)]
            if slot != "uns":
                _flatten(written)
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


def _flatten(group):
    """Give names without slashes: AnnData opens no file with groups in these slots."""
    nested = [key for key in paths(group) if "/" in key]
    for key in nested:
        group.move(key, key.replace("/", "_"))
    for outer in {key.partition("/")[0] for key in nested}:
        del group[outer]


def _write_compressed(out, path, fields):
    """Write basis, coefficients and deviations, from which any gene can be computed."""
    with h5py.File(path, "r") as fit:
        name, phi = f"obsm/{fields['phi'][1]}", fit["phi"]
        values = out.create_dataset(name, phi.shape, np.float32)
        values.attrs.update(ARRAY)
        for rows, block in phi_blocks(phi):
            values[rows] = block
        for role in ("reference", "compared"):
            std, weights = f"relative_std_{role}", f"coefficients_{role}"
            write_elem(out, f"obsm/{fields[std][1]}", fit[std][:])
            write_elem(out, f"varm/{fields[weights][1]}", fit[weights][:].astype(np.float32))


def _write_groups(out, arrays, fields, genes):
    """Data frames of the groups, one column each; returns the columns."""
    columns = [group_column(name) for name in arrays["names"]]
    for role in IN_GROUPS:
        if f"{role}_groups" not in fields:
            continue  # a statistic of another test
        frame = pd.DataFrame(arrays[role].T, index=genes, columns=columns)
        write_elem(out, f"varm/{fields[f'{role}_groups'][1]}", frame)
    return columns


def _write_coordinates(out, path, name, key):
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


def _write_layers(out, chunks, fields, shape):
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
                    layer.attrs.update(ARRAY)
                # Whole chunks of the file, which are written once.
                whole = layers[name].chunks[0]
                cells = max(1, VALUES // max(stop - start, 1) // whole) * whole
                for row in range(0, shape[0], cells):
                    rows = slice(row, row + cells)
                    layers[name][rows, start:stop] = chunk[role][rows]


def _write_record(out, path, fields):
    """Write the provenance of the file and the fields that were added to those of the source."""
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    fields = [*fields, ("uns", "statediff", "this record: provenance of the file")]
    found = summary["provenance"] | {key: summary[key] for key in OF_SUMMARY}
    described = [dict(zip(("slot", "name", "meaning"), field, strict=True)) for field in fields]
    write_elem(out, "uns/statediff", json.dumps(found | {"fields": described}))
