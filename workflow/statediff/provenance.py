"""Kompot's field names, and the record of a run that Kompot's tools read."""

import importlib.metadata
import json
import os
import platform
import re
from datetime import UTC, datetime

from statediff import __version__
from statediff.conventions import LN2
from statediff.design import sample_columns

__all__ = [
    "DIRECTIONS",
    "abundance_fields",
    "abundance_run",
    "direction_colors",
    "expression_fields",
    "expression_run",
    "group_column",
    "machine",
    "run_record",
    "safe",
    "stem_of",
    "versions",
]

#: Directions of the change of abundance at a cell, in the order of the codes.
DIRECTIONS = ("down", "neutral", "up")
DIRECTION_COLORS = {"down": "#2166ac", "neutral": "#c4c4c4", "up": "#b2182b"}

# Suffix of the fields that include the variance between replicates.
SUFFIX = "_sample_var"

# Not in Kompot, whose tools would otherwise report a missing basis and remove the coefficients.
COMPRESSED = ("phi", "coefficients_reference", "coefficients_compared")

PACKAGES = ("anndata", "h5py", "harmonypy", "jax", "numpy", "pandas", "palantir", "scanpy",
            "scikit-learn", "scipy", "snakemake")  # fmt: skip


def safe(name):
    """Condition name as it appears in field names: ``_`` for all outside ``[A-Za-z0-9_.-]``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def group_column(name):
    """Group name as a column of the AnnData, where HDF5 has no slashes in names."""
    return name.replace("/", "_")


def direction_colors():
    """Colours of the directions, in their order, as AnnData keeps those of categories."""
    return [DIRECTION_COLORS[name] for name in DIRECTIONS]


def abundance_fields(reference, compared, replicates=False):
    """Field of each differential-abundance result: {role: (slot, name, type, description)}."""
    a, b = safe(reference), safe(compared)
    suffix = SUFFIX if replicates else ""
    stem = f"kompot_da_{a}_to_{b}"
    lfc = "log fold change of cell density"
    return {
        "lfc": ("obs", f"{stem}_lfc", "log_fold_change", f"natural-{lfc}"),
        "lfc_per_unit": (
            "obs",
            f"{stem}_lfc_per_unit",
            "log_fold_change_per_unit",
            f"natural-{lfc} for an increase of a numeric condition by 1",
        ),
        "lfc_zscore": (
            "obs",
            f"{stem}_lfc_zscore{suffix}",
            "log_fold_change_zscore",
            f"z-score of the {lfc}",
        ),
        "neg_log10_lfc_ptp": (
            "obs",
            f"{stem}_neg_log10_lfc_ptp{suffix}",
            "ptp",
            f"-log10 tail probability of the {lfc}",
        ),
        "pvalue": (
            "obs",
            f"{stem}_lfc_pvalue{suffix}",
            "lfc_pvalue",
            f"two-sided p-value of the {lfc}",
        ),
        "qvalue": (
            "obs",
            f"{stem}_lfc_qvalue{suffix}",
            "lfc_qvalue",
            f"false discovery rate (Benjamini-Hochberg, over the cells) of the {lfc}",
        ),
        "lfc_direction": (
            "obs",
            f"{stem}_lfc_direction{suffix}",
            "direction",
            "direction of the change: up, down or neutral",
        ),
        "log_density_reference": (
            "obs",
            f"kompot_da_{a}_log_density",
            "density",
            f"natural log of the density of {reference} cells",
        ),
        "log_density_compared": (
            "obs",
            f"kompot_da_{b}_log_density",
            "density",
            f"natural log of the density of {compared} cells",
        ),
    }


def stem_of(conditions):
    """Beginning of the names of the fields of expression of two conditions."""
    return f"kompot_de_{'_to_'.join(map(safe, conditions))}"


def expression_fields(reference, compared, replicates=False, calibrated=False):
    """Field of each differential-expression result: {role: (slot, name, type, description)}.

    A calibrated test gives q-values; a null of genes the local FDR of the distance.
    """
    a, b = safe(reference), safe(compared)
    suffix = SUFFIX if replicates else ""
    stem = f"kompot_de_{a}_to_{b}"
    distance = "Mahalanobis distance of the fold change"
    uncalibrated = {
        "local_fdr": (
            "var",
            f"{stem}_mahalanobis_local_fdr{suffix}",
            "mahalanobis_local_fdr",
            f"local false discovery rate of the {distance}",
        ),
        "pvalue": (
            "var",
            f"{stem}_mahalanobis_pvalue{suffix}",
            "mahalanobis_pvalue",
            "share of null distances at least as large",
        ),
        "tail_fdr": (
            "var",
            f"{stem}_mahalanobis_tail_fdr{suffix}",
            "mahalanobis_tail_fdr",
            f"tail false discovery rate of the {distance}",
        ),
    }
    tested = {
        "standardised": (
            "var",
            f"{stem}_standardised_distance{suffix}",
            "standardised_distance",
            "size of the change, about 1 for unchanged genes",
        ),
        "adjusted_lfc": (
            "var",
            f"{stem}_adjusted_lfc{suffix}",
            "adjusted_log_fold_change",
            "log2 fold change of normalised counts between cells of the same state, adjusted as in "
            "the test",
        ),
        "lfc_per_unit": (
            "var",
            f"{stem}_lfc_per_unit{suffix}",
            "log_fold_change_per_unit",
            "adjusted log2 fold change for an increase of a numeric condition by 1",
        ),
        "pvalue": ("var", f"{stem}_pvalue{suffix}", "pvalue", "p-value of the change"),
        "qvalue": (
            "var",
            f"{stem}_qvalue{suffix}",
            "qvalue",
            "false discovery rate (Benjamini-Hochberg)",
        ),
    }
    located = {
        "changed_share": (
            "var",
            f"{stem}_changed_share{suffix}",
            "changed_share",
            "share of the cells in states where the called gene changes",
        ),
        "pattern": (
            "var",
            f"{stem}_pattern{suffix}",
            "pattern",
            "where the gene changes: everywhere, in a region, or in opposite directions",
        ),
        "strongest_type": (
            "var",
            f"{stem}_strongest_type{suffix}",
            "strongest_type",
            "cell type in which the gene changes most",
        ),
        "strongest_type_lfc": (
            "var",
            f"{stem}_strongest_type_lfc{suffix}",
            "strongest_type_lfc",
            "log2 fold change in that type",
        ),
    }
    return (tested | located if calibrated else uncalibrated) | {
        "mahalanobis": ("var", f"{stem}_mahalanobis{suffix}", "mahalanobis", distance),
        "mean_lfc": (
            "var",
            f"{stem}_mean_lfc",
            "mean_log_fold_change",
            "mean fold change over the evaluated cells, in units of the expression layer",
        ),
        "is_de": (
            "var",
            f"{stem}_is_de{suffix}",
            "is_de",
            "whether the q-value (or the local FDR, with null genes) is below the threshold",
        ),
        "neg_log10_ptp": (
            "var",
            f"{stem}_neg_log10_ptp{suffix}",
            "ptp",
            "-log10 posterior tail probability of the squared distance (chi-squared)",
        ),
        "block": (
            "obs",
            f"{stem}_block",
            "block",
            "block of cells with similar states, of those that the test compares (-1: none)",
        ),
        "std_reference": (
            "obs",
            f"kompot_de_{a}_std",
            "std",
            f"posterior standard deviation of smoothed expression in {reference}, root mean square "
            "over the genes (the same for all of them where gp.sigma is given)",
        ),
        "std_compared": (
            "obs",
            f"kompot_de_{b}_std",
            "std",
            f"posterior standard deviation of smoothed expression in {compared}, root mean square "
            "over the genes (the same for all of them where gp.sigma is given)",
        ),
        "smoothed_reference": (
            "layers",
            f"kompot_de_{a}_smoothed",
            "smoothed",
            f"smoothed expression in {reference}",
        ),
        "smoothed_compared": (
            "layers",
            f"kompot_de_{b}_smoothed",
            "smoothed",
            f"smoothed expression in {compared}",
        ),
        "fold_change": (
            "layers",
            f"{stem}_fold_change",
            "fold_change",
            f"smoothed expression in {compared} minus that in {reference}",
        ),
        "fold_change_zscores": (
            "layers",
            f"{stem}_fold_change_zscores{suffix}",
            "fold_change_zscores",
            "fold change divided by its posterior standard deviation",
        ),
        "phi": ("obsm", f"{stem}_basis", "basis", "basis functions at each cell"),
        "coefficients_reference": (
            "varm",
            f"kompot_de_{a}_coefficients",
            "coefficients",
            f"weights of the basis in {reference}: basis @ weights' is the smoothed layer",
        ),
        "coefficients_compared": (
            "varm",
            f"kompot_de_{b}_coefficients",
            "coefficients",
            f"weights of the basis in {compared}: basis @ weights' is the smoothed layer",
        ),
        "mean_lfc_groups": (
            "varm",
            f"{stem}_mean_lfc_groups",
            "mean_log_fold_change",
            "mean fold change over the cells of each group",
        ),
        "adjusted_lfc_groups": (
            "varm",
            f"{stem}_adjusted_lfc_groups{suffix}",
            "adjusted_log_fold_change",
            "log2 fold change of normalised counts between cells of the same state in each group, "
            "adjusted as in the test",
        ),
        "mahalanobis_groups": (
            "varm",
            f"{stem}_mahalanobis_groups{suffix}",
            "mahalanobis",
            f"{distance} over the cells of each group",
        ),
        "local_fdr_groups": (
            "varm",
            f"{stem}_mahalanobis_local_fdr_groups",
            "mahalanobis_local_fdr",
            f"local false discovery rate of the {distance} over the cells of each group",
        ),
        "pvalue_groups": (
            "varm",
            f"{stem}_pvalue_groups{suffix}",
            "pvalue",
            "p-value of the change within the cells of each group",
        ),
        "qvalue_groups": (
            "varm",
            f"{stem}_qvalue_groups{suffix}",
            "qvalue",
            "false discovery rate (Benjamini-Hochberg over genes and groups together)",
        ),
        "is_de_groups": (
            "varm",
            f"{stem}_is_de_groups",
            "is_de",
            "whether the q-value (or the local FDR, with null genes) is below the threshold in "
            "each group",
        ),
    }


def versions():
    """Versions of this library and of the packages the results depend on."""
    found = {"statediff": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine():
    """Kind of the machine, without its name or that of the user."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }


