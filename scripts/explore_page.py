"""Page to explore a contrast in a browser."""

import h5py
import numpy as np
import pandas as pd
from _figure import (
    abundance,
    condition_colors,
    conditions,
    coordinates,
    obs_column,
    own_colors,
)
from _job import run
from _table import read_localisation, read_types
from statediff.disk import atomic
from statediff.plots.explore import (
    MAX_CELLS,
    NAME,
    STATISTICS,
    category_column,
    explore_page,
    value_column,
)
from statediff.plots.style import short
from statediff.provenance import DIRECTION_COLORS
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_labels, read_names
from statediff.tables import where_changed

CELLS = 16384


def main(job):
    config = job.params
    xy, axis_names = coordinates(job)
    drawn = np.random.default_rng(0).permutation(len(xy))[:MAX_CELLS]
    with h5py.File(job.input.store, "r") as store:
        cells, names = read_names(store["obs"]), read_labels(store["var"])
    genes, fdr = read_arrays(job.input.fdr)
    # Called genes first, then those nearest to it.
    order = rank_genes(genes, fdr["ranking"])
    order = order[np.argsort(~genes["is_de"][order], kind="stable")]
    columns = {name: genes[name] for name in STATISTICS if name in genes}
    with h5py.File(job.input.fit, "r") as fit:
        phi = read_rows(fit["phi"], drawn)
        coefficients = [fit[f"coefficients_{role}"][:][order] for role in ("reference", "compared")]
    reference, compared = conditions(job)
    where = {}
    if job.input.get("localisation"):
        columns |= where_changed(*read_localisation(job.input), len(names))
        where = blocks_of_changes(job, order[: genes["is_de"].sum()], drawn)
    page = explore_page(
        xy[drawn],
        cells[drawn],
        cell_columns(job, drawn),
        pd.DataFrame(columns, index=names).iloc[order],
        phi,
        *coefficients,
        dataset=config.dataset,
        contrast=job.wildcards.contrast,
        conditions=(reference, compared),
        described=f"{compared} against {reference} ({config.contrast['column']}), "
        f"conventions {config.conventions}",
        axis_names=axis_names,
        ranking=fdr["ranking"],
        fdr_threshold=fdr["threshold"],
        n_cells=len(xy),
        size=config.point_size,
        **where,
    )
    with atomic(job.output[0]) as part:
        part.write_text(page, encoding="utf-8")
    print(f"{len(page) / 1e6:.1f} MB")


def blocks_of_changes(job, called, drawn):
    """Block of each cell drawn, and the fold changes of the called genes in the blocks."""
    found, _, _ = read_localisation(job.input)
    codes = read_arrays(job.input.blocks, "code")[0]["code"][0]
    rows = np.searchsorted(found["genes"], called)
    return {"blocks": codes[drawn], "block_lfc": found["lfc"][rows]}


def read_rows(dataset, rows):
    """Rows of a dataset in any order, read a block at a time."""
    found = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
    for start in range(0, len(dataset), CELLS):
        here = np.flatnonzero((rows >= start) & (rows < start + CELLS))
        found[here] = dataset[start : start + CELLS][rows[here] - start]
    return found


def cell_columns(job, drawn):
    """What the cells drawn can be coloured by."""
    reference, compared = conditions(job)
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    labels = np.select([members["reference"], members["compared"]], [reference, compared], "")
    columns = [
        category_column(
            job.params.contrast["column"],
            labels[drawn],
            [reference, compared],
            condition_colors(job),
        )
    ]
    if job.input.get("cell_types"):
        types = read_types(job.input.cell_types, len(labels))
        name, levels = job.params.cell_type, list(types.categories)
        colors = own_colors(job, name, levels)
        columns.append(category_column(name, types.astype(str)[drawn], levels, colors))
    for name in job.params.obs:
        values, categories = obs_column(job, name)
        if categories is None:
            columns.append(value_column(name, values[drawn], name))
        else:
            columns.append(category_column(name, values[drawn], *categories))
    change = abundance(job)
    directions = np.array(change.pop("lfc_direction"))[drawn]
    palette = [DIRECTION_COLORS[name] for name in ("up", "neutral", "down")]
    columns.append(
        category_column("abundance: direction", directions, ["up", "neutral", "down"], palette)
    )
    density, _ = read_arrays(job.input.density, "log_density_reference", "log_density_compared")
    std, _ = read_arrays(job.input.fit, "std_reference", "std_compared")
    values = change | density | std
    if "qvalue" in values:
        values["qvalue"] = -np.log10(np.maximum(values["qvalue"], np.finfo(float).tiny))
    for role, (name, label, signed) in described(reference, compared).items():
        if role in values:
            columns.append(value_column(name, values[role][drawn], label, signed=signed))
    return columns


def described(reference, compared):
    """Name, text above the colours, and whether signed, of each number of a cell."""
    a, b = short(reference, NAME), short(compared, NAME)
    return {
        "lfc": (
            "abundance: log fold change",
            f"Log fold change of cell density, {b} / {a} (natural log)",
            True,
        ),
        "lfc_zscore": ("abundance: z-score", f"Change of cell density, {b} / {a}: z-score", True),
        "qvalue": ("abundance: −log₁₀ q-value", "Change of cell density: −log₁₀ q-value", False),
        "neg_log10_lfc_ptp": (
            "abundance: −log₁₀ tail probability",
            "Change of cell density: −log₁₀ tail probability",
            False,
        ),
        "log_density_reference": (
            f"log density, {a}",
            f"Log density of cells in {a} (natural log)",
            False,
        ),
        "log_density_compared": (
            f"log density, {b}",
            f"Log density of cells in {b} (natural log)",
            False,
        ),
        "std_reference": (
            f"uncertainty, {a}",
            f"Standard deviation of smoothed expression in {a} (units of the layer)",
            False,
        ),
        "std_compared": (
            f"uncertainty, {b}",
            f"Standard deviation of smoothed expression in {b} (units of the layer)",
            False,
        ),
    }


if __name__ == "__main__":
    run(main, snakemake)
