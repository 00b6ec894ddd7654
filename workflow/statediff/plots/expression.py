"""Figures of differential expression."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from statediff.plots.panel import settle
from statediff.plots.style import (
    Outlined,
    canvas,
    dot,
    legend_beside,
    point_size,
    scatter,
    short,
    styled,
    text_size,
)
from statediff.provenance import DIRECTION_COLORS

__all__ = ["expression_volcano"]

LABELS = {
    "pvalue": "−log₁₀ p-value of the change",
    "standardised": "Standardised distance of the fold change",
    "mahalanobis": "Mahalanobis distance of the fold change",
}
# Pixels from which on a line leads from a point to its name.
LEAST_LINE = 6.0
# Pixels that it keeps from other points.
CLEAR = 2.5
SHORT = {"pvalue": "−log₁₀ p", "standardised": "distance", "mahalanobis": "distance"}


@styled
def expression_volcano(genes, *, conditions, fdr_threshold, ranking, shown=None, labelled=15,
                       size=None):  # fmt: skip
    """Volcano of genes: mean log fold change against what ranks them, or their distance.

    Parameters
    ----------
    genes : pandas.DataFrame
        Index of gene names; `mean_lfc`, `is_de`, and the statistics that rank and are shown.
    conditions : pair of str
        Reference and compared condition.
    fdr_threshold : float
        The local FDR (q-value, where p-values or standardised distances rank) of `is_de`.
    ranking : {"pvalue", "standardised", "mahalanobis"}
        What ranks the genes, and calls them.
    shown : {"pvalue", "standardised", "mahalanobis"}, optional
        The vertical axis: by default what ranks; p-values as −log10. Another one has no height
        from which on genes are called, and no such line.
    labelled : int
        Genes named: those that come first on the vertical axis, as far as there is room.
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
    kinds = np.where(called, np.where(xy[:, 0] > 0, "up", "down"), "neutral")
    figure, axes = canvas(4.6, 4.2)
    # The few genes of interest lie apart: small points would be lost.
    size = size or max(point_size(len(genes)), 5.0)
    for name in ("neutral", "down", "up"):
        scatter(axes, xy[kinds == name], DIRECTION_COLORS[name], size, len(genes))
    lines = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}
    named = {
        "up": f"higher in {compared}",
        "down": f"lower in {compared}",
        "neutral": "not significant",
    }
    handles = [
        dot(DIRECTION_COLORS[name], f"{text} ({np.count_nonzero(kinds == name):,})")
        for name, text in named.items()
    ]
    if called.any() and shown == ranking:
        threshold = xy[called, 1].min()
        axes.axhline(threshold, zorder=0, **lines)
        rate = "local FDR" if ranking == "mahalanobis" else "FDR"
        text = f"{rate} < {fdr_threshold:g}\n({SHORT[shown]} ≥ {threshold:.1f})"
        handles.append(Line2D([], [], label=text, **lines))
    legend_beside(figure, handles, "Genes, by mean change")
    wide = 1.35 * max(np.abs(xy[:, 0]).max(), 1e-12)
    axes.set(
        xlim=(-wide, wide),
        ylim=(0, 1.08 * max(xy[:, 1].max(), 1e-12)),
        xlabel=f"Mean log fold change over cells, {compared} − {reference} (units of the layer)",
        ylabel=LABELS[shown],
    )
    order = np.argsort(-xy[:, 1], kind="stable")
    if labelled and len(order):
        _name(axes, xy[order[: labelled + 200]], genes.index[order[:labelled]])
    return figure


def _name(axes, xy, names):
    """Write names beside the first points, as far as there is room for them."""
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
    boxes, lines, points = [], [], axes.transData.transform(xy)
    for i, text in enumerate(texts):
        box = text.get_window_extent().padded(-1)
        near = np.clip(points[i], box.min, box.max)
        led = np.hypot(*(points[i] - near)) > LEAST_LINE
        # A line through another point would name both.
        crossed = led and _distances(np.delete(points, i, axis=0), points[i], near).min() < CLEAR
        if crossed or any(box.overlaps(other) for other in boxes):
            text.remove()
            continue
        boxes.append(box)
        if led:
            lines.append(axes.transData.inverted().transform([points[i], near]))
    axes.add_collection(LineCollection(lines, colors="#606060", lw=0.5, zorder=2), autolim=False)


def _distances(points, start, end):
    """Distance of points from a line between two."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0.0, 1.0)
    return np.linalg.norm(start + share[:, None] * along - points, axis=1)
