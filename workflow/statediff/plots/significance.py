"""Figures that compare statistics with their null distribution."""

import numpy as np

from statediff.plots.style import OKABE_ITO, PAGE, canvas, log_ticks, styled, text_size

__all__ = ["null_comparison", "pvalue_calibration"]

LINES = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}
REAL, NULL = OKABE_ITO[5], "#8c8c8c"
BINS = 60
# Q-values below this are on the axis, and points higher than so many times what is expected at
# most are marked at the edge.
NO_RATE, STEEPEST = 1e-3, 3.0


@styled
def null_comparison(distances, null, rates, *, rate, threshold, is_de, seed=0):
    """Distances of genes and of null genes, the false discovery rate, and both halves of the null.

    Parameters
    ----------
    distances : array, shape (genes,)
    null : array, shape (n_null,)
    rates : array, shape (genes,)
        Local FDR or q-value.
    rate : str
        Name of the rate.
    threshold : float
        Of the rate.
    is_de : array of bool, shape (genes,)
    seed : int
        Of the two halves of the null.

    Returns
    -------
    matplotlib.figure.Figure
    """
    distances, null = np.asarray(distances, dtype=float), np.asarray(null, dtype=float)
    figure, (left, middle, right) = canvas(PAGE, 2.5, columns=3)
    edges = np.linspace(0.0, max(distances.max(), null.max()), BINS + 1)
    left.hist(null, edges, density=True, color=NULL, alpha=0.8, label=f"null ({len(null):,})")
    left.hist(distances, edges, density=True, histtype="step", color=REAL, lw=1.3,
              label=f"genes ({len(distances):,})")  # fmt: skip
    left.set(xlabel="Distance", ylabel="Density (log scale)", yscale="log")
    log_ticks(left.yaxis)
    # Room for the legend.
    left.set_ylim(top=50.0 * left.get_ylim()[1])
    _mark(left, distances, is_de)
    left.legend(loc="upper right")
    _rate_curve(middle, distances, rates, rate, threshold, is_de, "Distance")
    # Two halves of the null against each other show what chance alone does.
    halves = np.random.default_rng(seed).permutation(null)
    size = len(halves) // 2
    first, second = np.sort(halves[:size]), np.sort(halves[size : 2 * size])
    _quantiles(right, first, second)
    right.set(
        xlabel="Distances, one half of the null", ylabel="The other half", title="Null against null"
    )
    return figure


@styled
def pvalue_calibration(pvalues, qvalues, *, threshold, is_de, null=None):
    """Histogram of p-values, q-values by rank, and p-values against uniform ones.

    Parameters
    ----------
    pvalues, qvalues : array, shape (genes,)
    threshold : float
        Of the q-value.
    is_de : array of bool, shape (genes,)
    null : array, shape (n_null,), optional
        P-values of data in which nothing differs.

    Returns
    -------
    matplotlib.figure.Figure
    """
    pvalues, qvalues = np.asarray(pvalues, dtype=float), np.asarray(qvalues, dtype=float)
    figure, (left, middle, right) = canvas(PAGE, 2.5, columns=3)
    counts, _, _ = left.hist(pvalues, np.linspace(0, 1, 41), density=True, color=OKABE_ITO[4])
    left.axhline(1.0, **LINES)
    left.legend([left.lines[0]], ["expected if no gene changes"], loc="upper right")
    left.set(xlabel="P-value", ylabel="Density of genes", xlim=(0, 1), ylim=(0, 1.2 * counts.max()))
    height = -np.log10(np.maximum(pvalues, 1e-300))
    _rate_curve(middle, height, qvalues, "q-value", threshold, is_de, "−log₁₀ p-value")
    # Beyond, the curve lies on the axis; where all genes change, all of it does.
    top = height.max(initial=1.0)
    above = height[qvalues > NO_RATE].max(initial=height.min(initial=top))
    middle.set_xlim(0, min(top, max(1.5 * above, 1.0)))
    observed, expected = np.sort(height)[::-1], _uniform(len(pvalues))
    called = np.sort(height[np.asarray(is_de)])[::-1]
    _quantiles(right, expected, observed)
    if len(called):
        right.scatter(expected[: len(called)], called, s=5, color=REAL, linewidths=0, zorder=3,
                      label=f"called ({len(called):,})")  # fmt: skip
    if null is not None:
        label = f"shuffled ({len(null):,})"
        right.scatter(_uniform(len(null)), np.sort(-np.log10(null))[::-1], s=5, color=NULL,
                      linewidths=0, zorder=4, label=label)  # fmt: skip
    # So that the line, and the genes that follow it, are seen.
    top = STEEPEST * expected.max(initial=0.0)
    beyond = expected[observed > top]
    if len(beyond):
        right.set_ylim(0, 1.05 * top)
        right.scatter(beyond, np.full(len(beyond), top), s=9, marker="^", color=REAL, lw=0,
                      zorder=3, label=f"above {top:.0f} ({len(beyond):,})")  # fmt: skip
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="center right")
    right.set(
        xlabel="−log₁₀ p-value expected without changes", ylabel="−log₁₀ p-value",
        title="Genes against chance",
    )  # fmt: skip
    return figure


def _uniform(count):
    """−log10 of so many p-values as they would be if uniform, largest first."""
    return -np.log10((np.arange(count) + 0.5) / max(count, 1))


def _mark(axes, statistic, is_de):
    """The smallest statistic of a gene that is called."""
    called = np.asarray(statistic)[np.asarray(is_de)]
    if len(called):
        axes.axvline(called.min(), **LINES)
        axes.annotate(
            f" {len(called):,} called", (called.min(), 0.75), xycoords=("data", "axes fraction"),
            fontsize=text_size(7),
        )  # fmt: skip
    else:
        axes.annotate(
            "no gene called",
            (0.97, 0.75),
            xycoords="axes fraction",
            ha="right",
            fontsize=text_size(7),
        )


def _rate_curve(axes, statistic, rates, rate, threshold, is_de, name):
    order = np.argsort(statistic)
    axes.plot(statistic[order], np.asarray(rates)[order], color=OKABE_ITO[0], lw=1.4)
    axes.axhline(threshold, **LINES)
    axes.set(xlabel=name, ylabel=f"{rate[0].upper()}{rate[1:]}", ylim=(-0.02, 1.02))
    axes.set_title(
        f"{np.count_nonzero(is_de):,} of {len(rates):,} genes with {rate} < {threshold:g}"
    )


def _quantiles(axes, x, y):
    x, y = np.sort(x), np.sort(y)
    wide, high = (max(values.max(initial=0.0), 1e-12) for values in (x, y))
    axes.plot([0, min(wide, high)], [0, min(wide, high)], **LINES)
    axes.scatter(x, y, s=5, color=OKABE_ITO[0], linewidths=0, rasterized=len(x) > 20_000)
    axes.set(xlim=(0, 1.05 * wide), ylim=(0, 1.05 * high))
