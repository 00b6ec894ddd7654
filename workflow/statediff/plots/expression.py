"""Figures of differential expression."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from statediff.fields import DIRECTION_COLORS
from statediff.plots.panel import settle
from statediff.plots.style import (
    OKABE_ITO,
    Outlined,
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

__all__ = ["contrast_comparison", "expression_ma", "expression_volcano"]

LABELS = {
    "pvalue": "−log₁₀ p-value of the change",
    "standardised": "Standardised distance of the fold change",
    "mahalanobis": "Mahalanobis distance of the fold change",
}
# Contrasts that are compared at most, and the colours of where a gene is called.
MOST_CONTRASTS = 4
COMPARED = {
    "in neither": "#d0d0d0",
    "in both": OKABE_ITO[7],
    "on the horizontal axis only": OKABE_ITO[1],
    "on the vertical axis only": OKABE_ITO[4],
}
# Pixels from which on a line leads from a point to its name.
LEAST_LINE = 6.0
# Pixels that it keeps from other points.
CLEAR = 2.5
# Places across and up that are tried for a name without one beside its point.
PLACES = 30
LINES = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}
SHORT = {"pvalue": "−log₁₀ p", "standardised": "distance", "mahalanobis": "distance"}


@styled
def expression_volcano(genes, *, conditions, fdr_threshold, ranking, shown=None, labelled=15,
                       size=None):  # fmt: skip
    """Volcano plot of genes: mean log fold change against the statistic that ranks them.

    Parameters
    ----------
    genes : pandas.DataFrame
        Index of gene names; `mean_lfc`, `is_de`, and the statistics that rank and are shown.
    conditions : pair of str
        Reference and compared condition.
    fdr_threshold : float
        The local FDR (q-value, where p-values or standardised distances rank) of `is_de`.
    ranking : {"pvalue", "standardised", "mahalanobis"}
        Statistic by which genes are ranked and called.
    shown : {"pvalue", "standardised", "mahalanobis"}, optional
        Statistic on the vertical axis, by default `ranking`; p-values as −log10. The threshold of
        calls is drawn only for the statistic that ranks.
    labelled : int
        Number of genes that are labelled, from the top, as far as there is room.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    reference, compared = conditions
    shown = shown or ranking
    height = genes[shown].to_numpy(dtype=float)
    height = -np.log10(height) if shown == "pvalue" else height
    xy = np.column_stack([genes["mean_lfc"].to_numpy(dtype=float), height])
    called = genes["is_de"].to_numpy(dtype=bool)
    figure, axes = canvas(4.6, 4.2)
    handles = _genes(axes, xy, called, xy[:, 0] > 0, compared, size)
    if called.any() and shown == ranking:
        threshold = xy[called, 1].min()
        axes.axhline(threshold, zorder=0, **LINES)
        rate = "local FDR" if ranking == "mahalanobis" else "FDR"
        text = f"{rate} < {fdr_threshold:g}\n({SHORT[shown]} ≥ {threshold:.1f})"
        handles.append(Line2D([], [], label=text, **LINES))
    legend_beside(figure, handles, "Genes, by mean change")
    wide = 1.35 * max(np.abs(xy[:, 0]).max(), 1e-12)
    axes.set(
        xlim=(-wide, wide),
        ylim=(0, 1.08 * max(xy[:, 1].max(), 1e-12)),
        xlabel=f"Mean log fold change over cells, {compared} − {reference} (units of the layer)",
        ylabel=LABELS[shown],
    )
    order = np.argsort(-xy[:, 1], kind="stable")
    _name(axes, xy[order[: labelled + 200]], genes.index[order[:labelled]])
    return figure


