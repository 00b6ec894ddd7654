"""docs/real-data.md, and the verdict on the terminal."""

import numpy as np
import pandas as pd

from real.data import SETS
from real.measures import FOUND
from real.runs import BUMPS, HALVES
from real.targets import NULLS, TARGETS, kind_of, select

__all__ = ["document", "terminal"]

PLANTED = {
    "bump": "bump of 15 % of the cells",
    "half": "one type at half",
    "quarter": "one type at a quarter",
    "shuffled": "random labels",
}
DOCUMENT = f"""\
# Real data

Written by `make evidence-real` (`tests/benchmarks/real`). Three small data sets that packages ship
as examples, analysed from raw counts with the default settings (`dataset.preprocess: {{}}`), with
samples (`contrasts.<name>.sample`) and without. The data are not part of the project.

**Other methods.** Pseudobulk DESeq2 is PyDESeq2, pseudobulk edgeR is the quasi-likelihood F test of
edgePython, both on sums over the cells of a sample: over all cells, or per annotated type (types
with two samples of ten cells or more in either condition), of which the smallest p-value counts, by
Šidák. *Paired* adds the donor to their designs. Wilcoxon tests the cells of each type, by Šidák.
Milo is milopy, which tests with edgePython, on 30 neighbours among 30 principal components; a cell
has the mean of the neighbourhoods that hold it. Every method calls at an FDR of 5 %.

**Nulls.** Cells of one condition. {HALVES} random halves of them against the others, as cells
without samples, and with each half of a sample as a sample of its own (so that samples come in
pairs, which no test is told); the three balanced splits of four animals; and a random half of the
cells whose counts are thinned to one half (binomial), twice. Nothing should be called.
Shares of p-values are among the genes that are found in {FOUND} cells or more: in fewer, no
outcome is extreme enough.

**Planted changes of abundance.** All cells of a data set with labels drawn at random. The log odds
of the compared condition are η(x): {BUMPS} *bumps*, η = ± log 9 · cos²(πu/2) around a random cell,
with u the rank of a cell's distance from it over 15 % of the number of cells (η = 0 for u > 1), the
distance taken in 30 principal components for one half of the bumps and in 20 diffusion components
for the other; *types*, η = log ½ or log ¼ in one annotated type, each in turn that holds at most 35
% of the cells (where a larger one loses cells, it is the share of the others that changes most).
With π = 1/(1 + exp(−η)) and π̄ its mean over the cells, the true log fold change is the log ratio
of the densities of the two conditions, log(π/(1 − π)) − log(π̄/(1 − π̄)). The slope is that of the
regression of the estimated on the true one over all cells. The AUC is that of the absolute
estimated log fold change (of ours also by the absolute z-score) for cells with |η| > log 1.5.
Labels are drawn for each cell alone, so ours gets no samples; Milo, which needs samples, gets three
random ones a condition. The share among the 50 nearest cells is taken in the diffusion components.

"""


def document(measured, warnings, version):
    """The page.

    Parameters
    ----------
    measured : pandas.DataFrame
        `dataset`, `run`, `method`, `subject`, `metric`, `value`.
    warnings : dict of str to list of str
        Lines that the whole run of each data set printed.
    version : str
        What was measured.
    """
    met, known, table = verdicts(measured)
    parts = [
        DOCUMENT,
        f"Measured with version {version}.\n",
        f"## Targets\n\n{met} of {known} are met. A dash: no value, as where nothing was called.\n",
        table,
    ]
    for name in measured["dataset"].unique():
        rows = measured[measured["dataset"] == name]
        parts += [f"## {name}\n", f"{SETS[name].title}.\n"]
        parts += [calls(rows, name), types(rows), fold_changes(rows), nulls(rows), planted(rows)]
        parts += [
            invariance(rows),
            predictions(rows),
            chosen(rows),
            listed(warnings.get(name, [])),
            cost(rows),
        ]
    return "\n".join(part for part in parts if part)


