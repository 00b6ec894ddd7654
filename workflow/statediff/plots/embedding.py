"""Cells at two coordinates, coloured by a category or a number."""

import numpy as np
from matplotlib.colors import TwoSlopeNorm, to_rgba_array

from statediff.plots.panel import current, settle
from statediff.plots.style import (
    GREY,
    Outlined,
    canvas,
    categorical_palette,
    color_bar,
    dot,
    legend_beside,
    point_size,
    scatter,
    short,
    styled,
    text_size,
)

__all__ = [
    "embedding_categories",
    "embedding_directions",
    "embedding_numbers",
    "embedding_values",
]

# Numbers closer to zero (log2 fold changes) are pale, even where no other is larger.
LEAST_LIMIT = 0.25
# More categories than this are numbered on the cells.
NAMES_ON_DATA = 15
# A category of no more cells has its name above them, which would cover them.
FEW = 20
# Names on the data that are moved apart, which takes minutes for more.
MOST_MOVED = 60


@styled
def embedding_categories(
    xy, labels, *, name, axis_names, order=None, colors=None, shown=None, on_data=False, size=None
):
    """Embedding coloured by a category; cells of other categories are drawn behind, in grey.

    Parameters
    ----------
    xy : array, shape (n, 2)
    labels : array of str, shape (n,)
    name : str
        Title of the legend.
    axis_names : pair of str
    order : sequence of str, optional
        Categories to colour, in the legend's order; all if not given.
    colors : sequence of colours, optional
        One for each of `order`.
    shown : array of bool, shape (n,), optional
        Cells that are coloured; all if not given. The others lie behind, in grey, and categories
        without any other cell are left out.
    on_data : bool
        Also write each category at its cells.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd  # takes a second, which the other functions save

    xy, labels = np.asarray(xy), pd.Categorical(labels, categories=order)
    # The same colours, whichever cells are shown.
    palette = categorical_palette(labels.categories, colors)
    if shown is not None:
        labels[~np.asarray(shown)] = np.nan
        labels = labels.remove_unused_categories()
    order, codes = list(labels.categories), labels.codes
    figure, axes = canvas(3.8, 3.8)
    size, n = size or point_size(len(xy)), len(xy)
    named = codes >= 0
    # A random order of drawing keeps the last category from covering the others.
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(named))
    if not named.all():
        scatter(axes, xy[~named], GREY, size, n)
    rgba = to_rgba_array([palette[label] for label in order])
    scatter(axes, xy[shuffled], rgba[codes[shuffled]], size, n)
    # Many names would cover the cells: numbers stand for them.
    numbered = on_data and len(order) > NAMES_ON_DATA
    tags = {
        label: str(i) if numbered else short(label, 30) for i, label in enumerate(order, start=1)
    }
    handles = [
        dot(
            palette[label],
            (f"{tags[label]}  " if numbered else "")
            + f"{short(label)} ({np.count_nonzero(codes == code):,})",
        )
        for code, label in enumerate(order)
    ]
    if not named.all():
        handles.append(dot(GREY, f"other cells ({np.count_nonzero(~named):,})"))
    _frame(axes, axis_names)
    # A panel has no room for names that are on the cells already.
    if numbered or not (on_data and current()):
        legend_beside(figure, handles, f"{short(name)} (cells)", "outside right center")
    if on_data:
        _write_on_data(axes, xy, codes, tags)
    return figure


@styled
def embedding_values(xy, values, *, label, axis_names, shown=None, size=None, percentile=99.0):
    """Embedding coloured by a signed number, centred on zero.

    Parameters
    ----------
    xy : array, shape (n, 2)
    values : array, shape (n,)
    label : str
        Text of the colour bar, with the unit.
    axis_names : pair of str
    shown : array of bool, shape (n,), optional
        Cells that are coloured; all if not given. The others lie behind, in grey.
    size : float, optional
        Area of a point in square points.
    percentile : float
        Percentile of the absolute values at which the colours saturate, or 0.25 if that is more.

    Returns
    -------
    matplotlib.figure.Figure
    """
    xy, values = np.asarray(xy), np.asarray(values, dtype=float)
    shown = np.ones(len(xy), dtype=bool) if shown is None else np.asarray(shown)
    largest = np.abs(values[shown])
    limit = max(np.percentile(largest, percentile), LEAST_LIMIT)
    figure, axes = canvas(4.6, 3.8)
    size = size or point_size(len(xy))
    if not shown.all():
        # Darker than the ground, see below.
        scatter(axes, xy[~shown], "#c8c8c8", size, len(xy))
    order = np.flatnonzero(shown)[np.argsort(largest)]
    points = scatter(
        axes, xy[order], values[order], size, len(xy), cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -limit, limit),
    )  # fmt: skip
    outside = largest.max() > limit
    color_bar(points, axes, label, extend="both" if outside else "neither")
    _frame(axes, axis_names)
    # The middle of the scale is nearly white: a light grey ground keeps those cells visible.
    axes.set_facecolor("#e8e8e8")
    return figure


@styled
def embedding_numbers(xy, values, *, label, axis_names, shown=None, size=None):
    """Embedding coloured by a number; cells without a value are drawn behind, in grey.

    Parameters
    ----------
    xy : array, shape (n, 2)
    values : array, shape (n,)
    label : str
        Text of the colour bar.
    axis_names : pair of str
    shown : array of bool, shape (n,), optional
        Cells that are coloured; all if not given. The others lie behind, in grey.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    xy, values = np.asarray(xy), np.asarray(values, dtype=float)
    figure, axes = canvas(4.6, 3.8)
    known, size = np.isfinite(values), size or point_size(len(xy))
    if shown is not None:
        known = known & shown
    scatter(axes, xy[~known], GREY, size, len(xy))
    order = np.flatnonzero(known)[np.argsort(values[known])]
    points = scatter(axes, xy[order], values[order], size, len(xy), cmap="viridis")
    color_bar(points, axes, short(label))
    _frame(axes, axis_names)
    return figure


