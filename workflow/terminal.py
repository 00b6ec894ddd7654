"""A run in a few lines for the terminal, from what Snakemake and the scripts leave behind."""

import csv
import re
from collections import Counter
from pathlib import Path

__all__ = ["as_comparison", "as_line", "as_text", "read_usage"]


def read_usage(benchmarks, logs):
    """Seconds and peak memory of stages.

    Parameters
    ----------
    benchmarks, logs : iterable of path
        Snakemake's benchmark file and the log of each job, named after the stage; chunks of a
        stage (`stage.1-of-2.tsv`) are added up in time, and the largest memory is kept.

    Returns
    -------
    dict
        {stage: {"seconds": float, "peak_mb": float or None}}, in the order of the paths.
        The memory is the one the job measured; Snakemake samples it and can miss a peak.
    """
    stages = {}
    for benchmark, log in zip(benchmarks, logs, strict=True):
        with open(benchmark, newline="", encoding="utf-8") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        stage = stages.setdefault(
            Path(benchmark).name.split(".")[0], {"seconds": 0.0, "peak_mb": None}
        )
        stage["seconds"] = round(stage["seconds"] + float(row["s"]), 2)
        measured = re.search(r"peak (\d+) MB$", Path(log).read_text(encoding="utf-8").strip())
        if measured:
            stage["peak_mb"] = max(stage["peak_mb"] or 0, int(measured.group(1)))
    return stages


def as_text(summary, stages, folder):
    """Summary of a contrast.

    Parameters
    ----------
    summary : dict
        Contents of summary.json.
    stages : dict
        From `read_usage`.
    folder : str
        Where the results are.

    Returns
    -------
    str
    """
    cells, fit, density = summary["cells"], summary["expression"], summary["abundance"]
    reference, compared = (summary["conditions"][role] for role in ("reference", "compared"))
    rate = "local FDR" if fit["ranking"] == "mahalanobis" else "FDR"
    filtered = cells["evaluated"] < cells["total"]
    passing = f" ({cells['evaluated']:,} pass the filter)" if filtered else ""
    lines = [
        f"{summary['dataset']} · {summary['contrast']} ({compared} against {reference}, "
        f"conventions {summary['conventions']})",
        f"  cells       {cells['total']:,}{passing}: {cells['reference']:,} {reference}, "
        f"{cells['compared']:,} {compared}",
        f"  basis       rank {fit['rank']}, largest residual variance {fit['residual_max']:.1e}",
        f"  smoothness  length scale {fit['ls']:.4g} ({_choice(fit)}); effective degrees of "
        f"freedom {fit['freedom_reference']:.1f} in {reference}, "
        f"{fit['freedom_compared']:.1f} in {compared}",
        f"  expression  {fit['n_de']:,} of {fit['genes']:,} genes at {rate} < "
        f"{fit['fdr_threshold']:g}: {fit['n_de_up']:,} up, {fit['n_de_down']:,} down",
        f"  abundance   {density['up']:,} cells up, {density['down']:,} down, "
        f"{density['neutral']:,} neutral" + _amplitude(density),
    ]
    if cells["samples"]:
        lines.insert(2, f"  samples     {cells['samples']}{_design(summary['conditions'])}")
    if made := summary["preprocessed"]:
        kept, genes, parts = made["cells"], made["genes"], made["components"]
        lines.insert(
            1,
            f"  preprocess  {kept['kept']:,} of {kept['found']:,} cells and {genes['kept']:,} of "
            f"{genes['found']:,} genes kept; {parts['n']} components have "
            f"{parts['share_of_variance']:.0%} of the variance of "
            f"{genes['highly_variable']:,} genes",
        )
    if summary["counts"]["transform"] == "unknown":
        lines.append("  counts      unknown: genes are tested on the layer as it is")
    else:
        counts = summary["counts"]
        medians = [f"{counts['depth'][role]:,.0f}" for role in ("reference", "compared")
                   if counts["depth"][role] is not None]  # fmt: skip
        per_cell = f"; {' and '.join(medians)} a cell" if medians else ""
        lines.append(f"  counts      from {counts['origin']}: {counts['transform']}{per_cell}")
    if blocks := summary["blocks"]:
        mixing = (
            f"; neighbours from a cell's own sample {blocks['separation']:.2f} × expected"
            if blocks["has_samples"]
            else ""
        )
        lines.append(
            f"  blocks      {blocks['n_blocks']:,} with {blocks['information']:.0%} of the "
            f"information, holding both conditions for {blocks['cover_reference']:.0%} and "
            f"{blocks['cover_compared']:.0%} of the cells{mixing}"
        )
    if groups := (summary["groups"] or {}).values():
        left_out = sum(group["left_out"] for group in groups)
        lines.append(
            f"  groups      {len(groups) - left_out:,} evaluated, {left_out:,} left out, "
            f"{sum(group['underrepresented'] for group in groups):,} underrepresented"
        )
    if truth := summary["truth"]:
        kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in truth["recall_by_kind"].items())
        lines += [
            f"  truth       {truth['genes_changed']} genes changed: precision "
            f"{_number(truth['precision'])}, recall {_number(truth['recall'])} ({kinds})",
            f"              abundance AUC: up {_number(truth['auc_up'])}, "
            f"down {_number(truth['auc_down'])}",
        ]
    if stages:
        lines.append("  stage                        seconds   peak MB")
        for name, stage in stages.items():
            peak = "–" if stage["peak_mb"] is None else f"{stage['peak_mb']:.0f}"
            lines.append(f"    {name:<26} {stage['seconds']:>7.1f}   {peak:>7}")
    lines.append(f"  results in  {folder}")
    return "\n".join(lines)


