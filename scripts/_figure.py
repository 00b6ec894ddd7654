"""Reading the input of figures, and saving figures as PDF and PNG."""

from contextlib import nullcontext

import _job
import h5py
import numpy as np
from statediff.abundance import in_log2
from statediff.colors import known_color
from statediff.disk import atomic
from statediff.fields import DIRECTIONS
from statediff.plots.panel import panel
from statediff.plots.style import CONDITION_COLORS, GREY, categorical_palette, resolution, style
from statediff.store import read_arrays, read_levels


def conditions(job):
    return job.params.contrast["reference"], job.params.contrast["compared"]


def coordinates(job):
    """Two coordinates of each cell, and their names."""
    name = job.params.embedding.removeprefix("X_").upper()
    xy = read_arrays(job.input.embedding, "embedding")[0]["embedding"][:, :2]
    return xy, [f"{name} {i}" for i in (1, 2)]


def chosen_cells(job):
    """Mask of the cells that are coloured, from the configuration."""
    return read_arrays(job.input.choices, "cells")[0]["cells"]


def abundance(job):
    """Change of abundance at each cell in log2, directions by name."""
    arrays = in_log2(read_arrays(job.input.abundance)[0])
    return arrays | {"lfc_direction": [DIRECTIONS[code] for code in arrays["lfc_direction"]]}


def significance(job, cells):
    """−log10 of the statistic by which cells are called, its name and thresholds."""
    thresholds = job.params.thresholds
    calibrated = "qvalue" in cells
    tiny = np.finfo(float).tiny
    return {
        "significance": -np.log10(np.maximum(cells["qvalue"], tiny))
        if calibrated
        else cells["neg_log10_lfc_ptp"],
        "measure": "q-value" if calibrated else "posterior tail probability",
        "lfc_threshold": thresholds["lfc_threshold"],
        "threshold": thresholds["fdr_threshold" if calibrated else "ptp_threshold"],
    }


def own_colors(job, column, shown, default=None):
    """Colours of some categories of a column: those of the configuration, of the data set, or a
    default; none if there is none of these."""
    chosen = job.params.colors.get(column, {})
    colors = stored_colors(job.input.store, column, shown) or default
    if not chosen:
        return colors
    colors = colors or categorical_palette(shown).values()
    return [chosen.get(name, color) for name, color in zip(shown, colors, strict=True)]


def stored_colors(store, column, shown):
    """Colours of the data set for some categories of a column, if it has one for each category."""
    with h5py.File(store, "r") as file:
        key = f"uns/{column}_colors"
        stored = file.get(key)
        # Something else than a list of names of colours may be there, such as a dict.
        listed = isinstance(stored, h5py.Dataset) and stored.ndim == 1
        if not listed or h5py.check_string_dtype(stored.dtype) is None:
            return None
        colors = [known_color(name) or GREY for name in stored.asstr()[:]]
        _, categories = read_levels(file["obs"][column])
    # Colours go by position among all categories, of which those without cells are not shown.
    if len(colors) != len(categories):
        return None
    palette = dict(zip(categories, colors, strict=True))
    return [palette.get(name, GREY) for name in shown]


def condition_colors(job):
    """Colours of both conditions."""
    return own_colors(job, job.params.contrast["column"], conditions(job), CONDITION_COLORS)


def obs_column(job, column):
    """Numbers of the cells in a column of obs, or their levels, the levels' order and colours.

    Returns (numbers, None), or (levels, (order, colors)); cells of no level have an empty one.
    Numbers with colours of their own are levels.
    """
    from anndata.io import read_elem
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    with h5py.File(job.input.store, "r") as file:
        values = read_elem(file["obs"])[column]
    numbers = is_numeric_dtype(values) and not is_bool_dtype(values)
    if numbers and column not in job.params.colors:
        return values.to_numpy(dtype=float), None
    known = values.astype("category").cat.remove_unused_categories()
    levels = known.astype(str).where(known.notna(), "").to_numpy()
    order = [str(name) for name in known.cat.categories]
    return levels, (order, own_colors(job, column, order))


def run(draw, job):
    """Save the figure that `draw(job)` returns; one of a page is drawn as its panel."""
    size = job.params.get("panel")

    def main(job):
        with panel(**size) if size else nullcontext():
            save(job, draw(job))

    _job.run(main, job)


def save(job, figure):
    with style():
        for path in (job.output.pdf, job.output.png):
            with atomic(path) as part:
                figure.savefig(part, format=path.rsplit(".", 1)[1], dpi=resolution(path))
