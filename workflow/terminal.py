"""A run in a few lines for the terminal, from what Snakemake and the scripts leave behind."""

import csv
import re
from collections import Counter
from pathlib import Path

__all__ = ["as_comparison", "as_line", "as_text", "read_usage", "read_warnings"]


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


def read_warnings(logs):
    """Warnings about the data, from the logs of jobs.

    Parameters
    ----------
    logs : iterable of path

    Returns
    -------
    list of dict
        {"rule": str, "text": str}, each text once.
    """
    found = {}
    for log in logs:
        text = Path(log).read_text(encoding="utf-8")
        for rule, warning in re.findall(r"^Warning \((\w+)\): (.*)$", text, re.MULTILINE):
            found.setdefault(warning, rule)
    return [{"rule": rule, "text": text} for text, rule in found.items()]


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
        f"{summary['dataset']} · {summary['contrast']}: {compared} against {reference} "
        f"(conventions {summary['conventions']})",
        f"  cells       {cells['total']:,}{passing}: {cells['reference']:,} {reference}, "
        f"{cells['compared']:,} {compared}",
        f"  genes       {fit['n_de']:,} of {fit['genes']:,} change, {rate} < "
        f"{fit['fdr_threshold']:g}: {fit['n_de_up']:,} higher and {fit['n_de_down']:,} lower in "
        f"{compared} on average",
        f"  abundance   {density['up']:,} cells lie in states more frequent in {compared}, "
        f"{density['down']:,} in less frequent states",
        f"  smoothness  {_choice(fit)}; {fit['freedom_reference']:.0f} and "
        f"{fit['freedom_compared']:.0f} effective degrees of freedom of expression"
        + _freedom(density),
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
    counts = summary["counts"]
    if counts["transform"] == "unknown":
        lines.append("  counts      unknown: genes are tested on the layer as it is")
    else:
        medians = [f"{counts['depth'][role]:,.0f}" for role in ("reference", "compared")
                   if counts["depth"][role] is not None]  # fmt: skip
        per_cell = f"; {' and '.join(medians)} a cell" if medians else ""
        lines.append(f"  counts      from {counts['origin']}: {counts['transform']}{per_cell}")
    if blocks := summary["blocks"]:
        lines.append(
            f"  tested in   {blocks['n_blocks']:,} blocks of similar cells, which hold both "
            f"conditions for {blocks['cover_reference']:.0%} and {blocks['cover_compared']:.0%} of "
            "their cells"
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
        lines.append(f"  took        {_costs(stages)}")
    for warning in summary.get("warnings", ()):
        lines.append(f"  warning     {warning['text']}")
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
        return f"length scale {fit['ls']:.4g} as configured"
    from statediff.smoothness import fraction  # starts SciPy, which other lines do without

    return (
        f"length scale chosen from the data: {fraction(fit['ls'] / fit['extent'])} × the extent of "
        "the cell states"
    )


def _freedom(density):
    """Effective degrees of freedom of the log ratio, where its amplitude was chosen by evidence."""
    if "evidence" not in density:
        return ""
    return f", {density['effective_freedom']:.0f} of abundance"


def _costs(stages):
    """Time of all jobs, the largest memory, and the job that took longest."""
    longest = max(stages, key=lambda name: stages[name]["seconds"])
    total = sum(stage["seconds"] for stage in stages.values())
    peaks = [stage["peak_mb"] for stage in stages.values() if stage["peak_mb"] is not None]
    memory = f"; no job more than {max(peaks):,.0f} MB of memory" if peaks else ""
    most = f"{stages[longest]['seconds']:,.0f} s of them {longest}"
    return f"{total:,.0f} s over all jobs, {most}{memory}"


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
