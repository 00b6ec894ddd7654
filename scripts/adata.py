"""The results of a contrast as an AnnData with Kompot's field names."""

import h5py
import numpy as np
from _adata import (
    IN_GROUPS,
    write_compressed,
    write_coordinates,
    write_groups,
    write_layers,
    write_record,
    write_rest,
    write_run,
)
from _job import run
from _table import read_localisation
from anndata.io import read_elem, write_elem
from shareable import without_folders
from statediff.design import sample_columns
from statediff.provenance import (
    abundance_fields,
    abundance_run,
    direction_colors,
    expression_fields,
    expression_run,
    stem_of,
)
from statediff.significance import rank_genes
from statediff.store import create_h5ad, read_arrays, read_names
from statediff.tables import region_table, where_changed, with_fields

LAYERS = {
    "smoothed": ("smoothed_reference", "smoothed_compared"),
    "fold_change": ("fold_change",),
    "fold_change_zscores": ("fold_change_zscores",),
}
NUMERIC = ("adjusted_lfc", "lfc_per_unit")
LOCATED = ("changed_share", "pattern", "strongest_type", "strongest_type_lfc")
ADDITIONAL = ("tail_fdr", "neg_log10_ptp")


def main(job):
    genes, fdr = read_arrays(job.input.fdr)
    abundance, _ = read_arrays(job.input.abundance)
    density, ls = read_arrays(job.input.density, "log_density_reference", "log_density_compared")
    fit, basis = read_arrays(job.input.fit, "std_reference", "std_compared")
    cells = abundance | density
    regions = None
    if job.input.get("localisation"):
        with h5py.File(job.input.store, "r") as store:
            names = read_names(store["var"])
        where = read_localisation(job.input)
        genes |= where_changed(*where, len(names))
        fit["block"] = read_arrays(job.input.blocks, "code")[0]["code"][0]
        regions = region_table(*where, names, rank_genes(genes, fdr["ranking"]))
    da_fields, de_fields = fields(job, cells, genes, calibrated=fdr["ranking"] != "mahalanobis")
    with h5py.File(job.input.store, "r") as store, create_h5ad(job.output[0]) as out:
        obs, var = read_elem(store["obs"]), read_elem(store["var"])
        obs = with_fields(with_fields(obs, cells, da_fields), fit, de_fields)
        var = with_fields(var, genes, de_fields)
        write_elem(out, "obs", obs)
        write_elem(out, "var", var)
        for slot in ("X", "obsm", "uns"):
            store.copy(slot, out)
        made = [field[:2] + field[3:] for field in (*da_fields.values(), *de_fields.values())]
        made += write_coordinates(out, job.input.states, "states", job.params.settings["states"])
        made += write_coordinates(out, job.input.embedding, "embedding", job.params.embedding)
        write_compressed(out, job.input.fit, de_fields)
        grouped = None
        if job.input.get("groups"):
            grouped = write_groups(out, job.input.groups, de_fields, var.index)
        write_layers(out, job.input.genes, de_fields, (len(obs), len(var)))
        colors_key = f"{da_fields['lfc_direction'][1]}_colors"
        write_elem(out, f"uns/{colors_key}", np.array(direction_colors()))
        made.append(("uns", colors_key, "colours of the directions"))
        if regions is not None:
            pair = job.params.contrast["reference"], job.params.contrast["compared"]
            key = f"{stem_of(pair)}_gene_regions"
            write_elem(out, f"uns/{key}", regions.set_axis(regions.index.astype(str)))
            made.append(("uns", key, "table of where the called genes change"))
        called = {
            "n_de": fdr["n_de"],
            "n_genes": len(var),
            "mahalanobis_threshold": fdr["mahalanobis_threshold"] if fdr["n_de"] else None,
            "groups": grouped,
        }
        da_settings, de_settings = used_settings(job, ls, basis)
        for key, written, entry in (
            ("kompot_da", da_fields, abundance_run(da_fields, da_settings)),
            ("kompot_de", de_fields, expression_run(de_fields, de_settings, called)),
        ):
            write_run(out, key, written, entry)
            made.append(("uns", key, "record of the run, for Kompot"))
        write_record(out, job.input.summary, made)
        write_rest(out, job.input.source, job.params.modality)


def fields(job, cells, genes, calibrated):
    """Fields of abundance and of expression that are there and asked for."""
    config, contrast = job.params, job.params.contrast
    of_contrast = contrast["reference"], contrast["compared"], bool(sample_columns(contrast))
    skipped = set() if config.additional_stats else set(ADDITIONAL)
    if not (calibrated or config.additional_stats):
        skipped.add("pvalue")
    skipped |= {role for layer in LAYERS if layer not in config.layers for role in LAYERS[layer]}
    in_groups = read_arrays(job.input.groups)[0] if job.input.get("groups") else {}
    tested = ("local_fdr",) if "qvalue" in in_groups else ("pvalue", "qvalue")
    # Of genes that no test localises, without cell types, or of conditions that are no numbers.
    skipped |= {role for role in (*LOCATED, *NUMERIC) if role not in genes}
    skipped |= set() if job.input.get("localisation") else {"block"}
    skipped |= {f"{role}_groups" for role in IN_GROUPS if role not in in_groups or role in tested}
    da_fields, de_fields = (
        abundance_fields(*of_contrast),
        expression_fields(*of_contrast, calibrated),
    )
    return (
        {role: field for role, field in da_fields.items() if role in cells},
        {role: field for role, field in de_fields.items() if role not in skipped},
    )


def used_settings(job, ls, basis):
    """Settings of both runs, with metric, length scales and amplitude as they were used."""
    settings = without_folders(job.params.settings) | job.params.contrast | job.params.groups
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


if __name__ == "__main__":
    run(main, snakemake)
