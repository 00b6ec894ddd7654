"""Figure of the shares of cell types in the conditions and their samples."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from statediff.composition import mean_intervals
from statediff.plots.style import CONDITION_COLORS, canvas, legend_above, short, styled, text_size

__all__ = ["MOSTLY", "composition"]

#: A type with at least this share of its cells in one condition is labelled.
MOSTLY = 0.75


def _shares(counts, types):
    """Share of each type in each sample."""
    cells = counts.reindex(types, fill_value=0).to_numpy(dtype=float)
    return cells / np.maximum(cells.sum(axis=0), 1.0)


@styled
def composition(counts, *, conditions, samples=None, colors=CONDITION_COLORS):
    """Share of each cell type in each condition.

    Parameters
    ----------
    counts : pandas.DataFrame, shape (types, 2)
        Cells of each type (index) in the reference and the compared condition (columns); drawn
        top to bottom.
    conditions : pair of str
        Reference and compared condition.
    samples : pair of pandas.DataFrame, optional
        The same for each sample (columns) of either condition; drawn as points. The bars are then
        the means of the samples' shares, with 95 % intervals where a condition has two samples.
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
    of_samples = None if samples is None else [_shares(s, counts.index) for s in samples]
    if of_samples is not None:
        percent = np.column_stack([100.0 * shares.mean(axis=1) for shares in of_samples])
        intervals = [100.0 * ends for ends in mean_intervals(of_samples)]
        reach = percent.max(axis=1)
    for i, offset in enumerate((0.2, -0.2)):
        axes.barh(rows + offset, percent[:, i], height=0.38, color=colors[i])
        if of_samples is not None:
            shares = 100.0 * of_samples[i]
            at = np.repeat((rows + offset)[:, None], shares.shape[1], axis=1)
            axes.hlines(rows + offset, *intervals[i].T, color="black", lw=1.0, zorder=2)
            axes.scatter(shares, at, s=7, color="white", edgecolors="black", lw=0.6, zorder=3)
            reach = np.maximum(reach, shares.max(axis=1, initial=0.0))
            reach = np.fmax(reach, intervals[i][:, 1])
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
    whose = "the condition" if samples is None else "a sample, mean over the samples,"
    axes.set_xlabel(f"Cells of {whose} that are of the type (%)")
    axes.tick_params(axis="y", length=0)
    handles = [
        Patch(color=color, label=f"{short(name)} ({int(n):,} cells)")
        for color, name, n in zip(colors, conditions, cells.sum(axis=0), strict=True)
    ]
    if samples is not None:
        handles.append(
            Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec="black", label="a sample")
        )
        if np.isfinite(np.array(intervals)).any():
            handles.append(Line2D([], [], color="black", lw=1.0, label="95 % interval of the mean"))
    legend_above(figure, handles)
    return figure
