"""The document of the growth of time and memory."""

import os

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from statediff import __version__
from statediff.plots.style import OKABE_ITO, styled

# Jobs of chunks count as one; start-up is no growth.
LEAST_SECONDS = 5.0
# Jobs in the figure, those that take longest.
SHOWN = 6

TEXT = """# Growth with cells and genes

Simulated raw counts of four samples an age, of which a tenth are not zero. One command, with the
defaults: normalisation and principal components, integration of the samples, cell states, UMAP,
abundance and expression between two fifths of the cells and another two fifths, tables, all
figures, the AnnData, the report and the page to explore (version {version}, {cores} cores).
`make scaling` repeats the measurement.

{table}

The table gives the computing time of each job (summed over gene chunks) and its peak memory, of
jobs that take {least:.0f} s or more at some size. Slopes are those of log seconds against the log
number of cells, or genes, between the sizes at which the job takes {least:.0f} s or more; a slope
of 1 means proportional. *All* is the whole command: wall time, and memory of all processes
together.

![time and memory by number of cells](images/scaling.png)

## Files of {cells:,} cells × {genes:,} genes

{files}

## Figures of {cells:,} cells

Seconds of the whole job: reading, drawing, and saving as PDF and PNG. In the PDF, more than 100,000
points are rasterised at 300 dpi; text and lines remain vectors.

{figures}
"""


def write(documents, jobs, largest):
    """Write the document and its figure.

    Parameters
    ----------
    documents : pathlib.Path
    jobs : pandas.DataFrame
        `cells`, `genes`, `job`, `seconds`, `own_seconds` (none for all together), `peak_mb`.
    largest : dict
        Of the size with most cells: `cells`, `genes`, `source_mb`, `files` (megabytes by name), and
        `figures` with `figure`, `seconds`, `peak_mb`, `pdf_mb` each.
    """
    jobs = jobs.assign(
        seconds=jobs["own_seconds"].fillna(jobs["seconds"]), job=jobs["job"].str.split(".").str[0]
    )
    sums = jobs.groupby(["job", "genes", "cells"], sort=False).agg(
        seconds=("seconds", "sum"), peak_mb=("peak_mb", "max")
    )
    most = sums.groupby("job")["seconds"].transform("max")
    text = TEXT.format(
        version=__version__,
        cores=os.cpu_count(),
        table=_table(sums[most >= LEAST_SECONDS]),
        least=LEAST_SECONDS,
        cells=largest["cells"],
        genes=largest["genes"],
        files=_files(largest["source_mb"], largest["files"]),
        figures=_figures(pd.DataFrame(largest["figures"])),
    )
    (documents / "scaling.md").write_text(text)
    _figure(sums).savefig(documents / "images/scaling.png", dpi=200)


def _files(source, files):
    rows = ["| file | size | relative to the source |", "|---|---:|---:|"]
    for name, size in ({"source": source} | files).items():
        rows.append(f"| {name} | {size:,.0f} MB | {size / source:.2f} |")
    return "\n".join(rows)


def _table(sums):
    sizes = list(dict.fromkeys(sums.index.droplevel("job")))
    heads = " | ".join(f"{cells:,} × {genes:,}" for genes, cells in sizes)
    rows = [
        f"| job | {heads} | slope, cells | slope, genes |",
        "|---|" + "---:|" * (len(sizes) + 2),
    ]
    for job in dict.fromkeys(sums.index.get_level_values("job")):
        cells = [_cell(sums, (job, *size)) for size in sizes]
        slopes = _slope(sums.loc[job], "genes"), _slope(sums.loc[job], "cells")
        rows.append(f"| {job} | {' | '.join([*cells, *slopes])} |")
    return "\n".join(rows)


def _figures(figures):
    rows = ["| figure | seconds | peak memory | PDF |", "|---|---:|---:|---:|"]
    for row in figures.itertuples():
        rows.append(
            f"| `{row.figure}` | {row.seconds:.1f} | {row.peak_mb:,.0f} MB | {row.pdf_mb:.2f} MB |"
        )
    return "\n".join(rows)


def _cell(sums, key):
    if key not in sums.index:
        return ""
    seconds, peak = sums.loc[key, ["seconds", "peak_mb"]]
    return f"{seconds:,.1f} s, {peak / 1000:.1f} GB"


def _slope(job, fixed):
    """Log-log slope of the seconds in one size where the other is fixed, at the value of which
    most is known."""
    at = job.index.get_level_values(fixed).value_counts().idxmax()
    seconds = job.xs(at, level=fixed)["seconds"]
    seconds = seconds[seconds >= LEAST_SECONDS]
    if len(seconds) < 2:
        return ""
    return f"{np.polyfit(np.log(seconds.index), np.log(seconds), 1)[0]:.2f}"


@styled
def _figure(sums):
    figure = Figure(figsize=(8.2, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    genes = sums.index.get_level_values("genes").min()
    largest = sums.xs(genes, level="genes").groupby("job", sort=False)["seconds"].max()
    for i, job in enumerate(largest.nlargest(SHOWN).index):
        of_job = sums.loc[job].loc[genes].sort_index()
        style = {"color": OKABE_ITO[i], "marker": "osD^v<>P"[i], "ms": 4, "lw": 1.2}
        for axes, column, scale in zip(panels, ("seconds", "peak_mb"), (1, 1e-3), strict=True):
            axes.plot(of_job.index, scale * of_job[column], label=job.replace("_", " "), **style)
    for axes, label in zip(panels, ("Seconds", "Peak memory (GB)"), strict=True):
        axes.set(xscale="log", yscale="log", xlabel=f"Cells (× {genes:,} genes)", ylabel=label)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    return figure
