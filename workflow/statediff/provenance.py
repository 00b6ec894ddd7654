"""The record of a run that Kompot's tools read; versions and machine."""

import importlib.metadata
import json
import os
import platform
from datetime import UTC, datetime

from statediff import __version__
from statediff.conventions import LN2
from statediff.design import sample_columns
from statediff.fields import COMPRESSED

__all__ = [
    "abundance_run",
    "expression_run",
    "machine",
    "run_record",
    "versions",
]

PACKAGES = ("anndata", "h5py", "harmonypy", "jax", "numpy", "pandas", "palantir", "scanpy",
            "scikit-learn", "scipy", "snakemake")  # fmt: skip


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
        `n_de`, `n_genes`, `mahalanobis_threshold`, `groups`, the columns of the groups' data
        frames (none: None), and `layer`, that of the expression in the AnnData (X: None).
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
        "layer": results["layer"],
        "source_layer": settings["layer"],
        "fdr": settings["fdr"] | {"null_seed": settings["fdr"]["seed"]},
    }
    entry["params"]["pair_col"] = settings["pair"]
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