@styled
def embedding_directions(xy, lfc, direction, *, conditions, axis_names, shown=None, size=None,
                         percentile=99.0):  # fmt: skip
    """Cells with a decrease and with an increase of abundance, side by side, others in grey.

    Parameters
    ----------
    xy : array, shape (n, 2)
    lfc : array, shape (n,)
        log2 fold change of abundance, the colour.
    direction : array of str, shape (n,)
        down, neutral or up.
    conditions : pair of str
        Reference and compared condition.
    axis_names : pair of str
    shown : array of bool, shape (n,), optional
        Cells that may be coloured; all if not given.
    size : float, optional
        Area of a point in square points.
    percentile : float
        Percentile of the absolute fold changes of changed cells at which the colours saturate.

    Returns
    -------
    matplotlib.figure.Figure
    """
    xy, lfc, direction = np.asarray(xy), np.asarray(lfc, dtype=float), np.asarray(direction)
    shown = np.ones(len(xy), dtype=bool) if shown is None else np.asarray(shown)
    changed = np.abs(lfc[shown & (direction != "neutral")])
    limit = (np.percentile(changed, percentile) if len(changed) else 0.0) or 1.0
    figure, panels = canvas(7.6, 3.8, columns=2)
    size, total = size or point_size(len(xy)), 2 * len(xy)
    compared = conditions[1]
    for axes, name, text in zip(panels, ("down", "up"), ("less", "more"), strict=True):
        cells = np.flatnonzero(shown & (direction == name))
        others = np.ones(len(xy), dtype=bool)
        others[cells] = False
        scatter(axes, xy[others], GREY, size, total)
        cells = cells[np.argsort(np.abs(lfc[cells]))]
        points = scatter(
            axes, xy[cells], lfc[cells], size, total, cmap="RdBu_r",
            norm=TwoSlopeNorm(0, -limit, limit),
        )  # fmt: skip
        axes.set_title(f"{text} in {short(compared, 25)} ({len(cells):,} cells)")
        _frame(axes, axis_names)
    label = f"log₂ fold change of cell density\n{short(compared)} / {short(conditions[0])}"
    extend = "both" if changed.max(initial=0.0) > limit else "neither"
    color_bar(points, panels, label, extend=extend)
    return figure


def _frame(axes, axis_names):
    axes.set(xlabel=axis_names[0], ylabel=axis_names[1], xticks=[], yticks=[])
    axes.margins(0.06)


def _write_on_data(axes, xy, codes, tags):
    """Each category's name or number at the cell nearest to the median of its cells."""
    texts = []
    for code, tag in enumerate(tags.values()):
        cells = xy[codes == code]
        if len(cells):
            centre = np.median(cells, axis=0)
            x, y = cells[np.argmin(((cells - centre) ** 2).sum(axis=1))]
            text = Outlined(x, y, tag, fontsize=text_size(7), ha="center", clip_on=False)
            text.set_va("center" if len(cells) > FEW else "bottom")
            texts.append(axes.add_artist(text))
    settle(axes.figure)
    if len(texts) > MOST_MOVED:
        return
    from adjustText import adjust_text

    adjust_text(
        texts, ax=axes, expand=(1.05, 1.3), iter_lim=300, ensure_inside_axes=True,
        arrowprops={"arrowstyle": "-", "color": "#404040", "lw": 0.5},
    )  # fmt: skip