def _design(conditions):
    """What the conditions are compared within and adjusted for."""
    paired = f", paired by {conditions['pair']}" if conditions["pair"] else ""
    adjusted = (
        f", adjusted for {' and '.join(conditions['adjust'])}" if conditions["adjust"] else ""
    )
    return paired + adjusted


def _choice(fit):
    """How the length scale was chosen."""
    if not fit["learnt"]:
        return "as configured"
    from statediff.smoothness import fraction  # starts SciPy, which other lines do without

    return f"{fraction(fit['ls'] / fit['extent'])} × the extent of the states, by evidence"


def _amplitude(density):
    """Prior standard deviation of the log ratio, where it was chosen by evidence."""
    if "evidence" not in density:
        return ""
    return (
        f" (log ratio: amplitude {density['amplitude']:g} by evidence, "
        f"{density['effective_freedom']:.1f} degrees of freedom)"
    )


def as_line(summary):
    """The counts of a contrast, from the contents of its summary.json, in one line."""
    fit, density = summary["expression"], summary["abundance"]
    return (
        f"{summary['dataset']} · {summary['contrast']}: {fit['n_de_up']:,} genes up, "
        f"{fit['n_de_down']:,} down; {density['up']:,} cells up, {density['down']:,} down"
    )


def as_comparison(table):
    """Published numbers beside those of a run, from the lines of reproduction.tsv, as a table."""
    lines, rows = [], list(csv.DictReader(table, delimiter="\t"))
    width = max(len(row["quantity"]) for row in rows)
    before = None
    for row in rows:
        if (heading := (row["contrast"], row["source"])) != before:
            before, text = heading, " · ".join(heading)
            lines += [text, f"  {'':<{width}}  {'published':>11}  {'this run':>11}  {'± up to':>9}"]
        numbers = [_few_digits(row[key]) for key in ("published", "ours", "tolerance")]
        columns = "  ".join(f"{n:>{w}}" for n, w in zip(numbers, (11, 11, 9), strict=True))
        lines.append(f"  {row['quantity']:<{width}}  {columns}  {row['verdict']}")
    counts = Counter(row["verdict"] for row in rows)
    lines.append(
        f"  of {len(rows)} numbers {counts['agrees']} agree, {counts['differs']} differ, "
        f"{counts['not comparable']} cannot be compared"
    )
    return "\n".join(lines)


def _few_digits(text):
    """A number of a table with at most six digits, a dash where there is none."""
    if not text:
        return "–"
    number = float(text)
    return f"{number:,.0f}" if number.is_integer() else f"{number:.6g}"


def _number(value):
    return "–" if value is None else f"{value:.3f}"