def terminal(measured):
    """Which targets are met, as text."""
    met, known, table = verdicts(measured)
    return f"{table}\n{met} of {known} targets are met; the rest is in docs/real-data.md"


def verdicts(measured):
    """Number of targets that are met, number of those with a value, and a table."""
    names, lines, verdict = list(measured["dataset"].unique()), [], []
    for target in TARGETS:
        line = [target.text]
        for name in names:
            found = target.judge(measured[measured["dataset"] == name], name)
            verdict += [found[1]] if found else []
            line.append(f"{shown(found[0])} {'✓' if found[1] else '✗'}" if found else "")
        lines.append(line)
    return sum(verdict), len(verdict), markdown(["target", *names], lines)


def calls(rows, name):
    """Called genes and cells, and the known genes, of every method."""
    rows = rows[rows["run"] == "whole"]
    known = SETS[name].known
    header = ["method", "genes called", "share of p < 0.05"]
    header += [f"{kind}: called, ranks" for kind in known] + ["cells called"]
    lines = []
    for method in dict.fromkeys(rows["method"]):
        own = rows[rows["method"] == method]
        line = [one(own, subject="genes", metric=metric) for metric in ("called", "p < 0.05")]
        line += [known_genes(own, genes) for genes in known.values()]
        line += [one(own, subject="cells", metric="called")]
        if any(line):
            lines.append([method, *line])
    genes = "; ".join(f"{kind}: {', '.join(genes)}" for kind, genes in known.items())
    note = f"Ranks of p-values: median, and the last. Known genes, where in the data: {genes}.\n"
    return f"### Calls\n\n{note}\n{markdown(header, lines)}"


def known_genes(rows, genes):
    rows = rows[rows["subject"].isin(genes)]
    called, ranks = select(rows, metric="called"), select(rows, metric="rank")
    if ranks.empty:
        return ""
    return f"{called.sum():.0f} of {len(called)}; {ranks.median():.0f}, {ranks.max():.0f}"


def types(rows):
    """Change of abundance of each cell type, and genes called in it."""
    rows = rows[rows["run"] == "whole"]
    header = ["cell type", "method", "mean log₂ fold change", "up", "down", "genes called in it"]
    lines = []
    for name in dict.fromkeys(select_rows(rows, metric="mean lfc")["subject"]):
        own = rows[rows["subject"] == name]
        for method in dict.fromkeys(own["method"]):
            of = own[own["method"] == method]
            lfc = select(of, metric="mean lfc").mean() / np.log(2)
            entries = [one(of, metric=m) for m in ("share up", "share down")]
            lines.append([name, method, shown(lfc), *entries, one(of, metric="genes called")])
    return f"### Cell types\n\nShares of the cells of a type.\n\n{markdown(header, lines)}"


def fold_changes(rows):
    rows = rows[rows["run"] == "whole"]
    found = rows[rows["metric"].isin(["slope of fold changes", "correlation of fold changes"])]
    found = pd.concat([found, select_rows(rows, metric="monocytes minus lymphocytes")])
    lines = [
        [f"{metric}: {subject}", method, shown(value)]
        for metric, subject, method, value in found[["metric", "subject", "method", "value"]]
        .drop_duplicates()
        .itertuples(index=False)
    ]
    note = (
        "Mean fold change of a type from the smooth model against the difference of its mean "
        "expression, over called genes × types with 50 cells or more of either condition.\n"
    )
    return (
        f"### Fold changes by cell type\n\n{note}\n{markdown(['number', 'method', 'value'], lines)}"
    )


def nulls(rows):
    """Means over the nulls of each kind."""
    rows = rows[rows["run"].isin(["nulls", "depth"])]
    metrics = {
        "called": "genes called",
        "p < 0.05": "p < 0.05",
        "p < 0.01": "p < 0.01",
        "p < 0.001": "p < 0.001",
        "groups × genes called": "genes called over types",
        "cells called": "share of cells called",
    }
    return "### Nulls\n\nMeans.\n\n" + by_kind(rows, NULLS, metrics)