@styled
def expression_ma(genes, *, conditions, change, labelled=15, size=None):
    """Fold change of genes against their mean expression.

    Parameters
    ----------
    genes : pandas.DataFrame
        Index of gene names, by decreasing evidence of change; `mean_expression` (log2), `lfc`
        and `is_de`.
    conditions : pair of str
        Reference and compared condition.
    change : str
        Label of the vertical axis: kind and unit of `lfc`.
    labelled : int
        Number of called genes that are labelled, the first ones, as far as there is room.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    xy = genes[["mean_expression", "lfc"]].to_numpy(dtype=float)
    called = genes["is_de"].to_numpy(dtype=bool)
    figure, axes = canvas(4.6, 3.8)
    handles = _genes(axes, xy, called, xy[:, 1] > 0, conditions[1], size)
    axes.axhline(0.0, zorder=0, color="#404040", lw=0.8)
    legend_beside(figure, handles, "Genes, by this change")
    axes.set(xlabel="Mean expression, log₂ (1 + counts per 10,000)", ylabel=change)
    axes.margins(0.1)
    first = np.flatnonzero(called)[:labelled]
    _name(axes, _with_others(xy, first), genes.index[first])
    return figure


@styled
def contrast_comparison(tables, *, change, labelled=5, size=None):
    """Fold changes of genes in two contrasts against each other, a panel for each pair.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        For each contrast `lfc`, `is_de` and `rank` (0: strongest evidence), with the same genes as
        the index. The first four contrasts are drawn.
    change : str
        Kind of `lfc`, for the labels of the axes.
    labelled : int
        Number of genes labelled in each panel: genes called in either contrast, by their best rank.
    size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(tables)[:MOST_CONTRASTS]
    count = len(names) - 1
    side = 3.4 if count == 1 else 2.5
    figure, grid = canvas(side * count, 0.5 + side * count, count, count, squeeze=False)
    wide = 1.15 * max(np.abs(tables[name]["lfc"]).max() for name in names) or 1.0
    named = []
    for row, column in np.ndindex(count, count):
        axes = grid[row, column]
        if column > row:
            axes.set_axis_off()
            continue
        across, up = tables[names[column]], tables[names[row + 1]]
        named.append((axes, *_compare(axes, across, up, labelled, size)))
        axes.set(xlim=(-wide, wide), ylim=(-wide, wide), aspect="equal")
        if row == count - 1:
            axes.set_xlabel(f"{change}, {short(names[column], 25)}")
        if column == 0:
            axes.set_ylabel(f"{change}, {short(names[row + 1], 25)}")
    handles = [dot(color, text) for text, color in COMPARED.items()]
    legend_above(figure, handles, "Genes called")
    for axes, xy, texts in named:
        _name(axes, xy, texts)
    return figure


def _compare(axes, across, up, labelled, size):
    """Draw the genes of two contrasts; returns where to write the names of the first ones."""
    xy = np.column_stack([across["lfc"], up["lfc"]]).astype(float)
    called = [table["is_de"].to_numpy(dtype=bool) for table in (across, up)]
    kinds = np.select([called[0] & called[1], called[0], called[1]], [*COMPARED][1:], "in neither")
    axes.axhline(0.0, color="#404040", lw=0.5, zorder=0)
    axes.axvline(0.0, color="#404040", lw=0.5, zorder=0)
    axes.axline((0.0, 0.0), slope=1.0, zorder=0, **LINES)
    size = size or max(point_size(len(xy)) / 2, 4.0)
    for kind, color in COMPARED.items():
        scatter(axes, xy[kinds == kind], color, size, len(xy))
    either = called[0] | called[1]
    title = f"{np.count_nonzero(either):,} called in one or both"
    if np.count_nonzero(either) > 2 and xy[either].std(axis=0).all():
        title += f", r = {np.corrcoef(xy[either].T)[0, 1]:.2f}"
    axes.set_title(title, fontsize=text_size(7.5))
    ranks = np.minimum(across["rank"], up["rank"]).to_numpy(dtype=float)
    first = np.argsort(np.where(either, ranks, np.inf), kind="stable")
    first = first[: min(labelled, np.count_nonzero(either))]
    return _with_others(xy, first), across.index[first]


