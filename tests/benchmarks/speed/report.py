"""The document of the benchmark."""

import os
import statistics

import psutil
from statediff import __version__

TEXT = """# Speed and memory compared with kompot

One simulated file of {cells:,} cells × {genes:,} genes ({compared} compared), with kompot's
conventions, on {cores} cores with {memory:.0f} GB of memory: kompot 0.8.0 once, this workflow
({version}) {repeats} times (medians are shown). `make benchmark` repeats the measurement and writes
this page; it needs a machine without other work, and takes about {minutes:.0f} minutes.

{stages}

For kompot, seconds and memory are those of its call in a process that has loaded the file: the
AnnData that this workflow wrote from the simulated data, with the same expression and diffusion
maps. For this workflow, they are those of a command (`snakemake`, including its start) and all
processes that it starts; memory is the maximum over time of their sum. The ratio for abundance is
limited by the start of Snakemake and the imports of its few short jobs; the ratio within one
process is given below. *Everything* is one command from the file to diffusion maps, UMAP, both
analyses, tables, figures, AnnData and the explorer page; for kompot it is the sum of its two calls,
which start from the diffusion maps and write neither tables nor figures.

**In one process**, from the open file to the distance of every gene: {distances}.
From the open file to the change of abundance at every cell: {abundance}.

**Agreement**: the rank correlation (Spearman) of the distances with kompot's is {spearman:.6f}; at
kompot's length scale (the only difference, because its neighbours are approximate) they differ by
{relative_median:.1e} of their value in the median, {relative_max:.1e} at most.

## Jobs of the whole run

*Overhead* is the time that a job's process takes in addition to its computations: the start of
Python and imports.

{jobs}
"""


def write(path, *, case, compared, ours, published, jobs, in_process, agreement, repeats,
          minutes):  # fmt: skip
    """Write the document.

    Parameters
    ----------
    path : pathlib.Path
    case : dict
        Fields of the simulation.
    compared : str
        Cells of the conditions.
    ours : pandas.DataFrame
        Median `seconds`, `cpu_seconds`, `peak_mb` of each stage.
    published : dict of dict
        The same of kompot's analyses.
    jobs : pandas.DataFrame
        Name, seconds, own seconds and memory of each job of a whole run.
    in_process : dict of list of float
        Seconds of `distances` and `abundance` in one process; the first time JAX compiles.
    agreement : dict
    repeats : int
    minutes : float
        That it all took, kompot's calls of earlier sessions included.
    """
    within = {
        name: _within(in_process[name], published[stage]["seconds"])
        for name, stage in (("distances", "expression"), ("abundance", "abundance"))
    }
    text = TEXT.format(
        **case | agreement | within,
        compared=compared,
        version=__version__,
        cores=os.cpu_count(),
        memory=psutil.virtual_memory().total / 2**30,
        repeats=repeats,
        minutes=minutes,
        stages=_stages(ours, published),
        jobs=_jobs(jobs),
    )
    path.write_text(text)


def _within(seconds, published):
    first, *later = seconds
    again = statistics.median(later)
    return (
        f"{again:.2f} s ({published / again:.0f}× faster than kompot's call), {first:.2f} s the "
        "first time, when JAX compiles"
    )


def _stages(ours, published):
    total = {
        key: sum(taken[key] for taken in published.values()) for key in ("seconds", "cpu_seconds")
    }
    total["peak_mb"] = max(taken["peak_mb"] for taken in published.values())
    published = published | {"everything": total}
    rows = ["| | | kompot 0.8.0 | here | ratio |", "|---|---|---:|---:|---:|"]
    for stage in ("cell states", "abundance", "expression", "everything"):
        for key, name, unit in (
            ("seconds", "wall time", "s"),
            ("cpu_seconds", "CPU time", "s"),
            ("peak_mb", "memory", "MB"),
        ):
            mine, other = ours.loc[stage, key], published.get(stage, {}).get(key)
            shown = ("", "") if other is None else (f"{other:,.0f} {unit}", f"{other / mine:.1f}×")
            rows.append(f"| {stage} | {name} | {shown[0]} | {mine:,.0f} {unit} | {shown[1]} |")
    return "\n".join(rows)


def _jobs(jobs):
    rows = [
        "| job | seconds | overhead | peak memory | declared | declared / peak |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for job in jobs.itertuples():
        overhead = max(job.seconds - job.own_seconds, 0.0)
        rows.append(
            f"| `{job.job}` | {job.seconds:.1f} | {overhead:.1f} | {job.peak_mb:,.0f} MB "
            f"| {job.declared_mb:,.0f} MB | {job.declared_mb / job.peak_mb:.1f} |"
        )
    return "\n".join(rows)
