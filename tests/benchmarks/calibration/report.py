"""Tables and figures of docs/calibration.md."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from statediff.plots.style import OKABE_ITO, styled
from statediff.store import atomic

from calibration.grid import CELLS, GRID, SEEDS

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
        "z_95": ("95 % quantile of |z|", "95 % quantile\nof |z|", 2.3),
        "slope": ("Slope of estimated on true log fold change", "slope", None),
        "auc": ("AUC of cells with a true |log fold change| > 1", "AUC", None),
    },
}
# Methods to beat in every kind of data.
RIVALS = {"auc": ("neighbours", "milo")}
# Where the abundances do not differ, what is called is false; where they do, there is no target.
FALSE_WITHOUT_CHANGE = ("called", "z_95")
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
DOCUMENT = """\
# Calibration

Written by `make calibration` (`tests/benchmarks/calibration`): every test on simulations with known
truth, {simulations} of the {planned} data sets of the grid, up to {seeds} of each kind; mean ±
standard deviation over them.

**Data.** 4,000 cells (half young, half old) × 4,000 genes, three samples an age; 5 % of the genes
change, a third each in all cells, in one lineage, and with opposite signs in two (natural-log fold
change 0.6 where *strong*, 0.4 where *weak*; 1.5 times that within lineages). Where abundance
changes, stem cells gain (log fold change about +1.4) and B cells lose (−2.6) cells. *Sample
effect*: log-sd of a random effect of each sample on each gene, the same in all cell types; all
samples have the same expected depth. *Unequal*: 300 young against 5,000 old cells, in samples of
1 : 2 : 3. Log expression → 30 principal components → 20 diffusion
components. Where cells have more than 1.5 times the neighbours from their own sample that they
should (see *separation*), Harmony integrates the components over samples first.

**Methods.** {methods}
Wilcoxon by cell type is told the true types (smallest p-value, by Šidák). Pseudobulk DESeq2 is
PyDESeq2 on sums over all cells of a sample. Milo is the package milopy 0.3, which tests with
edgePython, on the graph of 30 neighbours; spatial FDR added; averaged over the neighbourhoods that
hold a cell. The label null counts cells as independent; the external null is told 500 of the
unchanged genes. q-values are Benjamini-Hochberg's, but for the local FDR of the published and
external nulls; of published abundance, what its own rule calls (tail probability < 0.05 and
|log fold change| > 1).

**Reading.** ✓ and ✗: mean within or beyond the target. The false discovery proportion is 0 where
nothing is called; where no gene changes it is the share of data sets in which any is. Empty: the
truth leaves the number undefined, or the method has none.
"""


def gather(paths):
    """All scores, with the setting of each data set: one row each."""
    tables = [pd.read_csv(path, sep="\t") for path in paths]
    scores = pd.concat([table for table in tables if len(table)], ignore_index=True)
    cell = scores["dataset"].str.rsplit("_s", n=1).str[0]
    settings = pd.DataFrame([CELLS[name] for name in cell])
    settings.insert(0, "cell", cell)
    return pd.concat([scores[["dataset"]], settings, scores.drop(columns="dataset")], axis=1)


def write(scores, folder):
    """Write calibration.md and the figures beside it."""
    folder = Path(folder)
    text = [
        DOCUMENT.format(
            simulations=scores["dataset"].nunique(),
            planned=len(GRID),
            seeds=len(SEEDS),
            methods=_method_names(scores),
        )
    ]
    for task, image in (("expression", "calibration"), ("abundance", "calibration_abundance")):
        with atomic(folder / "images" / f"{image}.png") as part:
            draw(scores, task).savefig(part, format="png", dpi=160)
        text += [f"## {task.capitalize()}\n", f"![{_alt(task)}](images/{image}.png)\n"]
        text += [_verdicts(scores, task)]
        text += [_table(scores, task, metric) for metric in METRICS[task]]
    text += [_by_kind(scores), _costs(scores), _separations(scores)]
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


def _entries(values, names, metric, target):
    """Mean, spread and mark of each method on one kind of data."""
    rivals = RIVALS.get(metric, ())
    to_beat = values["mean"].reindex(rivals).max() if rivals else None
    entries = []
    for name in names:
        if name not in values.index:
            entries.append("")
            continue
        mean, sd = values.loc[name, ["mean", "std"]]
        spread = "" if np.isnan(sd) else f" ± {sd:.2f}"
        mark = _mark(mean, target, None if name in rivals else to_beat)
        entries.append(f"{mean:.2f}{spread}{mark}")
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
        + [f"{means.get((name, 'small_pvalues'), np.nan):.3f}"]
        for name, label in _present(scores, "expression").items()
    ]
    header = ["method", *(f"genes changed in {k}" for k in KINDS.values())]
    header += ["unchanged genes with p < 0.05"]
    return "### Recall by kind of change, and p-values, over all data sets\n\n" + _markdown(
        header, rows
    )


def _costs(scores):
    seconds = scores[scores["metric"] == "seconds"].groupby(["task", "method"])["value"].mean()
    rows = [
        [task, label, f"{seconds[task, name]:.1f}"]
        for task in METHODS
        for name, label in _present(scores, task).items()
    ]
    header = ["task", "method", "seconds"]
    return "## Cost\n\nMean seconds a data set, on one core.\n\n" + _markdown(header, rows)


def _separations(scores):
    """How far the samples separate, and where they were integrated."""
    sets = scores.drop_duplicates("dataset").groupby("cell")[["separation", "integrated"]]
    rows = [
        [*_described(CELLS[name]), f"{values['separation']:.2f}", f"{values['integrated']:.0%}"]
        for name, values in sets.mean().loc[[n for n in CELLS if n in sets.groups]].iterrows()
    ]
    text = (
        "## Separation of the samples\n\nNeighbours from the own sample, by the number expected.\n"
    )
    return text + "\n" + _markdown([*SETTINGS, "separation", "integrated"], rows)