def _with_others(xy, first):
    """Points to be named, and those that stick out, of which the names keep clear."""
    others = np.delete(np.arange(len(xy)), first)
    clearest = others[np.argsort(-np.abs(xy[others]).sum(axis=1))][:200]
    return xy[np.append(first, clearest)]


def _genes(axes, xy, called, up, compared, size):
    """Draw genes in the colours of their directions; returns entries of a legend."""
    kinds = np.where(called, np.where(up, "up", "down"), "neutral")
    # The few genes of interest lie apart: small points would be lost.
    size = size or max(point_size(len(xy)), 5.0)
    for name in ("neutral", "down", "up"):
        scatter(axes, xy[kinds == name], DIRECTION_COLORS[name], size, len(xy))
    named = {
        "up": f"higher in {compared}",
        "down": f"lower in {compared}",
        "neutral": "not significant",
    }
    return [
        dot(DIRECTION_COLORS[name], f"{text} ({np.count_nonzero(kinds == name):,})")
        for name, text in named.items()
    ]


def _name(axes, xy, names):
    """Write names beside the first points, as far as there is room for them."""
    if not len(names):
        return
    from adjustText import adjust_text

    figure = axes.figure
    texts = [
        axes.add_artist(Outlined(x, y, short(name, 30), fontsize=text_size(7), clip_on=False))
        for (x, y), name in zip(xy, names)
    ]
    targets = xy[: len(texts)]
    settle(figure)
    adjust_text(
        texts, x=xy[:, 0], y=xy[:, 1], target_x=targets[:, 0], target_y=targets[:, 1], ax=axes,
        expand=(1.2, 1.5), iter_lim=500, ensure_inside_axes=True, force_text=(0.4, 0.6),
    )  # fmt: skip
    boxes, lines, points, waiting = [], [], axes.transData.transform(xy), []
    for i, text in enumerate(texts):
        box = text.get_window_extent().padded(-1)
        start, led = _line(points, i, box)
        if led is None or any(box.overlaps(other) for other in boxes):
            waiting.append(i)
            continue
        boxes.append(box)
        lines += [[points[i], start]] if led else []
    for i in waiting:
        box = _free_place(axes, points, i, texts[i].get_window_extent(), boxes)
        if box is None:
            texts[i].remove()
            continue
        texts[i].set(ha="left", va="bottom")
        texts[i].set_position(axes.transData.inverted().transform(box.min))
        boxes.append(box)
        lines.append([points[i], _line(points, i, box)[0]])
    lines = [axes.transData.inverted().transform(line) for line in lines]
    axes.add_collection(LineCollection(lines, colors="#606060", lw=0.5, zorder=2), autolim=False)


def _line(points, i, box):
    """End at a text of the line from its point, and whether it is long enough to be drawn; None in
    its place where the line would pass through another point, and name both."""
    near = np.clip(points[i], box.min, box.max)
    if np.hypot(*(points[i] - near)) <= LEAST_LINE:
        return near, False
    clear = _distances(np.delete(points, i, axis=0), points[i], near).min(initial=np.inf) >= CLEAR
    return near, True if clear else None


def _free_place(axes, points, i, box, boxes):
    """The place nearest to a point where its name covers no point and no other name; or nothing."""
    low, high = axes.bbox.min, axes.bbox.max - box.size
    places = np.stack(np.meshgrid(*np.linspace(low, high, PLACES).T), axis=-1).reshape(-1, 2)
    middle = places + box.size / 2
    for place in places[np.argsort(np.hypot(*(middle - points[i]).T), kind="stable")]:
        found = Bbox.from_bounds(*place, *box.size)
        covers = ((points >= found.min) & (points <= found.max)).all(axis=1).any()
        if covers or any(found.overlaps(other) for other in boxes):
            continue
        if _line(points, i, found)[1] is not None:
            return found
    return None


def _distances(points, start, end):
    """Distance of points from a line between two."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0.0, 1.0)
    return np.linalg.norm(start + share[:, None] * along - points, axis=1)
