"""Figure of the fit: which trends the model can resolve, and which it smooths out."""

import numpy as np

from statediff.plots.style import (
    CONDITION_COLORS,
    OKABE_ITO,
    PAGE,
    canvas,
    log_ticks,
    short,
    styled,
    text_size,
)
from statediff.smoothness import FEW, fraction

__all__ = ["fit_overview"]

# Fewer effective degrees of freedom than these are called few: a convention of this figure.
BROAD = 10.0
# Degrees of freedom are called unequal from this ratio on.
UNEQUAL = 2.0
LINES = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}


@styled
def fit_overview(spectrum, *, residual, tol, ls, freedom, conditions, distances=None,
                 evidence=None, signal=None, colors=CONDITION_COLORS):  # fmt: skip
    r"""Spectrum of the basis, choice of the length scale, degrees of freedom, signal-to-noise.

    Parameters
    ----------
    spectrum : array, shape (r,)
        :math:`\rho\lambda_j`, decreasing: prior variance of each function of the basis, summed over
        the cells of both conditions, relative to the noise variance of a typical gene.
    residual, tol : float
        Largest prior variance, of 1, that the basis leaves unexplained at a cell it was found on,
        and the largest it may.
    ls : float
        Length scale, in the units of the states.
    freedom : pair of array, shape (r,)
        :math:`\rho\lambda_{cj} / (1 + \rho\lambda_{cj})`, decreasing, of a typical gene in the
        reference and the compared condition; they add up to the effective degrees of freedom.
    conditions : pair of str
    distances : array, shape (n,), optional
        From each cell to its nearest neighbour, in the units of the states, where the length scale
        was given.
    evidence : pair of array, shape (m,), optional
        Length scales that were compared, relative to the extent of the states, increasing, and
        their log evidence per gene, where the length scale was learnt.
    signal : pair of array, shape (L,), optional
        Signal-to-noise ratios, increasing, and the number of genes with each, where they were
        learnt.
    colors : pair of colours
        Of the conditions.

    Returns
    -------
    matplotlib.figure.Figure
        With three panels, and a fourth with `signal`.
    """
    if signal is None:
        figure, axes = canvas(PAGE, 2.8, columns=3)
    else:
        figure, axes = canvas(PAGE, 5.6, rows=2, columns=2)
        _signal(axes[1, 1], *signal)
    of_spectrum, of_scale, of_freedom = axes.ravel()[:3]
    _spectrum(of_spectrum, np.asarray(spectrum), residual, tol)
    if evidence is None:
        _neighbours(of_scale, np.asarray(distances), ls)
    else:
        _evidence(of_scale, *map(np.asarray, evidence), ls)
    totals = [_freedom(of_freedom, *pair) for pair in zip(freedom, colors, conditions, strict=True)]
    of_freedom.set(
        xlabel="Functions, the smoothest first", ylabel="Effective degrees of freedom",
        title="Trends that the data decide", ylim=(0, None),
    )  # fmt: skip
    of_freedom.legend(loc="upper left")
    log_ticks(of_freedom.xaxis)
    figure.suptitle(_verdict(totals, conditions, residual <= tol), fontsize=text_size(9))
    return figure


def _spectrum(axes, spectrum, residual, tol):
    number = np.arange(1, len(spectrum) + 1)
    axes.loglog(number, np.where(spectrum > 0, spectrum, np.nan), color=OKABE_ITO[0], lw=1.2)
    axes.axhline(1.0, **LINES)
    axes.annotate(
        "noise", (0.98, 1.0), (0, 2), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", fontsize=text_size(7),
    )  # fmt: skip
    axes.annotate(
        f"unexplained variance\nat most {residual:.1e}\n(tolerance {tol:.0e})", (0.04, 0.05),
        xycoords="axes fraction", fontsize=text_size(7),
    )  # fmt: skip
    axes.set(
        xlabel="Function of the basis", ylabel="Prior variance / noise variance",
        title=f"{int((spectrum > 1.0).sum()):,} of {len(number):,} functions above the noise",
    )  # fmt: skip
    log_ticks(axes.xaxis, axes.yaxis)


def _evidence(axes, multiples, evidence, ls):
    best = multiples[evidence.argmax()]
    axes.plot(multiples, evidence, color=OKABE_ITO[0], lw=1.2, marker="o", ms=4)
    axes.plot(best, evidence.max(), color=OKABE_ITO[5], marker="o", ms=7)
    axes.set_xscale("log", base=2)
    axes.set_xticks(multiples, [fraction(multiple) for multiple in multiples])
    axes.minorticks_off()
    axes.margins(x=0.1, y=0.15)
    axes.set(
        xlabel="Length scale / extent of the states", ylabel="Log evidence per gene (nats)",
        title=f"Length scale {ls:.3g} = {fraction(best)} × extent, by evidence",
    )  # fmt: skip


def _neighbours(axes, distances, ls):
    positive = distances[distances > 0]
    edges = np.geomspace(min(positive.min(), ls) / 1.2, max(positive.max(), ls) * 1.2, 50)
    counts, _, _ = axes.hist(positive, edges, color=OKABE_ITO[4])
    axes.set_ylim(0, 1.25 * counts.max())
    axes.axvline(ls, **LINES)
    axes.annotate(
        f"length scale {ls:.3g} ", (ls, 0.95), xycoords=("data", "axes fraction"), ha="right",
        fontsize=text_size(7),
    )  # fmt: skip
    axes.set(
        xscale="log", xlabel="Distance to the nearest cell (units of the states)", ylabel="Cells",
        title=f"Length scale = {ls / np.median(positive):.3g} × median distance",
    )  # fmt: skip
    log_ticks(axes.xaxis)


def _freedom(axes, values, color, name):
    """Draw the cumulative degrees of freedom of a condition; returns their sum."""
    total = np.cumsum(values)
    label = f"{short(name, 25)}: {total[-1]:.1f}"
    axes.semilogx(np.arange(1, len(total) + 1), total, color=color, lw=1.4, label=label)
    return total[-1]


def _signal(axes, levels, genes):
    positions = np.arange(len(levels))
    axes.bar(positions, genes, width=0.85, color=OKABE_ITO[2])
    axes.set_xticks(positions, [f"{level:.2g}" for level in levels])
    axes.set(
        xlabel="Signal-to-noise ratio", ylabel="Genes",
        title="Signal-to-noise ratio of the genes",
    )  # fmt: skip


def _verdict(totals, conditions, exact):
    """What the degrees of freedom mean, and what to do about few."""
    numbers = " and ".join(
        f"{total:.1f} in {short(name, 25)}" for total, name in zip(totals, conditions, strict=True)
    )
    least = min(totals)
    if least < FEW:
        words = (
            "The model follows hardly any trend: curves are almost constant over the cell states."
        )
    elif least < BROAD:
        words = "The model follows broad trends along the cell states, and no fine ones."
    else:
        words = "The model follows fine trends along the cell states."
    if max(totals) > UNEQUAL * least:
        poorer = short(conditions[int(np.argmin(totals))], 25)
        words += f" {poorer} decides fewer trends and limits the comparison."
    if not exact:
        words += " The basis misses its tolerance (first panel)."
    return f"{words}\nEffective degrees of freedom of a typical gene: {numbers}"
