"""Tables and figures of docs/calibration.md."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from statediff.disk import atomic
from statediff.plots.style import OKABE_ITO, styled

from calibration.grid import (
    CELLS,
    FEWER_SEEDS,
    GRID,
    NUISANCES,
    PEER_SEEDS,
    POWER,
    POWER_SEEDS,
    REFERENCE,
    SEEDS,
)
from calibration.scoring import TAILS

__all__ = ["draw", "gather", "write"]

METHODS = {
    "expression": {
        "residual": "residual null",
        "labels": "label null",
        "external": "external null",
        "genes": "published null",
        "replicates": "published, replicates",
        "wilcoxon": "Wilcoxon, all cells",
        "wilcoxon_by_type": "Wilcoxon by cell type",
        "pseudobulk_deseq2": "pseudobulk DESeq2",
        "pseudobulk_edger": "pseudobulk edgeR",
        "pseudobulk_deseq2_by_type": "DESeq2 by cell type",
        "pseudobulk_edger_by_type": "edgeR by cell type",
        "pseudobulk_deseq2_by_cluster": "DESeq2 by cluster",
        "pseudobulk_edger_by_cluster": "edgeR by cluster",
    },
    "abundance": {
        "calibrated": "calibrated",
        "published": "published",
        "neighbours": "50-neighbour share",
        "milo": "Milo",
    },
}
# Title, the same for an axis, and the most it should be (None: no target).
METRICS = {
    "expression": {
        "fdp": ("False discovery proportion at nominal 5 %", "false discovery\nproportion", 0.06),
        "recall": ("Recall", "recall", None),
        "average_precision": ("Average precision of the ranking", "average precision", None),
    },
    "abundance": {
        "called": ("Share of cells called at 5 %", "share of\ncells called", 0.05),
        "any_called": ("Share of data sets with any called cell", "data sets\nwith calls", None),
        "z_95": ("95 % quantile of |z|", "95 % quantile\nof |z|", 2.3),
        "slope": ("Slope of estimated on true log fold change", "slope", None),
        "auc": ("AUC of cells with a true |log fold change| > 1", "AUC", None),
    },
}
# Methods to beat in every kind of data.
RIVALS = {"auc": ("neighbours", "milo")}
# Where the abundances do not differ, what is called is false; where they do, there is no target.
FALSE_WITHOUT_CHANGE = ("called", "any_called", "z_95")
KINDS = {"global": "all cells", "lineage": "one lineage", "opposed": "opposite in two lineages"}
# Without yellow, which is too pale for thin lines.
COLORS = (*(color for color in OKABE_ITO if color != "#f0e442"), "#8c8c8c")
MARKERS = "oDsP^vX*"
# What tells one kind of data from another, in the tables.
SETTINGS = ("cells", "genes", "abundance", "sample effect")
# Groups of cells of the grid, the columns of the figures.
PANEL = ("sizes", "strength", "abundance")
PANELS = {
    ("equal", "strong", 0.0): "strong,\nsame abundance",
    ("equal", "strong", 2.0): "strong,\nabundance changes",
    ("equal", "weak", 0.0): "weak,\nsame abundance",
    ("equal", "weak", 2.0): "weak,\nabundance changes",
    ("unequal", "strong", 0.0): "300 : 5,000,\nsame abundance",
    ("unequal", "strong", 2.0): "300 : 5,000,\nchanging",
    ("equal", "none", 0.0): "no gene,\nsame abundance",
}
# Title and target of each table of the nuisances, and of the changes of one cell type.
NUISANCE_METRICS = {
    "expression": {
        "fdp": ("False discovery proportion at nominal 5 %", 0.06),
        "recall": ("Recall", None),
        "below_0.1": ("Share of unchanged genes with p < 0.1", None),
        "below_0.05": ("Share of unchanged genes with p < 0.05", 0.06),
        "below_0.01": ("Share of unchanged genes with p < 0.01", None),
        "below_0.001": ("Share of unchanged genes with p < 0.001", None),
    },
    "abundance": {
        "any_called": ("Share of data sets with any called cell, abundance unchanged", None),
        "called": ("Share of cells called at 5 %, abundance unchanged", 0.05),
        "z_95": ("95 % quantile of |z|, abundance unchanged", 2.3),
    },
}
POWER_METRICS = {
    "power": ("Share of the changed cells that are called", None),
    "false_calls": ("Share of called cells with a true |log fold change| < 0.2", None),
    "auc": ("AUC of the changed cells", None),
}
NUISANCE_LABELS = {
    REFERENCE: "no nuisance",
    "depth_by_condition": "depth × 2 in one condition",
    "depth_by_sample": "depth by sample (log-sd 0.5)",
    "global_shift": "all genes × 1.3, none called expected",
    "ambient_by_sample": "ambient RNA by sample (0 to 20 %)",
    "ambient_by_condition": "ambient RNA in one condition (10 %)",
    "doublets": "doublets (5 %)",
    "doublets_by_condition": "doublets in one condition (5 %)",
    "sample_by_type": "sample × cell type effects (log-sd 0.15)",
    "heavy_tails": "heavy tails and outliers",
    "shared_factor": "one factor per sample on 10 % of the genes",
    "dominant_gene": "one gene takes 20 % in one condition",
    "cell_cycle": "cycling cells 10 % and 40 %",
    "pairs": "donor effects (log-sd 0.2), tested in pairs",
    "batches": "crossed batches (log-sd 0.2), 4 against 4, batch as covariate",
    "compositions": "compositions drawn per sample, sizes 1 : 2 : 6",
}
SOUP = "SoupX, CellBender or DecontX, which subtract ambient RNA"
SINGLETS = "scDblFinder or Scrublet, which find doublets"
REMEDIES = {
    "ambient_by_sample": SOUP,
    "ambient_by_condition": SOUP,
    "doublets": SINGLETS,
    "doublets_by_condition": SINGLETS,
}
# Largest number of methods in a figure: the first ones.
DRAWN = 8
DOCUMENT = """\
# Calibration