def abundance_run(fields, settings):
    """Run entry of differential abundance as `kompot.RunInfo` reads it.

    Parameters
    ----------
    fields : dict
        Those of `abundance_fields` that were written.
    settings : dict
        `column`, `reference`, `compared`, `sample`, `cells`, `states` (obsm key), `gp`,
        `abundance`, `conventions`.
    """
    keys = {role: field[1] for role, field in fields.items()}
    named = {
        "lfc_key": keys["lfc"],
        "zscore_key": keys["lfc_zscore"],
        "ptp_key": keys["neg_log10_lfc_ptp"],
        "direction_key": keys["lfc_direction"],
    }
    densities = {
        "condition1": keys["log_density_reference"],
        "condition2": keys["log_density_compared"],
    }
    entry = _entry("da", "compute_differential_abundance", fields, settings)
    # Kompot's fields and thresholds are in natural logarithms.
    threshold = settings["abundance"]["lfc_threshold"] * LN2
    entry["params"]["threshold"] = settings["abundance"] | {"lfc_threshold": threshold}
    return entry | named | {
        "density_keys": densities,
        "field_names": named
        | {"density_key_1": densities["condition1"], "density_key_2": densities["condition2"]},
    }  # fmt: skip


def expression_run(fields, settings, results):
    """Run entry of differential expression as `kompot.RunInfo` reads it.

    Parameters
    ----------
    fields : dict
        Those of `expression_fields` that were written.
    settings : dict
        As for `abundance_run`, with `layer` (of the source), `fdr` and `groups`.
    results : dict
        `n_de`, `n_genes`, `mahalanobis_threshold`, and `groups`, the columns of the groups' data
        frames (none: None).
    """
    keys = {role: fields[role][1] for role in fields}
    named = {
        "lfc_key": keys["mean_lfc"],
        "mahalanobis_key": keys["mahalanobis"],
        "ptp_key": keys.get("neg_log10_ptp"),
    }
    fdr_keys = {
        "pvalue_key": keys.get("pvalue"),
        "qvalue_key": keys.get("qvalue"),
        "local_fdr_key": keys.get("local_fdr"),
        # A q-value is the false discovery rate of a tail.
        "tail_fdr_key": keys.get("tail_fdr", keys.get("qvalue")),
        "is_de_key": keys["is_de"],
    }
    layers = {
        "condition1": keys.get("smoothed_reference"),
        "condition2": keys.get("smoothed_compared"),
        "fold_change": keys.get("fold_change"),
    }
    entry = _entry("de", "compute_differential_expression", fields, settings)
    entry["params"] |= {
        # The expression is X of this file.
        "layer": None,
        "source_layer": settings["layer"],
        "fdr": settings["fdr"] | {"null_seed": settings["fdr"]["seed"]},
    }
    entry["params"]["filter"]["groups"] = settings["groups"]
    if results["groups"]:
        entry |= {
            "has_groups": True,
            "groups_summary": {"count": len(results["groups"]), "names": results["groups"]},
            "varm_keys": {
                "mean_lfc": keys["mean_lfc_groups"],
                "mahalanobis": keys["mahalanobis_groups"],
            },
        }
    return entry | named | {
        "fdr_keys": fdr_keys,
        "fdr_results": {
            "n_significant": results["n_de"],
            "n_total": results["n_genes"],
            "fraction_significant": results["n_de"] / results["n_genes"],
            "fdr_threshold": settings["fdr"]["threshold"],
            "min_significant_mahalanobis": results["mahalanobis_threshold"],
        },
        "smoothed_layer_keys": layers,
        "field_names": {
            "mean_lfc_key": keys["mean_lfc"],
            "mahalanobis_key": keys["mahalanobis"],
            "mahalanobis_local_fdr_key": fdr_keys["local_fdr_key"],
            "mahalanobis_tail_fdr_key": fdr_keys["tail_fdr_key"],
            "is_de_key": keys["is_de"],
            "std_key_1": keys["std_reference"],
            "std_key_2": keys["std_compared"],
            "smoothed_key_1": layers["condition1"],
            "smoothed_key_2": layers["condition2"],
            "fold_change_key": layers["fold_change"],
            "basis_key": keys["phi"],
            "coefficients_key_1": keys["coefficients_reference"],
            "coefficients_key_2": keys["coefficients_compared"],
        },
    }  # fmt: skip


