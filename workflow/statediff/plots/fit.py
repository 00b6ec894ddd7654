"""Figure of the fit itself: what the model can follow, and what it smooths over."""

import numpy as np

from statediff.plots.style import (
    CONDITION_COLORS,
    OKABE_ITO,
    canvas,
    log_ticks,
    short,
    styled,
    text_size,
)

__all__ = ["fit_overview"]

LINES = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3))}


@styled
def fit_overview(eigenvalues, *, noise, residual, tol, ls, distances, freedom, conditions,
                 colors=CONDITION_COLORS):  # fmt: skip
    """Spectrum of the basis, length scale against distances of neighbours, degrees of freedom.

    Parameters
    ----------
    eigenvalues : array, shape (r,)
        Of the kernel matrix, decreasing.
    noise : float
        Standard deviation σ of the observation noise.
    residual, tol : float
        Largest prior variance, of 1, that the basis leaves unexplained at a cell it was found on,
        and the largest it may.
    ls : float
        Length scale, in the units of the states.
    distances : array, shape (n,)
        From each cell to its nearest neighbour, in the same units.
    freedom : pair of array, shape (r,)
        Share of each function that the data decide, in the reference and the compared
        condition: the diagonal of :math:`I - A_c^{-1}`.
    conditions : pair of str
    colors : pair of colours
        Of the conditions.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (left, middle, right) = canvas(9.6, 2.9, columns=3)
    number = np.arange(1, len(eigenvalues) + 1)
    left.loglog(number, np.maximum(eigenvalues, 1e-300), color=OKABE_ITO[0], lw=1.2)
    left.axhline(noise**2, **LINES)
    left.annotate(
        "noise variance σ²",
        (1, noise**2),
        (2, 2),
        textcoords="offset points",
        fontsize=text_size(7),
    )
    above = int((np.asarray(eigenvalues) > noise**2).sum())
    left.set(
        xlabel="Function of the basis", ylabel="Eigenvalue of the kernel",
        title=f"{above:,} of {len(number):,} functions above the noise",
    )  # fmt: skip
    left.annotate(
        f"unexplained variance\nat most {residual:.1e}\n(tolerance {tol:.0e})", (0.04, 0.05),
        xycoords="axes fraction", fontsize=text_size(7),
    )  # fmt: skip
    positive = np.asarray(distances)[np.asarray(distances) > 0]
    edges = np.geomspace(min(positive.min(), ls) / 1.2, max(positive.max(), ls) * 1.2, 50)
    counts, _, _ = middle.hist(positive, edges, color=OKABE_ITO[4])
    middle.set_ylim(0, 1.25 * counts.max())
    middle.axvline(ls, **LINES)
    middle.annotate(
        f"length scale {ls:.3g} ", (ls, 0.95), xycoords=("data", "axes fraction"), ha="right",
        fontsize=text_size(7),
    )  # fmt: skip
    middle.set(
        xscale="log", xlabel="Distance to the nearest cell (units of the states)", ylabel="Cells",
        title=f"Length scale = {ls / np.median(positive):.3g} × median distance",
    )  # fmt: skip
    for values, color, name in zip(freedom, colors, conditions, strict=True):
        total = np.cumsum(values)
        label = f"{short(name, 25)}: {total[-1]:.1f}"
        right.semilogx(number, total, color=color, lw=1.4, label=label)
    right.set(
        xlabel="Functions, the smoothest first", ylabel="Effective degrees of freedom",
        title="Curves that the data decide", ylim=(0, None),
    )  # fmt: skip
    right.legend(loc="upper left")
    log_ticks(left.xaxis, left.yaxis, middle.xaxis, right.xaxis)
    return figure
