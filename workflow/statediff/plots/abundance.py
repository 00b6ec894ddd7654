"""Figures of differential abundance."""

import numpy as np
from matplotlib.lines import Line2D

from statediff.fields import DIRECTION_COLORS
from statediff.plots.style import (
    PAGE,
    canvas,
    dot,
    legend_above,
    legend_beside,
    point_size,
    scatter,
    short,
    styled,
    text_size,
)

__all__ = ["abundance_volcano", "abundance_volcanos", "direction_bars"]

# Drawn at most; the rest lies at the upper edge.
MAX_NEG_LOG10 = 300.0


@styled
def abundance_volcano(lfc, significance, direction, *, conditions, measure, lfc_threshold,
                      threshold, blocks=None, size=None):  # fmt: skip
    """Volcano plot of cells: log fold change of abundance against its significance.

    Neighbouring cells are correlated, since their values come from one smooth function. The number
    of blocks of cells is therefore more informative than the number of points.

    Parameters
    ----------
    lfc : array, shape (n,)
        log2 fold change of abundance.
    significance : array, shape (n,)
        −log10 of the measure.
    direction : array of str, shape (n,)
        down, neutral or up.
    conditions : pair of str
        Reference and compared condition.
    measure : str
        posterior tail probability or q-value.
    lfc_threshold, threshold : float
        Thresholds of the log fold change and the measure, which are drawn.
    blocks : dict of str to int, optional
        Number of blocks of cells by the direction of most of their cells.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    direction = np.asarray(direction, dtype=str)
    y = np.minimum(significance, MAX_NEG_LOG10)
    figure, axes = canvas(3.6, 3.6)
    size = size or point_size(len(lfc))
    for name in ("neutral", "down", "up"):
        cells = direction == name
        scatter(axes, np.column_stack([lfc, y])[cells], DIRECTION_COLORS[name], size, len(lfc))
    lines = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}
    for sign in (-1, 1):
        axes.axvline(sign * lfc_threshold, **lines)
    axes.axhline(-np.log10(threshold), **lines)
    reference, compared = conditions
    wide = 1.08 * max(np.abs(lfc).max(), 1.2 * lfc_threshold)
    axes.set(
        xlim=(-wide, wide),
        ylim=_heights(y, threshold),
        xlabel=f"log₂ fold change of cell density, {compared} / {reference}",
        ylabel=f"−log₁₀ {measure}",
    )
    named = {"up": f"more in {compared}", "down": f"less in {compared}", "neutral": "neutral"}
    counts = {name: f"{np.count_nonzero(direction == name):,}" for name in named}
    if blocks is not None:
        counts = {
            name: f"{text} cells, {blocks.get(name, 0):,} blocks" for name, text in counts.items()
        }
    handles = [
        dot(DIRECTION_COLORS[name], f"{text} ({counts[name]})") for name, text in named.items()
    ]
    thresholds = f"|log₂ fold change| > {lfc_threshold:.3g}\nand {measure} < {threshold:g}"
    handles.append(Line2D([], [], label=thresholds, **lines))
    title = "Cells" if blocks is None else "Cells, and blocks of similar cells"
    legend_beside(figure, handles, f"{title}\n(neighbouring cells are correlated)")
    return figure


def _heights(y, threshold):
    """Limits within which the threshold and points at zero are seen."""
    top = max(y.max(), -1.2 * np.log10(threshold))
    return -0.03 * top, 1.05 * top


@styled
def abundance_volcanos(lfc, significance, direction, types, *, conditions, measure, lfc_threshold,
                       threshold):  # fmt: skip
    """Volcano plots of the cells of each type, on common axes.

    Parameters
    ----------
    lfc, significance, direction : array, shape (n,)
        As for `abundance_volcano`.
    types : pandas.Categorical, shape (n,)
        A panel for each category that has cells, in their order.
    conditions : pair of str
    measure : str
    lfc_threshold, threshold : float

    Returns
    -------
    matplotlib.figure.Figure
    """
    types = types.remove_unused_categories()
    names = list(types.categories)
    # As wide as a page at most, so that its text is not made smaller there.
    columns = min(len(names), 3 if len(names) <= 12 else 4 if len(names) <= 24 else 5)
    rows = -(-len(names) // columns)
    # A narrow figure has a legend of many lines.
    around = 0.9 if columns > 2 else 1.5
    figure, grid = canvas(
        min(max(4.4, 0.6 + 2.2 * columns), PAGE), around + 1.5 * rows, rows, columns, squeeze=False,
        sharex=True, sharey=True,
    )  # fmt: skip
    y, wide = np.minimum(significance, MAX_NEG_LOG10), max(np.abs(lfc).max(), 1.2 * lfc_threshold)
    lines = {"color": "#404040", "lw": 0.6, "ls": (0, (4, 3))}
    for axes, name in zip(grid.flat, names, strict=False):
        inside = np.asarray(types == name)
        size = max(point_size(np.count_nonzero(inside)) / 2, 2.5)
        for kind in ("neutral", "down", "up"):
            cells = inside & (direction == kind)
            points = np.column_stack([lfc, y])[cells]
            scatter(axes, points, DIRECTION_COLORS[kind], size, len(lfc))
        for sign in (-1, 1):
            axes.axvline(sign * lfc_threshold, **lines)
        axes.axhline(-np.log10(threshold), **lines)
        long = len(short(name, 32)) > 11 * PAGE / columns
        title = f"{short(name, 32)} ({np.count_nonzero(inside):,})"
        axes.set_title(title, fontsize=text_size(6.5 if long else 8))
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    grid[0, 0].set(xlim=(-1.08 * wide, 1.08 * wide))
    grid[0, 0].set(ylim=_heights(y, threshold))
    reference, compared = (short(name, 25) for name in conditions)
    figure.supxlabel(f"log₂ fold change of cell density, {compared} / {reference}")
    figure.supylabel(f"−log₁₀ {measure}")
    named = {"up": f"more in {compared}", "down": f"less in {compared}", "neutral": "neutral"}
    handles = [dot(DIRECTION_COLORS[kind], text) for kind, text in named.items()]
    thresholds = f"|log₂ fold change| > {lfc_threshold:.3g} and {measure} < {threshold:g}"
    handles.append(Line2D([], [], label=thresholds, **lines))
    legend_above(figure, handles)
    return figure


@styled
def direction_bars(table, *, conditions, order="table"):
    """Share of the cells of each type whose state becomes more or less frequent, or neither.

    Parameters
    ----------
    table : pandas.DataFrame
        `cell_type`, `cells` and the counts `up`, `neutral`, `down`.
    conditions : pair of str
        Reference and compared condition.
    order : {"table", "cells", "up", "down"}
        Order from top to bottom: as in the table, or by decreasing number of cells or share of
        cells that became more or less frequent.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if order != "table":
        ranks = table["cells"] if order == "cells" else table[order] / table["cells"]
        table = table.loc[ranks.sort_values(ascending=False, kind="stable").index]
    reference, compared = conditions
    figure, axes = canvas(5.6, 1.3 + 0.22 * len(table))
    rows = np.arange(len(table))[::-1]
    left = np.zeros(len(table))
    named = {"down": f"less in {compared}", "neutral": "neutral", "up": f"more in {compared}"}
    for direction, text in named.items():
        share = 100.0 * table[direction].to_numpy() / table["cells"].to_numpy()
        axes.barh(rows, share, left=left, color=DIRECTION_COLORS[direction], label=text, height=0.8)
        for row, count, width, start in zip(rows, table[direction], share, left, strict=True):
            if direction != "neutral" and width > 9:
                axes.text(start + width / 2, row, f"{count:,}", ha="center", va="center",
                          color="white", fontsize=text_size(6.5))  # fmt: skip
        left += share
    axes.set_yticks(
        rows, [f"{short(t)} ({n:,})" for t, n in zip(table["cell_type"], table["cells"])]
    )
    axes.set(xlim=(0, 100), ylim=(-0.6, len(table) - 0.4))
    # The table also counts cells that are not part of the contrast.
    axes.set_xlabel(
        f"Cells of all conditions by change of abundance, {compared} against {reference} (%)"
    )
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    legend_above(figure, axes.get_legend_handles_labels()[0])
    return figure