def run_record(fields, entry, previous=None):
    """Record of a run for uns, JSON as Kompot keeps it.

    Parameters
    ----------
    fields : dict
        That were written.
    entry : dict
        From `abundance_run` or `expression_run`.
    previous : dict of str, optional
        The record so far, to which the run is added.

    Returns
    -------
    dict of str
    """
    history = json.loads(previous["run_history"]) if previous else []
    # For each field, the number of the run that wrote it.
    written = json.loads(previous["anndata_fields"]) if previous else {}
    for slot, name, *_ in fields.values():
        written.setdefault(slot, {})[name] = len(history)
    return {
        "run_history": json.dumps([*history, entry]),
        "last_run_info": json.dumps(entry),
        "anndata_fields": json.dumps(written),
    }


def _entry(kind, function, fields, settings):
    """Common part of the entries of both analyses. No user, host or path is recorded."""
    found, host = versions(), machine()
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "function": function,
        "analysis_type": kind,
        "result_key": f"kompot_{kind}",
        "uses_sample_variance": bool(sample_columns(settings)),
        "has_groups": False,
        "field_mapping": {
            name: {"location": slot, "type": kind_of, "description": text}
            for role, (slot, name, kind_of, text) in fields.items()
            if role not in COMPRESSED
        },
        "params": {
            "groupby": settings["column"],
            "condition1": settings["reference"],
            "condition2": settings["compared"],
            "obsm_key": settings["states"],
            "sample_col": settings["sample"] or settings["pair"],
            "filter": {"cell_filter": settings["cells"]},
            "gp": settings["gp"],
            "conventions": settings["conventions"],
            "storage": {"result_key": f"kompot_{kind}"},
        },
        "environment": {
            "platform": f"{host['system']}-{host['architecture']}",
            "python_version": found["python"],
            "package_versions": found,
        },
    }
