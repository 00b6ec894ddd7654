"""Comparison of published numbers with those of a run."""

from dataclasses import dataclass

import pandas as pd

__all__ = ["AGREES", "DIFFERS", "NOT_COMPARABLE", "compare", "found_numbers"]

#: Verdicts.
AGREES, DIFFERS, NOT_COMPARABLE = "agrees", "differs", "not comparable"
# The tutorial names cell types with at least this percentage of their cells in one condition.
MOSTLY = 75.0
COLUMNS = [
    "quantity", "published", "ours", "difference", "tolerance", "verdict", "because", "source",
]  # fmt: skip
NAMES = {
    "changed": "cells changed",
    "up": "cells up",
    "down": "cells down",
    "n_de": "genes called",
    "n_de_up": "genes up",
    "n_de_down": "genes down",
    "mahalanobis_threshold": "smallest distance called",
    "rank": "rank",
    "mahalanobis": "distance",
    "mean_lfc": "mean log fold change",
}


@dataclass(frozen=True)
class Tolerance:
    """Tolerance of a number relative to the published one, and its reason.

    Attributes
    ----------
    because : str
    absolute : float
    relative : float
        Relative to the published number; the larger of the two tolerances is used.
    """

    because: str
    absolute: float = 0.0
    relative: float = 0.0

    def of(self, published):
        return max(self.absolute, self.relative * abs(published))


COUNTED = "counted, not estimated"
# Room above what moves a number. Kompot's neighbours are approximate, which changes its length
# scale in the third digit: the effect of 0.25 % was measured, on simulated data of the size of the
# tutorial's and on real PBMCs.
TOLERANCES = {
    "cells": Tolerance(COUNTED),
    "composition": Tolerance(COUNTED, absolute=0.001),
    "abundance": Tolerance(
        "kompot's length scale and optimiser: 0.4 % of them cross a threshold (simulation)",
        relative=0.03,
    ),
    "expression": Tolerance(
        "kompot's length scale: 0.8 % of them cross the threshold (simulation)", relative=0.03
    ),
    "mahalanobis_threshold": Tolerance(
        "another gene's when one less or more is called: 0.5 % (simulation)", relative=0.02
    ),
    "rank": Tolerance("genes with distances within their tolerance may change places", absolute=2),
    "mahalanobis": Tolerance(
        "kompot's length scale: 0.07 %, jitter: 0.03 % (PBMCs), and k-means landmarks",
        relative=0.005,
    ),
    "mean_lfc": Tolerance("kompot's length scale: 0.0006 (simulation)", absolute=0.005),
}


def found_numbers(cells, genes):
    """All numbers of a run that may have been published.

    Parameters
    ----------
    cells : pandas.DataFrame
        `condition`, `lfc_direction` and, if there are cell types, `cell_type`.
    genes : pandas.DataFrame
        `gene`, `mahalanobis`, `mean_lfc` and `is_de`.

    Returns
    -------
    dict of dict
        `cells`, `composition`, `abundance`, `expression` and `genes`, as the configuration has
        them in `published`. Without a gene called there is no `mahalanobis_threshold`.
    """
    composition = {}
    if "cell_type" in cells:
        counts = pd.crosstab(cells["cell_type"], cells["condition"])
        composition = (100.0 * counts.div(counts.sum(axis=1), axis=0)).to_dict("index")
    directions = cells["lfc_direction"].value_counts()
    up, down = (int(directions.get(name, 0)) for name in ("up", "down"))
    called = genes[genes["is_de"]]
    n_up = int((called["mean_lfc"] > 0).sum())
    expression = {"n_de": len(called), "n_de_up": n_up, "n_de_down": len(called) - n_up}
    if len(called):
        expression["mahalanobis_threshold"] = float(called["mahalanobis"].min())
    ranks = genes["mahalanobis"].rank(method="min", ascending=False).astype(int)
    statistics = genes[["mahalanobis", "mean_lfc"]].assign(rank=ranks).set_axis(genes["gene"])
    return {
        "cells": cells["condition"].value_counts().to_dict(),
        "composition": composition,
        "abundance": {"changed": up + down, "up": up, "down": down},
        "expression": expression,
        "genes": statistics.to_dict("index"),
    }


def compare(published, found):
    """Compare every published number with that of a run.

    Parameters
    ----------
    published : dict
        Some of the numbers of `found_numbers`, in the same form, and their `source`.
    found : dict
        From `found_numbers`.

    Returns
    -------
    pandas.DataFrame
        A row a number: `quantity`, `published`, `ours`, `difference` and `tolerance` (missing
        where the run has no such number), `verdict`, `because` and `source`.
    """
    ours = {quantity: value for quantity, _, value in _numbers(found)}
    rows = [
        _row(quantity, kind, value, ours.get(quantity)) | {"source": published["source"]}
        for quantity, kind, value in _numbers(published)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _numbers(numbers):
    """All numbers of the sections: quantity, kind, value."""
    for level, n in numbers["cells"].items():
        yield f"cells of {level}", "cells", n
    if composition := numbers["composition"]:
        mostly = sum(max(shares.values()) >= MOSTLY for shares in composition.values())
        yield f"cell types with {MOSTLY:g} % in one condition", "cells", mostly
    for cell_type, shares in composition.items():
        for level, percent in shares.items():
            yield f"{cell_type}: % {level}", "composition", percent
    for section in ("abundance", "expression"):
        for key, value in _named(numbers[section]):
            yield NAMES[key], key if key in TOLERANCES else section, value
    ranked = sorted(numbers["genes"].items(), key=lambda gene: gene[1].get("rank", 0))
    for gene, statistics in ranked:
        for key, value in _named(statistics):
            yield f"gene {gene}: {NAMES[key]}", key, value


def _named(numbers):
    """In the order of the names."""
    return [(key, numbers[key]) for key in NAMES if key in numbers]


def _row(quantity, kind, published, ours):
    row = {"quantity": quantity, "published": published}
    if ours is None:
        return row | {"verdict": NOT_COMPARABLE, "because": "this run has no such number"}
    tolerance, difference = TOLERANCES[kind], ours - published
    allowed = tolerance.of(published)
    # Rounding errors of the difference do not count.
    agrees = abs(difference) <= allowed * (1 + 1e-9)
    return row | {
        "ours": ours,
        "difference": difference,
        "tolerance": allowed,
        "verdict": AGREES if agrees else DIFFERS,
        "because": tolerance.because,
    }
