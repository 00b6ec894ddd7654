"""Figure of what cell types the conditions, and their samples, are made of."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from statediff.plots.style import CONDITION_COLORS, canvas, legend_above, short, styled, text_size

__all__ = ["MOSTLY", "composition"]

#: A type with this share of its cells in one condition is named.
MOSTLY = 0.75


@styled
def composition(counts, *, conditions, samples=None, colors=CONDITION_COLORS):
    """Share of each condition's cells that are of each type.

    Parameters
    ----------
    counts : pandas.DataFrame, shape (types, 2)
        Cells of each type (index) in the reference and the compared condition (columns); drawn
        top to bottom.
    conditions : pair of str
        Reference and compared condition.
    samples : pair of pandas.DataFrame, optional
        The same for each sample (columns) of either condition; drawn as points.
    colors : pair of colours
        Of the conditions.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cells = counts.to_numpy(dtype=float)
    percent = 100.0 * cells / np.maximum(cells.sum(axis=0), 1.0)
    figure, axes = canvas(6.2, 1.2 + 0.3 * len(counts))
    rows = np.arange(len(counts))[::-1]
    reach = percent.max(axis=1)
    for i, offset in enumerate((0.2, -0.2)):
        axes.barh(rows + offset, percent[:, i], height=0.38, color=colors[i])
        if samples is not None:
            of_sample = samples[i].reindex(counts.index, fill_value=0).to_numpy(dtype=float)
            shares = 100.0 * of_sample / np.maximum(of_sample.sum(axis=0), 1.0)
            at = np.repeat((rows + offset)[:, None], shares.shape[1], axis=1)
            axes.scatter(shares, at, s=7, color="white", edgecolors="black", lw=0.6, zorder=3)
            reach = np.maximum(reach, shares.max(axis=1, initial=0.0))
    of_type = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1.0)
    for row, share, end in zip(rows, of_type, reach, strict=True):
        if share.max() >= MOSTLY:
            text = f"{share.max():.0%} of the type in {short(conditions[int(share.argmax())], 20)}"
            axes.annotate(
                text,
                (end, row),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=text_size(7),
            )
    axes.set_yticks(rows, [f"{short(t)} ({int(n):,})" for t, n in zip(counts.index, cells.sum(1))])
    # Room for the names at the longest bars.
    right = 1.3 * max(reach.max(initial=0.0), 1e-9)
    axes.set(xlim=(0, right), ylim=(-0.6, len(counts) - 0.4))
    axes.set_xticks([share for share in axes.get_xticks() if share <= min(right, 100)])
    axes.set_xlabel("Cells of the condition that are of the type (%)")
    axes.tick_params(axis="y", length=0)
    handles = [
        Patch(color=color, label=f"{short(name)} ({int(n):,} cells)")
        for color, name, n in zip(colors, conditions, cells.sum(axis=0), strict=True)
    ]
    if samples is not None:
        handles.append(
            Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec="black", label="a sample")
        )
    legend_above(figure, handles)
    return figure
