"""Run everything that is not yet done, and write docs/real-data.md.

`python -m real [data set …]`: these data sets, or all.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from statediff import __version__
from statediff.disk import atomic

from real import data, report
from real.data import ROOT, SETS
from real.measures import ACROSS, MEASURES
from real.runs import RUNS, Results

FOLDER = Path("results/evidence-real").resolve()
HERE = Path(__file__).parent
# What a run depends on: the file, what is run on it, and what is measured.
OWN = [HERE / "data.py", HERE / "runs.py"]
MEASURING = [HERE / "measures.py", HERE.parent / "calibration/competitors.py"]
TIMED = "whole"


def digest(paths):
    """Checksum of files, or of all files of folders."""
    found = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(file.read_bytes())
    return found.hexdigest()[:16]


def run(name, part, cores):
    """Run the workflow on a file of a data set, and measure; nothing where that is done."""
    folder, real, kind = FOLDER / name / part, SETS[name], part.rsplit("_", 1)[0]
    state = {
        "file": digest([*OWN, data.folder() / f"{name}.h5ad"]),
        "workflow": digest([ROOT / "workflow", ROOT / "scripts", ROOT / "Snakefile"]),
        "measures": digest(MEASURING),
    }
    before = read_json(folder / "state.json") or {}
    measured, ended = folder / "measures.tsv", folder / "ended.json"
    if before == state and measured.exists() and ended.exists():
        return
    if before.get("file") != state["file"]:
        shutil.rmtree(folder, ignore_errors=True)
    elif before["workflow"] != state["workflow"] or (part == TIMED and not ended.exists()):
        # A run that is continued would say nothing of the time.
        for rest in ("results", ".snakemake", "ended.json"):
            path = folder / rest
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    measured.unlink(missing_ok=True)
    RUNS[name][part].prepare(folder)
    (folder / "state.json").write_text(json.dumps(state))
    if not ended.exists():
        succeeded, usage, output = RUNS[name][part].run(folder, cores, timed=part == TIMED)
        (folder / "output.txt").write_text(output)
        if succeeded:
            ended.write_text(json.dumps({"usage": usage and asdict(usage)}))
    usage, results = (read_json(ended) or {}).get("usage"), Results(folder)
    rows = MEASURES[kind](real, results, usage) if kind in MEASURES else []
    columns = ["method", "subject", "metric", "value"]
    with atomic(measured) as part_file:
        pd.DataFrame(rows, columns=columns).to_csv(part_file, sep="\t", index=False)


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else None


def start(name, part, cores):
    """Run a part in a process of its own, whose end is reported."""
    begun = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-m", "real", "--part", name, part, str(cores)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    folder = FOLDER / name / part
    failed = done.returncode or not (folder / "ended.json").exists()
    verdict = f"failed, see {folder / 'output.txt'}" if failed else "done"
    print(f"{name}, {part}: {verdict} ({time.perf_counter() - begun:.0f} s)", flush=True)
    if done.returncode:
        print(done.stdout[-2000:], flush=True)


def gather(names):
    """All measures: one row each, with `dataset` and `run`; and the warnings of whole runs."""
    tables, warnings = [], {}
    for name in names:
        for part in RUNS[name]:
            path = FOLDER / name / part / "measures.tsv"
            if path.exists():
                table = pd.read_csv(path, sep="\t")
                tables.append(table.assign(dataset=name, run=part.rsplit("_", 1)[0]))
        for across, compare in ACROSS.items():
            rows = compare(SETS[name], FOLDER / name)
            tables.append(pd.DataFrame(rows).assign(dataset=name, run=across))
        output = FOLDER / name / TIMED / "output.txt"
        if output.exists():
            lines = output.read_text().splitlines()
            warnings[name] = sorted({line for line in lines if line.startswith("Warning (")})
    return pd.concat(tables, ignore_index=True), warnings


def version():
    """Version of the workflow, with its commit where git knows it."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    commit = done.stdout.strip()
    return f"{__version__}, commit {commit}" if commit else __version__


def main(names):
    if not data.folder().is_dir():
        print(f"No real data: {data.folder()} is absent (set STATEDIFF_SHARED). Nothing was run.")
        return
    cores = int(os.environ.get("CORES", os.cpu_count()))
    # One thread a job: the jobs run beside each other.
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC"):
        os.environ[variable] = "1"
    for name in names:
        start(name, TIMED, cores)
    with ThreadPoolExecutor(cores) as pool:
        for part in dict.fromkeys(part for name in names for part in RUNS[name]):
            for name in names:
                if part != TIMED and part in RUNS[name]:
                    pool.submit(start, name, part, 1)
    # Those of earlier commands too.
    measured, warnings = gather(name for name in SETS if (FOLDER / name).is_dir())
    with atomic(FOLDER / "measures.tsv") as path:
        measured.to_csv(path, sep="\t", index=False)
    with atomic(ROOT / "docs/real-data.md") as path:
        path.write_text(report.document(measured, warnings, version()))
    print(report.terminal(measured))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        run(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(sys.argv[1:] or list(SETS))