def planted(rows):
    metrics = {"slope": "slope", "AUC": "AUC", "share called": "share of cells called"}
    rows, any_call = rows[rows["run"] == "planted"], "data sets with any call"
    table = by_kind(rows, PLANTED, metrics, {any_call: ("share called", lambda x: (x > 0).mean())})
    return "### Planted changes of abundance\n\nMeans.\n\n" + table


def by_kind(rows, kinds, metrics, more=()):
    """A row a kind and method: means of metrics, and what else is made of one."""
    more, rows, lines = dict(more), rows.assign(kind=rows["subject"].map(kind_of)), []
    for kind, label in kinds.items():
        of_kind = rows[rows["kind"] == kind]
        for method in dict.fromkeys(of_kind["method"]):
            own = of_kind[of_kind["method"] == method]
            entries = [one(own, metric=metric) for metric in metrics]
            for metric, aggregate in more.values():
                values = select(own, metric=metric)
                entries.append(shown(aggregate(values)) if len(values) else "")
            lines.append([label, str(own["subject"].nunique()), method, *entries])
    return markdown(["mock condition", "how many", "method", *metrics.values(), *more], lines)


def invariance(rows):
    """What should make no difference."""
    lines = [
        [f"components {subject}" if run == "components" else "natural log, log2", metric, shown(v)]
        for run, subject, metric, v in rows[rows["run"].isin(["components", "layers"])][
            ["run", "subject", "metric", "value"]
        ].itertuples(index=False)
    ]
    note = (
        "Runs with 10, 20 and 40 diffusion components: correlations over cells, over genes that "
        "either calls, and over these × cell types. And the same log expression in two units.\n"
    )
    table = markdown(["between", "number", "value"], lines)
    return f"### What should make no difference\n\n{note}\n{table}"


def predictions(rows):
    """Predictions of held-out cells, and what each metric and number of components explains."""
    rows = rows[rows["run"] == "predictions"]
    if rows.empty:
        return ""
    lines = [
        [subject, metric, method, shown(value)]
        for method, subject, metric, value in rows[
            ["method", "subject", "metric", "value"]
        ].itertuples(index=False)
    ]
    note = (
        "Mean log predictive density (nats) of cells that were held out, sample by sample: of "
        "log expression per gene and cell, and of the condition per cell; with the learnt "
        "smoothness, and with the published length scale and noise. And the evidence of log "
        "expression over a constant (nats, 1,000 cells and 400 genes at most) in two metrics of "
        "the cell states, by number of components.\n"
    )
    table = markdown(["of", "number", "method", "value"], lines)
    return f"### How smooth expression and abundance are\n\n{note}\n{table}"


def chosen(rows):
    rows = rows[(rows["run"] == "whole") & rows["subject"].isin(
        ["abundance", "expression", "blocks"]
    )]  # fmt: skip
    if rows.empty:
        return ""
    table = rows.pivot_table(
        index=["subject", "metric"], columns="method", values="value", sort=False
    )
    lines = [[*index, *map(shown, values)] for index, values in zip(table.index, table.to_numpy())]
    return "### Smoothness and blocks\n\n" + markdown(["part", "number", *table.columns], lines)


def listed(lines):
    if not lines:
        return "No warning.\n"
    return "Warnings:\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def cost(rows):
    rows = rows[(rows["run"] == "whole") & (rows["subject"] == "whole run")]
    if rows.empty:
        return ""
    values = rows.set_index("metric")["value"]
    return (
        f"Cost: from raw counts to the tables and AnnData of both contrasts, with cell types as "
        f"groups: {values['seconds']:.0f} s ({values['cpu_seconds']:.0f} s of processor time), "
        f"at most {values['peak_mb']:.0f} MB over all processes.\n"
    )


def select_rows(rows, **wanted):
    return rows.loc[select(rows, **wanted).index]


def one(rows, **wanted):
    values = select(rows, **wanted).dropna()
    return shown(values.mean()) if len(values) else ""


def shown(value):
    """Three digits, or a whole number."""
    if not np.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
