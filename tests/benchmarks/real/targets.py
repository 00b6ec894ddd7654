"""Targets on real data, and whether they are met."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from real.data import SETS

__all__ = ["NULLS", "TARGETS", "kind_of", "select"]

SAMPLES, CELLS = "statediff, samples", "statediff, no samples"
# Kinds of nulls, from the names of their contrasts.
NULLS = {
    "half": "random halves of the cells",
    "half, samples": "random halves of each sample, as pairs",
    "split, samples": "samples, two against two",
    "thinned": "half of the counts in half of the cells",
    "thinned, samples": "the same, as pairs",
}
# Beside the knocked-out gene, at most a handful.
HANDFUL = 5
# Ranks that still count as the first genes, of eight.
FIRST = 50


@dataclass(frozen=True)
class Target:
    """A number of a data set, and what it should be.

    Attributes
    ----------
    text : str
    value : callable
        From the rows of a data set to a number, or None where there is none.
    least, most : float
        Either may be infinite.
    only : str, optional
        The only data set that it is asked of.
    where_known : bool
        Whether it is asked only where there is a value.
    """

    text: str
    value: Callable
    least: float = -np.inf
    most: float = np.inf
    only: str | None = None
    where_known: bool = False

    def judge(self, rows, dataset):
        """Value, and whether it is met; None where the target does not apply.

        A value that is missing, since a run failed or nothing was called, misses the target.
        """
        if self.only not in (None, dataset):
            return None
        value = self.value(rows)
        if value is None and self.where_known:
            return None
        value = np.nan if value is None else value
        return value, bool(self.least <= value <= self.most)


def select(rows, **wanted):
    """Values of the rows with these entries."""
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows["value"]


def kind_of(subject):
    """Kind of a null or of a planted change, from the name of its contrast."""
    stem, sample = subject.removesuffix("_sample"), subject.endswith("_sample")
    stem = stem.partition("_")[0]
    return f"{stem}, samples" if sample or stem == "split" else stem


def number(aggregate=np.mean, **wanted):
    """An aggregate of the chosen values."""

    def value(rows):
        values = select(rows, **wanted)
        return aggregate(values) if len(values) else None

    return value


def null(kind, metric, aggregate=np.mean):
    """An aggregate over the nulls of a kind."""

    def value(rows):
        run = "depth" if kind.startswith("thinned") else "nulls"
        rows = rows[rows["run"] == run]
        rows = rows[rows["subject"].map(kind_of) == kind]
        return number(aggregate, method="statediff", metric=metric)(rows)

    return value


def planted(kinds, metric, method="statediff", aggregate=np.mean):
    """An aggregate over the planted changes of some kinds."""

    def value(rows):
        rows = rows[(rows["run"] == "planted") & rows["subject"].map(kind_of).isin(kinds)]
        return number(aggregate, method=method, metric=metric)(rows)

    return value


def lead(kinds, other):
    """Mean AUC above that of another method."""

    def value(rows):
        found = [planted(kinds, "AUC", method)(rows) for method in ("statediff", other)]
        return None if None in found else found[0] - found[1]

    return value


def any_called(values):
    return np.mean(values > 0)


def beside(rows):
    """Genes called beside the one that is knocked out; more than allowed if that is not called."""
    called = number(run="whole", method=SAMPLES, subject="genes", metric="called")(rows)
    known = number(run="whole", method=SAMPLES, subject="CFTR", metric="called")(rows)
    return None if called is None else (called - 1 if known else np.inf)


def worst_rank(rows):
    genes = SETS["kang_donors"].known["interferon-stimulated"]
    return number(np.max, run="whole", method=SAMPLES, metric="rank")(
        rows[rows["subject"].isin(genes)]
    )


def of_type(name, metric):
    return number(run="whole", method=SAMPLES, subject=name, metric=metric)


def called_in(name):
    """Share of the cells of a type that is called, up or down."""

    def value(rows):
        shares = [of_type(name, f"share {direction}")(rows) for direction in ("up", "down")]
        return None if None in shares else sum(shares)

    return value


# fmt: off
def _targets():
    for metric in ("abundance", "mean fold change", "fold change of types"):
        yield Target(
            f"{metric}: lowest correlation between 10, 20 and 40 components ≥ 0.9",
            number(np.min, run="components", metric=metric),
            least=0.9,
            # No correlation over genes where two or fewer are called.
            where_known=metric == "mean fold change",
        )
    yield Target(
        "natural log and log2: largest difference of log10 p ≤ 0.01",
        number(run="layers", metric="largest difference of log10 p"),
        most=0.01,
    )
    yield Target(
        "natural log and log2: largest relative difference of fold changes ≤ 0.001",
        number(run="layers", metric="largest relative difference of fold changes"),
        most=0.001,
    )
    called = number(run="whole", method=SAMPLES, subject="genes", metric="called")
    yield Target("genes called, with samples ≥ 400", called, least=400, only="kang_donors")
    yield Target("genes called, with samples ≥ 150", called, least=150, only="embryo_tal1")
    yield Target(
        f"CFTR called, and genes beside it ≤ {HANDFUL}", beside, most=HANDFUL, only="airway_cftr"
    )
    yield Target(
        f"last of the eight interferon-stimulated genes: rank ≤ {FIRST}",
        worst_rank,
        most=FIRST,
        only="kang_donors",
    )
    for kind in ("half", "half, samples", "split, samples"):
        only = "airway_cftr" if kind.startswith("split") else None
        yield Target(
            f"null, {NULLS[kind]}: mean genes called ≤ 0.5", null(kind, "called"), most=0.5,
            only=only,
        )
        yield Target(
            f"null, {NULLS[kind]}: share of p < 0.05 in 0.03–0.07", null(kind, "p < 0.05"),
            least=0.03, most=0.07, only=only,
        )
        if kind.endswith("samples"):
            yield Target(
                f"null, {NULLS[kind]}: mean calls over genes × cell types ≤ 0.5",
                null(kind, "groups × genes called"), most=0.5, only=only,
            )
    progenitors, embryo = "Blood progenitors 2", "embryo_tal1"
    yield Target(
        "blood progenitors: mean natural log fold change ≤ −3", of_type(progenitors, "mean lfc"),
        most=-3, only=embryo,
    )
    yield Target(
        "blood progenitors: share called down ≥ 0.8", of_type(progenitors, "share down"),
        least=0.8, only=embryo,
    )
    yield Target(
        "neural crest: share called ≤ 0.1", called_in("Neural crest"), most=0.1, only=embryo
    )
    everything = ("bump", "half", "quarter")
    yield Target("planted bumps: mean slope ≥ 0.6", planted(["bump"], "slope"), least=0.6)
    yield Target(
        "planted types: mean slope ≥ 0.6", planted(["half", "quarter"], "slope"), least=0.6
    )
    for other in ("Milo", "50 neighbours"):
        yield Target(
            f"planted changes: mean AUC above that of {other}, difference > 0",
            lead(everything, other),
            least=np.nextafter(0, 1),
        )
    yield Target(
        "shuffled labels: share of data sets with any cell called ≤ 0.05",
        planted(["shuffled"], "share called", aggregate=any_called),
        most=0.05,
    )
    yield Target(
        "fold changes of types on differences of mean expression: slope 0.8–1.2",
        number(run="whole", method=SAMPLES, metric="slope of fold changes"),
        least=0.8,
        most=1.2,
    )
    for gene in ("CCL8", "CXCL10"):
        yield Target(
            f"{gene}: fold change in monocytes minus that in B and T cells ≥ 3",
            number(run="whole", method=SAMPLES, subject=gene, metric="monocytes minus lymphocytes"),
            least=3,
            only="kang_donors",
        )
    for kind in ("thinned", "thinned, samples"):
        for text, metric, most in (
            ("share of p < 0.01 ≤ 0.01", "p < 0.01", 0.01),
            ("genes called = 0", "called", 0.0),
            ("share of cells called ≤ 0.01", "cells called", 0.01),
        ):
            yield Target(f"depth null, {NULLS[kind]}: {text}", null(kind, metric), most=most)


# fmt: on
TARGETS = list(_targets())
