"""Figures of some genes: over cell types, over cells, along a component of the cell states."""

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from statediff.plots.style import (
    CONDITION_COLORS,
    PAGE,
    canvas,
    color_bar,
    column_width,
    dot,
    legend_above,
    point_size,
    scatter,
    short,
    styled,
    text_size,
)

__all__ = ["expression_along", "fold_change_dots", "gene_heatmap", "gene_panels"]

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
# Columns of fewer cells are pale, under white of this opacity.
FEW, PALE = 20, 0.6
# Rows from which on they are put in order by their similarity.
SMALLEST_TREE = 3
# Points of thickness of what marks the conditions.
STRIP = 3.5
# Cells a small panel shows: more would lie on the same pixels.
MOST_CELLS = 100_000


@styled
def gene_heatmap(values, *, label, conditions=None, colors=CONDITION_COLORS, significant=None,
                 cells=None, percentile=98.0):  # fmt: skip
    """Heatmap of genes, in the order of a dendrogram, over cell types, in the order given.

    Parameters
    ----------
    values : pandas.DataFrame, shape (genes, types) or (genes, 2 × types)
        Signed numbers, centred on 0; types by their names, or pairs of (type, condition).
    label : str
        Text of the colour bar, with the unit.
    conditions : pair of str, optional
        Where the columns are pairs: reference and compared condition, marked by their colours.
    colors : pair of colours
    significant : pandas.DataFrame of bool, shape (genes, types), optional
        Fields that are marked, where the columns are types.
    cells : array of int, optional
        Cells of each column; those of fewer than 20 are pale.
    percentile : float
        Percentile of the absolute values at which the colours saturate.

    Returns
    -------
    matplotlib.figure.Figure
    """
    split = 1 if conditions is None else 2
    types = list(
        dict.fromkeys(values.columns if split == 1 else values.columns.get_level_values(0))
    )
    matrix = values.to_numpy(dtype=float)
    limit = np.nanpercentile(np.abs(matrix), percentile) or 1.0
    column = column_width(len(types), 0.24 * split, 3.2) / split
    width = 3.2 + column * len(types) * split
    height = max(2.6, 1.0 + 0.15 * len(matrix)) + _below(types)
    figure, (tree, axes) = canvas(
        width, height, columns=2, width_ratios=[0.6, column * len(types) * split]
    )
    rows = _tree(tree, matrix)
    drawn = matrix[rows]
    image = axes.imshow(
        np.ma.masked_invalid(drawn), cmap=DIVERGING, norm=TwoSlopeNorm(0, -limit, limit),
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    axes.set_facecolor("#bdbdbd")
    axes.yaxis.tick_right()
    axes.set_yticks(
        range(len(matrix)), [short(str(values.index[i]), 32) for i in rows], fontsize=text_size(7)
    )
    middle = np.arange(len(types)) * split + (split - 1) / 2
    axes.set_xticks(middle, [short(str(name), 32) for name in types], rotation=90)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    handles = []
    if split == 2:
        for edge in np.arange(split, len(types) * split, split):
            axes.axvline(edge - 0.5, color="white", lw=1.5)
        for i in range(len(types) * split):
            _strip(axes, i, colors[i % 2])
        handles += [Patch(color=c, label=short(n)) for c, n in zip(colors, conditions)]
    if significant is not None:
        y, x = np.nonzero(significant.to_numpy()[rows])
        # Black is seen on the middle of the scale, white on its ends.
        ends = np.abs(np.nan_to_num(drawn[y, x])) > 0.6 * limit
        marks = axes.scatter(x, y, s=5, c=np.where(ends, "white", "black"), linewidths=0)
        marks.set_clip_on(False)
        handles.append(dot("black", "significant in some cells of the type"))
    few = [] if cells is None else np.flatnonzero(np.asarray(cells) < FEW)
    for i in few:
        axes.axvspan(i - 0.5, i + 0.5, color="white", alpha=PALE, lw=0)
    if len(few):
        handles.append(Patch(fc="#f2c9c0", label=f"pale: fewer than {FEW} cells"))
    if handles:
        legend_above(figure, handles)
    extend = "both" if np.nanmax(np.abs(matrix), initial=0) > limit else "neither"
    color_bar(
        image,
        axes,
        label,
        location="right",
        shrink=min(1.0, 1.8 / height),
        extend=extend,
        pad=0.03,
    )
    return figure


def _below(types):
    """Inches for the names of types, upright below an axis."""
    return 0.2 + 0.055 * max(len(short(str(name), 32)) for name in types)


def _strip(axes, column, color):
    """Strip in a condition's colour above a column, as thick in a figure of any height."""
    raised = ScaledTranslation(0, STRIP / 144, axes.figure.dpi_scale_trans)
    axes.plot(
        [column - 0.5, column + 0.5], [1, 1], color=color, lw=STRIP, solid_capstyle="butt",
        transform=axes.get_xaxis_transform() + raised, clip_on=False, scalex=False, scaley=False,
    )  # fmt: skip


def _tree(axes, rows):
    """Draw a dendrogram of rows left of them; returns their order."""
    from scipy.cluster.hierarchy import dendrogram, linkage

    axes.set_axis_off()
    if len(rows) < SMALLEST_TREE:
        return np.arange(len(rows))
    tree = linkage(np.nan_to_num(rows), "average", optimal_ordering=len(rows) < 500)
    found = dendrogram(
        tree, ax=axes, orientation="left", no_labels=True, color_threshold=0,
        above_threshold_color="#606060",
    )  # fmt: skip
    for line in axes.collections:
        line.set_linewidth(0.7)
    # Rows of an image go down, leaves of a dendrogram up.
    axes.invert_yaxis()
    return np.array(found["leaves"])


@styled
def fold_change_dots(change, share, *, conditions, significant=None):
    """Mean fold change of genes over cell types, with the share of cells that express them.

    Parameters
    ----------
    change : pandas.DataFrame, shape (genes, types)
        Mean log fold change.
    share : pandas.DataFrame, shape (genes, types)
        Share of the cells with expression above 0, 0 to 1.
    conditions : pair of str
        Reference and compared condition.
    significant : pandas.DataFrame of bool, shape (genes, types), optional
        Dots with a line around them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    genes, types = change.shape
    height = max(2.6, 0.9 + 0.19 * genes) + _below(change.columns)
    figure, axes = canvas(2.9 + column_width(types, 0.26, 2.9) * types, height)
    y, x = np.divmod(np.arange(genes * types), types)
    limit = np.abs(change.to_numpy()).max(initial=0.0) or 1.0
    largest = 75.0
    points = axes.scatter(
        x, genes - 1 - y, s=largest * share.to_numpy().ravel(), c=change.to_numpy().ravel(),
        cmap=DIVERGING, norm=TwoSlopeNorm(0, -limit, limit), edgecolors="#a0a0a0", linewidths=0.3,
    )  # fmt: skip
    if significant is not None:
        marked = significant.to_numpy().ravel()
        points.set_edgecolors(np.where(marked, "black", "#a0a0a0"))
        points.set_linewidths(np.where(marked, 1.3, 0.3))
    axes.set_yticks(range(genes), [short(str(g), 32) for g in change.index[::-1]])
    axes.set_xticks(
        range(types), [short(str(t), 32) for t in change.columns], rotation=90,
    )  # fmt: skip
    axes.set(xlim=(-0.6, types - 0.4), ylim=(-0.6, genes - 0.4))
    axes.tick_params(length=0)
    label = f"Mean log fold change\n{short(conditions[1], 25)} − {short(conditions[0], 25)}"
    label += "\n(units of the layer)"
    color_bar(points, axes, label, shrink=min(1.0, 2.0 / height))
    sizes = [
        Line2D([], [], ls="", marker="o", ms=np.sqrt(largest * part), mfc="white", mec="#404040",
               mew=0.5, label=f"{part:.0%}")
        for part in (0.1, 0.5, 1.0)
    ]  # fmt: skip
    if significant is not None:
        sizes.append(
            Line2D([], [], ls="", marker="o", ms=6, mfc="white", mec="black", mew=1.3,
                   label="significant in some cells of the type")
        )  # fmt: skip
    legend_above(figure, sizes, "Cells that express the gene")
    return figure


@styled
def gene_panels(xy, genes, *, conditions, axis_names, size=None):
    """Smoothed expression in both conditions, fold change and its uncertainty, a row per gene.

    Parameters
    ----------
    xy : array, shape (n, 2)
    genes : dict of str to tuple of array, shape (n,)
        Of each gene: smoothed expression in the reference and the compared condition, and the
        standard deviation of their difference.
    conditions : pair of str
        Reference and compared condition.
    axis_names : pair of str
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown, cells_shown = _some(len(xy))
    size = size or 0.5 * point_size(len(shown))
    xy = np.asarray(xy)[shown]
    figure, grid = canvas(PAGE, 0.6 + 1.35 * len(genes), len(genes), 5, squeeze=False)
    reference, compared = (short(name, 16) for name in conditions)
    titles = [reference, compared, f"{compared}\n− {reference}"]
    titles += ["standard deviation\nof the change", "change /\nstandard deviation"]
    total = 5 * len(genes) * len(xy)
    for row, (gene, (before, after, spread)) in zip(grid, genes.items(), strict=True):
        before, after, spread = (np.asarray(x)[shown] for x in (before, after, spread))
        change = after - before
        low, high = min(before.min(), after.min()), max(before.max(), after.max())
        level = {"cmap": SEQUENTIAL, "vmin": low, "vmax": max(high, low + 1e-12)}
        panels = [
            (before, level, "expression"), (after, level, "expression"),
            (change, _centred(change), "log fold change"),
            (spread, {"cmap": SEQUENTIAL}, "uncertainty"),
            (change / spread, _centred(change / spread), "z-score"),
        ]  # fmt: skip
        for axes, (values, colors, label) in zip(row, panels, strict=True):
            order = np.argsort(np.abs(values))
            points = scatter(axes, xy[order], values[order], size, total, **colors)
            beyond = "norm" in colors and np.abs(values).max() > colors["norm"].vmax
            extend = "both" if beyond else "neither"
            bar = color_bar(points, axes, label, shrink=0.75, pad=0.01, extend=extend)
            bar.ax.yaxis.label.set_size(text_size(6.5))
            bar.ax.tick_params(labelsize=text_size(6))
            axes.set(xticks=[], yticks=[])
            axes.set_facecolor("#e8e8e8")
        row[0].set_ylabel(short(gene, 32), fontsize=text_size(9 if len(gene) <= 22 else 7))
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    figure.supxlabel(
        f"{axis_names[0]} (horizontal), {axis_names[1]} (vertical){cells_shown}. Expression, its "
        "change and the uncertainty in units of the layer.",
        fontsize=text_size(7),
    )
    return figure


def _some(n):
    """Cells to draw where there are very many, and a note that says so."""
    if n <= MOST_CELLS:
        return np.arange(n), ""
    chosen = np.sort(np.random.default_rng(0).choice(n, MOST_CELLS, replace=False))
    return chosen, f"; {MOST_CELLS:,} of {n:,} cells, drawn at random"


def _centred(values):
    limit = np.percentile(np.abs(values), 99.5) or 1.0
    return {"cmap": DIVERGING, "norm": TwoSlopeNorm(0, -limit, limit)}


@styled
def expression_along(position, genes, members, *, name, conditions, colors=CONDITION_COLORS,
                     size=None):  # fmt: skip
    """Measured and smoothed expression along a component of the cell states, a panel per gene.

    Parameters
    ----------
    position : array, shape (n,)
        The component at every cell.
    genes : dict of str to tuple of array
        Of each gene: measured expression (n,), smoothed expression (n, 2) in the reference and
        the compared condition, its standard deviation (n, 2).
    members : pair of array of bool, shape (n,)
        Cells of the two conditions, whose measurements are drawn.
    name : str
        Of the component.
    conditions : pair of str
    colors : pair of colours
        Of the conditions.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    position = np.asarray(position)
    columns = min(2, len(genes))
    rows = -(-len(genes) // columns)
    figure, grid = canvas(3.9 * columns, 0.5 + 2.3 * rows, rows, columns, squeeze=False)
    shown, cells_shown = _some(len(position))
    drawn = np.isin(np.arange(len(position)), shown)
    size, total = size or point_size(len(shown)) / 2, len(shown) * len(genes)
    # Cells of other components lie over each other: the curves are means in bins of equal count.
    bins = np.array_split(np.argsort(position), min(60, max(1, len(position) // 20)))
    middle = np.array([position[cells].mean() for cells in bins])
    for axes, (gene, (measured, smoothed, spread)) in zip(grid.flat, genes.items(), strict=False):
        for i, color in enumerate(colors):
            xy = np.column_stack([position, measured])[members[i] & drawn]
            scatter(axes, xy, color, size, total, alpha=0.25)
            mean = np.array([smoothed[cells, i].mean() for cells in bins])
            std = np.array([spread[cells, i].mean() for cells in bins])
            axes.fill_between(middle, mean - 2 * std, mean + 2 * std, color=color, alpha=0.3, lw=0)
            axes.plot(middle, mean, color=color, lw=1.6)
        axes.set(xlabel=name, ylabel="Expression (units of the layer)", title=short(gene))
        axes.ticklabel_format(axis="x", useOffset=False)
    for axes in grid.flat[len(genes) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], color=c, lw=1.6, marker="o", ms=3, label=short(n))
        for c, n in zip(colors, conditions, strict=True)
    ]
    legend_above(
        figure,
        handles,
        "Measured (points); smoothed, mean ± 2 posterior standard deviations (lines)" + cells_shown,
    )
    return figure
