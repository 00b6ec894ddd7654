# Configuration, paths and resources that all rules share.

import json
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(HERE.parent))

from statediff import InputError
from statediff.settings import checked
from statediff.summary import as_text, read_benchmarks

with open(workflow.source_path("../schemas/config.schema.yaml")) as schema:
    try:
        config = checked(config, yaml.safe_load(schema))
    except InputError as error:
        raise WorkflowError(f"The configuration has faults:\n{error}")

DATASET = config["dataset"]
SOURCE = DATASET["source"]
CONTRASTS = config["contrasts"]

if "path" in SOURCE and not Path(SOURCE["path"]).is_file():
    raise WorkflowError(
        f"dataset.source.path: {SOURCE['path']} is no file (seen from {Path.cwd()})"
    )

ENVIRONMENT = f"../../envs/{'cuda' if config['gp']['device'] == 'gpu' else 'cpu'}.yaml"


# The results of this data set, and what its contrasts share.
pathvars:
    run=f"<results>/{DATASET['name']}",
    data="<run>/data",
    logs="<run>/logs",
    benchmarks="<run>/benchmarks",


wildcard_constraints:
    contrast="|".join(map(re.escape, CONTRASTS)),


scattergather:
    genes=config["expression"]["gene_chunks"],


def contrast_of(wildcards):
    """Column, reference and compared level of the contrast at hand."""
    return CONTRASTS[wildcards.contrast]


def settings(section, *keys):
    """Some keys of a section: a job reruns when these change, and no others."""
    return {key: config[section][key] for key in keys}


def per_contrast(*paths):
    """These paths for every contrast."""
    return expand([f"<run>/{{contrast}}/{path}" for path in paths], contrast=CONTRASTS)


def all_chunks(path):
    """The path of every gene chunk, for the contrast at hand."""
    return gather.genes(path.replace("{contrast}", "{{contrast}}"))


def memory(base, factor):
    """Memory in MB: a base plus a multiple of the input's size, more after each failure."""
    return lambda wildcards, input, attempt: int(attempt * (base + factor * input.size_mb))


def workers(wildcards, input):
    """Threads of the dense stages: small data leave the other cores to other jobs."""
    known = [Path(path) for path in input if Path(path).exists()]
    return 1 if sum(path.stat().st_size for path in known) < 5e8 else 4


def source_file(wildcards):
    """Where the data set comes from: a file of the user, or one that a job makes."""
    if "path" in SOURCE:
        return SOURCE["path"]
    return "<data>/simulated.h5ad" if "simulate" in SOURCE else "<data>/downloaded.h5ad"


def truth(wildcards):
    """Only the simulated data has one, and it is the change from young to old."""
    planted = {"column": "Age", "reference": "Young", "compared": "Old"}
    known = "simulate" in SOURCE and planted.items() <= contrast_of(wildcards).items()
    return "<run>/{contrast}/truth.json" if known else []


def print_summaries():
    """Each contrast's summary, where this run or an earlier one completed it."""
    for name in CONTRASTS:
        folder = Path(workflow.pathvars.apply("<run>"), name)
        summary, newest = folder / "summary.json", folder / "stages" / "fdr.h5"
        if summary.is_file() and summary.stat().st_mtime >= newest.stat().st_mtime:
            benchmarks = Path(workflow.pathvars.apply("<benchmarks>"))
            files = [*benchmarks.glob("*.tsv"), *(benchmarks / name).glob("*.tsv")]
            files.sort(key=lambda path: path.stat().st_mtime)
            stages = read_benchmarks(files)
            print(flush=True)
            print(as_text(json.loads(summary.read_text()), stages, folder), flush=True)
