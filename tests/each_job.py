"""Every job of a run, one after the other, in forks of this process, and under bad conditions.

python tests/each_job.py DISK KILLS

Runs a small data set in the folder that it is started in: each job, and each once more with its
results, and its log too or not, on a disk that is full. Then as many jobs are killed at any time,
some of them beside a second writer of the same results, and run again. Prints a line of JSON for
each trial.
"""

import datetime
import json
import os
import random
import runpy
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).resolve().parents[1]
SIMULATED = {"seed": 3, "cells": 500, "genes": 200, "samples": 2}
CONFIG = {
    "dataset": {
        "name": "small",
        "source": {"simulate": SIMULATED},
        "layer": "logged_counts",
        "cell_type": "cell_type",
        "cell_states": {"compute": {"from": "X_pca", "n_components": 6}},
        "embedding": {"key": "X_pca"},
    },
    "contrasts": {
        "young_vs_old": {
            "column": "Age", "reference": "Young", "compared": "Old", "groups": "cell_type",
        }
    },
    "smooth": {"all": {"cells": {"Age": "Young"}, "genes": ["Gene000"]}},
    "fdr": {"block_cells": 40},
    "expression": {"gene_chunks": 1, "layers": ["smoothed"]},
    # All figures are saved alike.
    "figures": {"make": ["composition", "expression_volcano"]},
    "enrichment": {"provider": "local", "gmt": ["sets.gmt"]},
}  # fmt: skip
# What most jobs import.
PACKAGES = ("anndata", "scipy.stats", "scipy.spatial", "pandas", "matplotlib.pyplot", "jinja2")


class Then(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return cls(2000, 1, 1, tzinfo=tz)


def planned():
    """The jobs of a run that have a script, in an order in which they can run."""
    from snakemake import cli, dag

    graphs, begin = [], dag.DAG.__init__

    def noted(self, *arguments, **options):
        graphs.append(self)
        begin(self, *arguments, **options)

    dag.DAG.__init__ = noted
    Path("my.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    Path("sets.gmt").write_text("set\t-\t" + "\t".join(f"Gene{i:03d}" for i in range(20)) + "\n")
    # Before `--`, after which there are only targets.
    sys.argv[1:] = ["all", "provenance", "--forceall", "-n", "--quiet", "all", "--cores", "1",
                    "-s", str(ROOT / "Snakefile"), "--configfile", "my.yaml"]  # fmt: skip
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code:
            raise
    (graph,) = graphs
    jobs = [job for level in graph.toposorted() for job in sorted(level, key=str)]
    return [described(job) for job in jobs if job.rule.script is not None]


def described(job):
    """What a script knows of its job."""
    script = Path(str(job.rule.basedir.get_path_or_uri(secret_free=True)), job.rule.script)
    return SimpleNamespace(
        script=str(script.resolve()), rule=job.rule.name,
        config=job.rule.workflow.globals["config"],
        input=job.input, output=job.output, params=job.params, wildcards=job.wildcards, log=job.log,
        threads=1, resources=job.resources, benchmark=job.benchmark,
    )  # fmt: skip


def start(job, place=None, log=None):
    """Run a job in a fork; its results are in a folder of its own if one is given."""
    if place is not None:
        output = type(job.output)(
            toclone=job.output, custom_map=lambda path: f"{place}/{Path(path).name}"
        )
        job = SimpleNamespace(**(vars(job) | {"output": output}))
    if log is not None:
        job = SimpleNamespace(**(vars(job) | {"log": [log]}))
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.dup2(writer, 2)
        os.close(writer)
        os.close(reader)
        for path in [*job.output, *job.log]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(Path(job.script).parent))
        try:
            runpy.run_path(job.script, init_globals={"snakemake": job}, run_name="__main__")
        except SystemExit as ended:
            os._exit(ended.code or 0)
        except BaseException:  # SIGINT
            os._exit(1)
        os._exit(0)
    os.close(writer)
    return child, reader


def finish(started):
    """How a job ended (negative: by a signal), and what it said on the terminal."""
    child, reader = started
    with open(reader, encoding="utf-8") as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def run(job):
    """Run a job as Snakemake would; gives the seconds that it took."""
    began = time.perf_counter()
    code, text = finish(start(job))
    if code:
        raise SystemExit(f"{job.rule} ended with {code}: {text}")
    seconds = time.perf_counter() - began
    if job.benchmark:
        Path(job.benchmark).parent.mkdir(parents=True, exist_ok=True)
        Path(job.benchmark).write_text(f"s\th:m:s\n{seconds:.4f}\t0:00:01\n")
    return seconds


def on_full_disk(job, disk, with_log):
    """Run a job whose results do not fit on a disk, with its log there too or not."""
    filler = disk / "filler"
    smallest = min(Path(path).stat().st_size for path in job.output)
    with filler.open("wb") as file:
        try:
            while True:
                os.write(file.fileno(), bytes(4096))
        except OSError:
            pass
        # Where the log is elsewhere, the disk fills up in the middle of the first result.
        room = 0 if with_log else smallest // 2 // 4096 * 4096
        file.truncate(file.seek(0, os.SEEK_END) - room)
    log = disk / "x.log" if with_log else "x.log"
    code, text = finish(start(job, disk, str(log)))
    left = [path.name for path in disk.iterdir() if path.name not in ("filler", "x.log")]
    for path in disk.iterdir():
        path.unlink()
    return {"rule": job.rule, "log": with_log, "code": code, "said": text.strip(), "left": left}


def killed(job, seconds, second_writer):
    """Kill a job at some time, alone or beside another of the same, and run it again."""
    before = contents(job)
    number = random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    other = start(job) if second_writer else None
    child, reader = start(job)
    time.sleep(random.uniform(0, seconds))
    os.kill(child, number)
    code, _ = finish((child, reader))
    whole = contents(job) == before
    if other:
        finish(other)
    run(job)
    folders = {Path(path).parent for path in job.output}
    left = [path.name for folder in folders for path in folder.glob(".*.part")]
    return {"rule": job.rule, "signal": number.name, "two": second_writer, "code": code,
            "whole": whole, "same": contents(job) == before, "left": left}  # fmt: skip


def contents(job):
    return [Path(path).read_bytes() for path in job.output]


def main(disk, kills):
    random.seed(0)
    jobs = planned()
    for name in PACKAGES:
        import_module(name)
    # The time is in figures, AnnData and pages.
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    datetime.datetime = import_module("statediff.provenance").datetime = Then
    seconds = {}
    for job in jobs:
        seconds[job.rule] = run(job)
        for with_log in (False, True):
            print(json.dumps(on_full_disk(job, Path(disk), with_log)), flush=True)
    # The summary has the seconds of others.
    jobs = [job for job in jobs if job.rule != "summary"]
    random.shuffle(jobs)
    for trial in range(int(kills)):
        job = jobs[trial % len(jobs)]
        print(json.dumps(killed(job, seconds[job.rule], trial % 3 == 0)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