Written by `make calibration` (`tests/benchmarks/calibration`): every test on simulations with known
truth, {simulations} of {planned} data sets; mean ± standard deviation over the seeds of each kind:
{seeds} (label, external and published nulls, published abundance, DESeq2 by type or cluster:
{peer_seeds}).

**Data.** 4,000 cells (half young, half old) × 4,000 genes, three samples an age; 5 % of the genes
change, a third each in all cells, in one lineage, and with opposite signs in two (natural-log fold
change 0.6 where *strong*, 0.4 where *weak*; 1.5 times that within lineages). Where abundance
changes, stem cells gain (log fold change about +1.4) and B cells lose (−2.6) cells. *Sample
effect*: log-sd of a random effect of each sample on each gene, the same in all cell types; all
samples have the same expected depth. *Unequal*: 300 young against 5,000 old cells, in samples of
1 : 2 : 3. As in the workflow from raw counts: 30 principal components of the log expression at a
common depth, integrated over the samples by mutual nearest neighbours → 20 diffusion components.

**Methods.** {methods}
Tests by cell type use the true types, tests by cluster Leiden clusters of the principal components
(scanpy's defaults); the smallest p-value counts, by Šidák. Pseudobulk sums the counts of a sample's
cells, in each type or cluster where two samples of either condition have 10 cells. DESeq2 is
PyDESeq2 (by type and cluster after the pre-filter of its vignette, and of the grid only where the
sample effect is 0.1 and changes are strong), edgeR the quasi-likelihood F test of edgePython. Milo
is the package milopy 0.3, which tests with edgePython, on the graph of 30 neighbours; spatial FDR
added; averaged over the neighbourhoods that hold a cell. The label null counts cells as
independent; the external null is told 500 of the unchanged genes. q-values are
Benjamini-Hochberg's, but for the local FDR of the published and external nulls; of published
abundance, what its own rule calls (tail probability < 0.05 and |log fold change| > 1).

**Reading.** ✓ and ✗: mean within or beyond the target. The false discovery proportion is 0 where
nothing is called; where no gene changes it is the share of data sets in which any is. Empty: the
truth leaves the number undefined, or the method has none.
"""

NUISANCE_TEXT = """\
Each data set has one nuisance, strong changes of genes, the same abundance and a sample effect of
0.1; {seeds} seeds for the residual null and calibrated abundance ({reference} without a nuisance),
{peers} for their peers. Pairs and batches are part of the design; no other nuisance is corrected
before the test. Genes that the nuisance itself changes (the dominant gene, the cell-cycle
programme) are not scored. Drawn compositions are Dirichlet with concentration 50.
"""
POWER_TEXT = """\
Cells of one type are removed at random from the reference, so that its abundance rises 2- or 4-fold
in the compared condition; {seeds} seeds. The last row is the cell-cycle programme, which is active
in more cells there; an AUC near 0.5 says that the cell states do not resolve it. Changed cells have
a true |log fold change| above half of the largest (1 at most). The calibrated test calls changes
beyond 0.2 (natural log), Milo any change.
"""


def gather(paths):
    """All scores, with the setting of each data set: one row each."""
    tables = [pd.read_csv(path, sep="\t") for path in paths]
    scores = pd.concat([table for table in tables if len(table)], ignore_index=True)
    cell = scores["dataset"].str.rsplit("_s", n=1).str[0]
    nothing = dict.fromkeys(next(iter(CELLS.values())))
    settings = pd.DataFrame([CELLS.get(name, nothing) for name in cell])
    settings.insert(0, "cell", cell)
    return pd.concat([scores[["dataset"]], settings, scores.drop(columns="dataset")], axis=1)


def write(scores, folder):
    """Write calibration.md and the figures beside it."""
    folder, everything = Path(folder), scores
    scores = everything[everything["cell"].isin(CELLS)]
    text = [
        DOCUMENT.format(
            simulations=everything["dataset"].nunique(),
            planned=len(GRID),
            seeds=len(SEEDS),
            peer_seeds=len(PEER_SEEDS),
            methods=_method_names(scores),
        )
    ]
    for task, image in (("expression", "calibration"), ("abundance", "calibration_abundance")):
        with atomic(folder / "images" / f"{image}.png") as part:
            draw(scores, task).savefig(part, format="png", dpi=160)
        text += [f"## {task.capitalize()}\n", f"![{_alt(task)}](images/{image}.png)\n"]
        text += [_verdicts(scores, task)]
        text += [_table(scores, task, metric) for metric in METRICS[task]]
    text += [_by_kind(scores), _nuisances(everything), _power(everything)]
    text += [_costs(everything), _separations(scores)]
    with atomic(folder / "calibration.md") as part:
        part.write_text("\n".join(text))


@styled
def draw(scores, task):
    """Figure of a task: a row a metric, a column a group of cells, sample effects on the x axis.

    Returns
    -------
    matplotlib.figure.Figure
    """
    scores = scores[scores["task"] == task]
    summary, names = _summary(scores).reset_index(), _present(scores, task)
    names = dict(list(names.items())[:DRAWN])
    panels = [p for p in PANELS if (scores[[*PANEL]] == p).all(axis=1).any()]
    effects = [
        sorted({c["sample_sd"] for c in CELLS.values() if _panel_of(c) == p}) for p in panels
    ]
    figure = Figure(figsize=(11.0, 1.1 + 1.75 * len(METRICS[task])), layout="constrained")
    FigureCanvasAgg(figure)
    widths = [len(sd) + 0.5 for sd in effects]
    grid = figure.subplots(
        len(METRICS[task]), len(panels), sharey="row", squeeze=False, width_ratios=widths
    )
    for axes, panel in zip(grid[0], panels):
        axes.set_title(PANELS[panel], fontsize=7.5)
    for row, (metric, (_, label, target)) in zip(grid, METRICS[task].items()):
        row[0].set_ylabel(label)
        for axes, panel, sds in zip(row, panels, effects):
            here = summary[(summary[["metric", *PANEL]] == (metric, *panel)).all(axis=1)]
            _panel(axes, here.set_index("method"), names, METHODS[task], sds)
            if here.empty:
                axes.text(
                    0.5, 0.5, "undefined", transform=axes.transAxes, ha="center", color="grey"
                )
            elif target is not None and not (metric in FALSE_WITHOUT_CHANGE and panel[2]):
                axes.axhline(target, color="#404040", lw=0.8, ls=(0, (4, 3)), zorder=0)
        if metric in ("z_95", "slope"):
            row[0].set_ylim(bottom=0.0)
        else:
            row[0].set_ylim(-0.04, 1.04)
    figure.supxlabel("sample effect (log-sd); dashed: target", fontsize=8)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(names))
    return figure


def _panel_of(cell):
    return tuple(cell[key] for key in PANEL)


def _panel(axes, summary, names, known, effects):
    """Mean and spread of each method over the sample effects, side by side."""
    dodge = np.linspace(-0.3, 0.3, len(names)) if len(names) > 1 else [0.0]
    for (name, label), shift in zip(names.items(), dodge):
        values, style = summary[summary.index == name], list(known).index(name)
        axes.errorbar(
            [effects.index(sd) + shift for sd in values["sample_sd"]],
            values["mean"],
            values["std"].fillna(0.0),
            color=COLORS[style], marker=MARKERS[style], ms=4, lw=0.5, elinewidth=0.9, label=label,
        )  # fmt: skip
    axes.set_xticks(range(len(effects)), [f"{sd:g}" for sd in effects])
    axes.set_xlim(-0.5, len(effects) - 0.5)


def _present(scores, task):
    """Methods with scores: name → label, in the order of the documents."""
    found = set(scores.loc[scores["task"] == task, "method"])
    if unknown := found - METHODS[task].keys():
        raise ValueError(f"METHODS has no label for {', '.join(sorted(unknown))}")
    return {name: label for name, label in METHODS[task].items() if name in found}


def _method_names(scores):
    return "".join(
        f"{task.capitalize()}: {', '.join(_present(scores, task).values())}. " for task in METHODS
    ).strip()


def _alt(task):
    return ", ".join(title for title, *_ in METRICS[task].values())


def _summary(scores):
    return scores.groupby([*PANEL, "sample_sd", "method", "metric"])["value"].agg(["mean", "std"])


def _judged(scores, metric):
    """Scores of a metric on the data sets where its target holds."""
    chosen = scores[scores["metric"] == metric]
    return chosen[chosen["abundance"] == 0] if metric in FALSE_WITHOUT_CHANGE else chosen


def _markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _mark(value, most=None, least=None):
    """Whether a value meets its target, if it has one."""
    if most is None and least is None:
        return ""
    return " ✓" if (most is None or value <= most) and (least is None or value > least) else " ✗"


def _verdicts(scores, task):
    """A row a method: the mean over all data sets, and the worst cell of the grid."""
    scores = scores[scores["task"] == task]
    header, rows = ["method"], []
    targets = {m: target for m, (*_, target) in METRICS[task].items() if target is not None}
    for metric, (title, _, target) in METRICS[task].items():
        where = ", same abundance" if metric in FALSE_WITHOUT_CHANGE else ""
        header += [f"{title}{where}: mean"]
        header += [f"worst kind of data (≤ {target})"] if target is not None else []
    for name, label in _present(scores, task).items():
        row = [label]
        for metric in METRICS[task]:
            values = _judged(scores[scores["method"] == name], metric)
            means = values.groupby("cell")["value"].mean()
            row += [f"{means.mean():.3f}" if len(means) else ""]
            if metric in targets:
                worst = means.max()
                row += [f"{worst:.3f}{_mark(worst, targets[metric])}" if len(means) else ""]
        rows.append(row)
    return _markdown(header, rows)


def _table(scores, task, metric):
    """A row a kind of data, a column a method."""
    title, _, target = METRICS[task][metric]
    chosen = _judged(scores[scores["task"] == task], metric)
    names = {n: label for n, label in _present(scores, task).items() if n in set(chosen["method"])}
    summary = _summary(chosen).droplevel("metric")
    cells = [c for c in CELLS.values() if tuple(c.values()) in summary.index.droplevel("method")]
    rows = [
        [*_described(c), *_entries(summary.loc[tuple(c.values())], names, metric, target)]
        for c in cells
    ]
    note = f" (target ≤ {target})" if target is not None else ""
    note = " (target: above the other methods)" if metric in RIVALS else note
    return f"### {title}{note}\n\n" + _markdown([*SETTINGS, *names.values()], rows)


def _entries(values, names, metric, target, rivals=None, digits=2):
    """Mean, spread and mark of each method on one kind of data."""
    rivals = RIVALS.get(metric, ()) if rivals is None else rivals
    to_beat = values["mean"].reindex(rivals).max() if rivals else None
    entries = []
    for name in names:
        if name not in values.index:
            entries.append("")
            continue
        mean, sd = values.loc[name, ["mean", "std"]]
        spread = "" if np.isnan(sd) else f" ± {sd:.{digits}f}"
        mark = _mark(mean, target, None if name in rivals else to_beat)
        entries.append(f"{mean:.{digits}f}{spread}{mark}")
    return entries


def _described(cell):
    sizes = {"equal": "equal", "unequal": "300 : 5,000"}[cell["sizes"]]
    abundance = "changes" if cell["abundance"] else "same"
    return [sizes, cell["strength"], abundance, f"{cell['sample_sd']:g}"]


def _by_kind(scores):
    """Recall by kind of change, and p-values of the genes that do not change."""
    scores = scores[scores["task"] == "expression"]
    means = scores.groupby(["method", "metric"])["value"].mean()
    rows = [
        [label]
        + [f"{means.get((name, f'recall_{kind}'), np.nan):.2f}" for kind in KINDS]
        + [f"{means.get((name, f'below_{tail:g}'), np.nan):.4f}" for tail in TAILS]
        for name, label in _present(scores, "expression").items()
    ]
    header = ["method", *(f"genes changed in {k}" for k in KINDS.values())]
    header += [f"unchanged genes with p < {tail:g}" for tail in TAILS]
    return "### Recall by kind of change, and p-values, over all data sets\n\n" + _markdown(
        header, rows
    )


def _nuisances(scores):
    """Text and tables of the nuisances, beside the same data without one."""
    scores = scores[scores["cell"].isin(NUISANCE_LABELS)]
    if not scores["cell"].isin(NUISANCES).any():
        return ""
    text = [
        "## Nuisances\n",
        NUISANCE_TEXT.format(reference=len(SEEDS), seeds=len(FEWER_SEEDS), peers=len(PEER_SEEDS)),
    ]
    changing = set(scores.loc[scores["metric"] == "power", "cell"])
    text += [_broken(scores, "expression", "fdp", "residual")]
    text += [_broken(scores[~scores["cell"].isin(changing)], "abundance", "called", "calibrated")]
    for task, metrics in NUISANCE_METRICS.items():
        for metric, (title, target) in metrics.items():
            labels = {
                name: label
                for name, label in NUISANCE_LABELS.items()
                if task == "expression" or name not in changing
            }
            text.append(_settings_table(scores, task, metric, title, target, labels))
    return "\n".join(text)


def _broken(scores, task, metric, ours):
    """Nuisances with which our method misses a target, methods that meet it, and remedies."""
    scores = scores[(scores["task"] == task) & (scores["metric"] == metric)]
    title, _, limit = METRICS[task][metric]
    names = _present(scores, task)
    if ours not in names:
        return ""
    means = scores.groupby(["cell", "method"])["value"].mean().unstack()
    rows = []
    for name in NUISANCES:
        if name not in means.index or not means.loc[name, ours] > limit:
            continue
        within = [names[method] for method in names if means.loc[name, method] <= limit]
        row = [NUISANCE_LABELS[name], f"{means.loc[name, ours]:.2f}"]
        rows.append([*row, ", ".join(within) or "no method", REMEDIES.get(name, "")])
    text = (
        f"{title}: the mean of *{METHODS[task][ours]}* exceeds {limit:g} with "
        f"{len(rows)} of {means.index.isin(NUISANCES).sum()} nuisances"
    )
    if not rows:
        return f"{text}.\n"
    header = ["data", names[ours], f"methods at most {limit:g}", "tools"]
    return f"{text}:\n\n{_markdown(header, rows)}"


def _power(scores):
    """Changes of the abundance of one cell type."""
    labels = {name: name.replace("_x", " × ").replace("hsc", "HSC") for name in POWER}
    labels["cell_cycle"] = NUISANCE_LABELS["cell_cycle"]
    scores = scores[scores["cell"].isin(labels)]
    if scores.empty:
        return ""
    tables = [
        _settings_table(scores, "abundance", metric, title, target, labels)
        for metric, (title, target) in POWER_METRICS.items()
    ]
    return "\n".join(
        ["## Changes of one cell type\n", POWER_TEXT.format(seeds=len(POWER_SEEDS)), *tables]
    )


def _settings_table(scores, task, metric, title, target, labels):
    """A row a setting, a column a method: mean, spread and mark."""
    chosen = scores[(scores["task"] == task) & (scores["metric"] == metric)]
    names = {n: label for n, label in _present(scores, task).items() if n in set(chosen["method"])}
    summary = chosen.groupby(["cell", "method"])["value"].agg(["mean", "std"])
    digits = 4 if metric == "below_0.001" else 3 if metric.startswith("below") else 2
    rows = [
        [label, *_entries(summary.loc[name], names, metric, target, rivals=(), digits=digits)]
        for name, label in labels.items()
        if name in summary.index
    ]
    note = f" (target ≤ {target})" if target is not None else ""
    return f"### {title}{note}\n\n" + _markdown(["data", *names.values()], rows) if rows else ""


def _costs(scores):
    scores = scores[scores["metric"] == "seconds"]
    seconds = scores.groupby(["task", "method"])["value"].mean()
    rows = [
        [task, label, f"{seconds[task, name]:.1f}"]
        for task in METHODS
        for name, label in _present(scores, task).items()
    ]
    header = ["task", "method", "seconds"]
    return "## Cost\n\nMean seconds a data set, on one core.\n\n" + _markdown(header, rows)


def _separations(scores):
    """How far the samples lie apart before they are integrated."""
    sets = scores.drop_duplicates("dataset").groupby("cell")["separation"]
    rows = [
        [*_described(CELLS[name]), f"{value:.2f}"]
        for name, value in sets.mean().loc[[n for n in CELLS if n in sets.groups]].items()
    ]
    text = (
        "## Separation of the samples\n\nNeighbours from the own sample, by the number expected, "
        "before the integration.\n"
    )
    return text + "\n" + _markdown([*SETTINGS, "separation"], rows)
