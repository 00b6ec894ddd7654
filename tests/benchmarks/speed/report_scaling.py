"""The document of the growth of time and memory."""

import os

import numpy as np
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

Simulated data with 10,000 to a million cells × 2,000 genes, and with 100,000 cells × 20,000 genes;
a tenth of the values are non-zero. Cell states are given. Abundance and expression are compared
between two fifths of the cells and another two fifths, with the default conventions (version
{version}, {cores} cores). `make scaling` repeats the measurement in less than half an hour, and
needs 10 GB of disk space.

{table}

The table gives the computing time of each job (summed over gene chunks) and its peak memory. Slopes
are those of log seconds against the log number of cells, or genes, between sizes at which the job
takes {least:.0f} s or more; a slope of 1 means proportional. *All* is one command from the file to
the results of both analyses: wall time, and memory of all processes together.

![time and memory by number of cells](images/scaling.png)

## Figures of {most:,} cells

Seconds of the whole job: reading, drawing, and saving as PDF and PNG. In the PDF, more than 100,000
points are rasterised at 300 dpi; text and lines remain vectors.

{figures}
"""


def write(documents, jobs, most, figures):
    """Write the document and its figure.

    Parameters
    ----------
    documents : pathlib.Path
    jobs : pandas.DataFrame
        `cells`, `genes`, `job`, `seconds`, `own_seconds` (none for all together), `peak_mb`.
    most : int
        Cells of the figures.
    figures : pandas.DataFrame
        `figure`, `seconds`, `peak_mb`, `pdf_mb`.
    """
    jobs = jobs.assign(
        seconds=jobs["own_seconds"].fillna(jobs["seconds"]), job=jobs["job"].str.split(".").str[0]
    )
    sums = jobs.groupby(["job", "genes", "cells"], sort=False).agg(
        seconds=("seconds", "sum"), peak_mb=("peak_mb", "max")
    )
    text = TEXT.format(
        version=__version__,
        cores=os.cpu_count(),
        table=_table(sums),
        least=LEAST_SECONDS,
        most=most,
        figures=_figures(figures),
    )
    (documents / "scaling.md").write_text(text)
    _figure(sums).savefig(documents / "images/scaling.png", dpi=200)


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
