# Configuration and paths that all rules share.

import hashlib
import json
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import Quietness

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(HERE.parent))

import statediff
from statediff import InputError
from statediff.design import sample_columns
from statediff.levels import levels_as_text
from statediff.paper import check_panels, panel_size, panel_stem
from statediff.fields import safe
from shareable import without_folders
from statediff.settings import checked, contrasts_of
from statediff.text import printable
from versions import checksum

if not HERE.parent.samefile(Path(statediff.__file__).parents[1]):
    raise WorkflowError(
        f"module: found two copies of statediff in one workflow, {Path(statediff.__file__).parents[1]} "
        f"and {HERE.parent}; expected one for all imports"
    )


def refuse(fault):
    """End the run with an error in the configuration, also if Snakemake is quiet."""
    fault = printable(fault)
    quiet = Quietness.ALL in (workflow.output_settings.quiet or ())
    if quiet and not {"-n", "--dry-run", "--dryrun"} & {*sys.argv}:
        print(fault, file=sys.stderr, flush=True)
    raise WorkflowError(fault)


def levels_in_source(column):
    """Levels of a column of obs of the user's file; None where there is no such file or column."""
    dataset = config.get("dataset")
    source = dataset.get("source") if isinstance(dataset, dict) else None
    path = source.get("path") if isinstance(source, dict) else None
    if not isinstance(path, str) or not Path(path).expanduser().exists():
        return None
    from statediff.source import open_source

    with open_source(Path(path).expanduser(), dataset.get("modality")) as data:
        values = data.obs.get(column)
    return None if values is None else list(values.astype("category").cat.categories.astype(str))


with open(workflow.source_path("../schemas/config.schema.yaml"), encoding="utf-8") as schema:
    try:
        config = checked(levels_as_text(config, levels_in_source), yaml.safe_load(schema))
    except InputError as error:
        refuse(f"The configuration has errors:\n{error}")

DATASET = config["dataset"]
SOURCE = DATASET["source"]
PREPROCESS = DATASET["preprocess"]
# Modality of the file that the stages read; preprocessing writes a single AnnData.
MODALITY = None if PREPROCESS else DATASET["modality"]
STATES = DATASET["cell_states"]
# Whether both analyses are in the source file already, so that no model is fitted.
FROM_FILE = DATASET["results"] == "from_file"
# Contrasts; and for contrasts of several levels, their names by the common name.
CONTRASTS, FAMILIES = contrasts_of(config)
FDR = config["fdr"]
# Keys of a contrast that affect only its groups.
GROUP_KEYS = ("groups", "leave_out_small_groups")
SMOOTH = config["smooth"]
PAPER = config["paper"]
# Published numbers of each contrast for the conventions of this run.
PUBLISHED = {
    name: numbers[config["conventions"]]
    for name, numbers in config["published"].items()
    if config["conventions"] in numbers
}
PROVIDER = config["enrichment"]["provider"]

if "path" in SOURCE and not Path(SOURCE["path"]).exists():
    refuse(f"dataset.source.path: found no file {SOURCE['path']} (relative to {Path.cwd()})")

# Of a run the first jobs check the data.
if "path" in SOURCE and workflow.output_settings.dryrun and workflow.is_main_process:
    from checks import faults_of_data

    if faults := faults_of_data(config, CONTRASTS):
        refuse("\n".join(["The data have faults:", *faults]))

for gmt in config["enrichment"]["gmt"] if PROVIDER == "local" else []:
    if not Path(gmt).is_file():
        refuse(f"enrichment.gmt: found no file {gmt} (relative to {Path.cwd()})")

# Whether the test compares the conditions within blocks of cells.
BLOCKS = bool(CONTRASTS) and FDR["test"] in ("residual", "labels")
# Columns of conditions and of samples, over which the coordinates of cell states are integrated.
INTEGRATED = []
if STATES["compute"] and STATES["compute"]["integrate"] == "samples":
    samples = {}
    for one in CONTRASTS.values():
        samples.setdefault(tuple(sample_columns(one)) or (one["column"],), one["column"])
    INTEGRATED = sorted([[column], list(sample)] for sample, column in samples.items())
RESIDUAL = FDR["test"] == "residual"
# Where the called genes change, which only this test provides.
LOCALISED = "<run>/{contrast}/stages/localisation.h5" if RESIDUAL else []
# Names of the figures to make; None: all.
MADE = config["figures"]["make"]
# Files of the enrichment that the report shows if they exist.
SHOWN_ENRICHMENT = ["figures/enrichment.png", "tables/enriched_terms.html"]
SHOWN_ENRICHMENT += ["figures/network.svg"] if PROVIDER == "string" else []
# The settings recorded in enrichment.json.
ASKED_OF_ENRICHMENT = {key: config["enrichment"][key] for key in ("provider", "background")}
# Distances of unchanged genes, if the user provides them.
EXTERNAL = FDR["external"]["distances"] if FDR["test"] == "external" else None
# The noise of each gene, if it is learnt from the data.
NOISE = "<run>/{contrast}/stages/noise.h5" if config["gp"]["noise"] == "empirical" else []

# For jobs that run Snakemake again, with the configuration of the importing Snakefile, if any.
AGAIN = {"snakefile": workflow.main_snakefile, "config": lambda wildcards: workflow.config}


# The results of this data set, and what its contrasts share.
pathvars:
    run=f"<results>/{DATASET['name']}",
    data="<run>/data",
    logs="<run>/logs",
    benchmarks="<run>/benchmarks",


def located(path, pathvars=workflow.pathvars, prefix=workflow.modifier.path_modifier):
    """Path of a file of the rules. The folders of a module are stored as defaults here, because
    `workflow` has them only while the Snakefile of the module is read."""
    return pathvars.apply(prefix.replace_prefix(path))


def script_of(rule):
    """The script of a rule of this workflow; None for rules of an importing workflow."""
    folder = HERE.parent.parent / "scripts"
    if rule.script is None:
        return None
    script = Path(str(rule.basedir.get_path_or_uri(secret_free=True)), rule.script)
    return script if script.is_file() and script.parent.samefile(folder) else None


def version_of(script):
    """Parameter with the version of the code that a script needs, computed for jobs that may run."""
    return lambda wildcards: checksum(script)


def as_it_is(value):
    """A parameter in which Snakemake does not treat braces as wildcards."""
    return value if callable(value) else lambda wildcards: value


def one_of(names):
    """Pattern of these names; without any, one that matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def condition(contrast, role):
    """Name of a condition of a contrast, and all keys that determine its cells and replicates."""
    chosen = {key: contrast[key] for key in ("column", "cells", "sample")}
    chosen["level"] = contrast[role]
    chosen["min_cells"] = contrast["min_cells"] if contrast["sample"] is not None else None
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()
    return f"{safe(contrast[role])[:40]}_{digest[:12]}", chosen


# The conditions of all contrasts, each once.
ROLES = ("reference", "compared")
CONDITIONS = dict(condition(contrast, role) for contrast in CONTRASTS.values() for role in ROLES)


wildcard_constraints:
    contrast=one_of(CONTRASTS),
    family=one_of(FAMILIES),
    condition=one_of(CONDITIONS),
    population=one_of(SMOOTH),


scattergather:
    gene_chunks=config["expression"]["gene_chunks"],


def contrast_of(wildcards):
    """Column, levels, replicates and filter of the contrast."""
    contrast = CONTRASTS[wildcards.contrast]
    return {key: value for key, value in contrast.items() if key not in GROUP_KEYS}


def levels_of(wildcards):
    """Names of the conditions of the contrast."""
    return {role: CONTRASTS[wildcards.contrast][role] for role in ROLES}


def groups_of(wildcards):
    """Keys that determine the groups of the contrast."""
    contrast = CONTRASTS[wildcards.contrast]
    keys = ["column", "reference", "compared", "numeric", "cells", "min_cells", *GROUP_KEYS]
    # The halves of a numeric condition are those of the samples.
    keys += ["sample", "pair"] if contrast["numeric"] else []
    return {key: contrast[key] for key in keys}


def smooth_of(wildcards):
    """Genes and cells of the entry of smooth."""
    return SMOOTH[wildcards.population]


def settings(section, *keys):
    """Some keys of a section: a job reruns only when these keys change."""
    return {key: config[section][key] for key in keys}


def panel_of(wildcards):
    """Figure, contrast and settings of a panel of a page; empty if the job is not for a panel."""
    return PAPER[wildcards.page]["panels"][wildcards.panel] if "panel" in wildcards.keys() else {}


def figure_setting(key):
    """A setting of the panel, or of figures if the panel does not set it."""
    return lambda wildcards: panel_of(wildcards).get(key, config["figures"][key])


def chosen(wildcards):
    """Genes, cells and columns to look up in the data, each with the option that names them."""
    own, found = panel_of(wildcards), {}
    for key in ("genes", "cells", "obs", "without"):
        section = f"paper.{wildcards.page}.panels.{wildcards.panel}" if key in own else "figures"
        found[key] = f"{section}.{key}", figure_setting(key)(wildcards)
    # A changed colour does not change which levels are looked up.
    colors = config["figures"]["colors"]
    found["colors"] = "figures.colors", {column: sorted(colors[column]) for column in colors}
    return found


def colors_of(*columns):
    """Colours that the configuration gives to levels of these columns."""
    colors = config["figures"]["colors"]
    return {column: colors[column] for column in columns if column in colors}


def colors_of_conditions(wildcards):
    return colors_of(contrast_of(wildcards)["column"])


def size_of_panel(wildcards):
    """Settings that determine the size of a panel and of its text."""
    return panel_size(PAPER[wildcards.page], wildcards.panel, f"paper.{wildcards.page}")


def panels_as(kind):
    """Files of the panels of a page."""

    def files(wildcards):
        page = PAPER[wildcards.page]
        stems = [panel_stem(wildcards.page, *panel) for panel in page["panels"].items()]
        return [f"<run>/paper/panels/{stem}.{kind}" for stem in stems]

    return files


def per_contrast(*paths):
    """These paths for every contrast."""
    paths = [f"<run>/{{contrast}}/{path}" for path in paths]
    return expand(paths, contrast=CONTRASTS) if CONTRASTS else missing("contrasts")


def missing(section):
    """Input of a target for which a section has no entries: an error."""

    def refuse(wildcards):
        raise WorkflowError(
            f"{section}: found no entry, and this target needs at least one; "
            f"add one to the configuration (config/README.md, {section})"
        )

    return refuse


def shown(path, name, section, caption=None):
    """An output that the report shows; its caption is workflow/report/<caption>.rst, by default the
    stem of the file without a wildcard."""
    category = "{contrast}" if "{contrast}" in path else DATASET["name"]
    caption = f"../report/{caption or Path(path).stem.partition('_{')[0]}.rst"
    return report(path, caption, category=category, subcategory=section, labels={"result": name})


def made(name):
    """Whether the configuration asks for a figure, and the data set has what it needs."""
    return (MADE is None or name in MADE) and name not in REFUSED


def all_chunks(path):
    """The path of every gene chunk of the contrast."""
    return gather.gene_chunks(path.replace("{contrast}", "{{contrast}}"))


def kept_coordinates():
    """Key of obsm that the cell states are read or computed from, with the option that names it."""
    if STATES["compute"]:
        return {STATES["compute"]["from"]: "dataset.cell_states.compute.from"}
    return {STATES["key"]: "dataset.cell_states.key"}


def null_of(wildcards):
    """File with the null distribution or test of the genes of the contrast."""
    stages = "<run>/{contrast}/stages"
    match FDR["test"]:
        case "residual":
            return f"{stages}/residual.h5"
        case "labels":
            return f"{stages}/labels.h5"
        case "external" if not FDR["external"]["shuffled"]:
            return []
    return f"{stages}/null.h5"


def raw_file(wildcards):
    """The source of the data set: a file of the user, or one that a job writes."""
    if "path" in SOURCE:
        # The prefix of a module applies only to files that its rules write.
        return local(SOURCE["path"])
    return "<data>/simulated.h5ad" if "simulate" in SOURCE else "<data>/downloaded.h5ad"


def integrated(key):
    """Whether coordinates of obsm are those that are integrated over the samples."""
    return bool(INTEGRATED) and key == STATES["compute"]["from"]


def source_file(wildcards):
    """The file with expression and coordinates: preprocessed, or the source itself."""
    return "<data>/preprocessed.h5ad" if PREPROCESS else raw_file(wildcards)


def content_of_download():
    """Keys that determine the content of a downloaded file, whatever its address."""
    keys = ("record", "file", "md5", "bytes")
    return {key: value for key, value in SOURCE.get("zenodo", {}).items() if key in keys}


def truth(wildcards):
    """File with the simulated truth, which is known only for young against old in all cells."""
    simulated = {"column": "Age", "reference": "Young", "compared": "Old", "cells": None}
    known = "simulate" in SOURCE and simulated.items() <= contrast_of(wildcards).items()
    return "<run>/{contrast}/truth.json" if known else []


def cell_types(wildcards):
    """The cell types, if the configuration names them."""
    return [] if DATASET["cell_type"] is None else "<data>/cell_types.parquet"


def of_condition(role, path):
    """This path for the condition in a role of the contrast."""

    def file(wildcards):
        name, _ = condition(CONTRASTS[wildcards.contrast], role)
        return path.replace("{condition}", name)

    return file


def where_grouped(path):
    """This file, if the contrast has groups."""
    return lambda wildcards: path if groups_of(wildcards)["groups"] is not None else []


def computing_stages(folder, suffix):
    """A file of every computing job of the contrast."""
    shared, own = ["store", "cell_states", "embedding"], ["contrast_cells"]
    shared += ["block_coordinates"] if BLOCKS else []
    shared.insert(1, "integration") if INTEGRATED else None
    if PREPROCESS:
        shared.insert(0, "preprocess")
    if "path" not in SOURCE:
        shared.insert(0, "simulate" if "simulate" in SOURCE else "download")
    estimator, densities = "abundance_ratio", []
    if config["abundance"]["estimator"] == "densities":
        density = f"{folder}/conditions/{{condition}}/condition_density.{suffix}"
        estimator, densities = "abundance_density", [of_condition(role, density) for role in ROLES]
    models, predictor = ["basis", "expression_fit"], "expression_predict"
    models += ["expression_noise"] if NOISE else []
    if FROM_FILE:
        estimator, densities, models, predictor = "kompot_abundance", [], [], "kompot_expression"
    # The ratio of densities uses the basis of expression.
    own += [*models[:1], estimator, "abundance_change", *models[1:]]
    nulls = {
        "residual": ["blocks", "residual_test"],
        "labels": ["blocks", "label_distances"],
        "genes": ["null_distances"],
        "external": ["null_distances"] if FDR["external"]["shuffled"] else [],
    }
    last = [*nulls[FDR["test"]], "false_discovery"]
    last += ["localisation"] if RESIDUAL else []
    grouped = ["group_cells", "group_distances", "group_discovery"]
    grouped += ["group_test"] if RESIDUAL else []
    grouped += [] if RESIDUAL or "null_distances" in last else ["null_distances"]
    chunks = all_chunks(f"{folder}/{{contrast}}/{predictor}.{{scatteritem}}.{suffix}")

    def files(wildcards):
        has_groups = groups_of(wildcards)["groups"] is not None
        return [
            *(f"{folder}/{name}.{suffix}" for name in shared),
            *(file(wildcards) for file in densities),
            *(f"{folder}/{{contrast}}/{name}.{suffix}" for name in own),
            *chunks,
            *(f"{folder}/{{contrast}}/{name}.{suffix}" for name in last),
            *(f"{folder}/{{contrast}}/{name}.{suffix}" for name in grouped if has_groups),
        ]

    return files


def enrichment_there(wildcards):
    """Files of the enrichment with their times, as a parameter: the report does not require them.

    Results of other enrichment settings are not shown."""
    there = {}
    for contrast in CONTRASTS if PROVIDER != "none" else []:
        record = Path(located(f"<run>/{contrast}/tables/enrichment.json"))
        made = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        as_asked = all(made.get(key) == value for key, value in ASKED_OF_ENRICHMENT.items())
        for name in SHOWN_ENRICHMENT:
            path = Path(located(f"<run>/{contrast}/{name}"))
            shown = as_asked and path.is_file()
            there[str(path)] = path.stat().st_mtime if shown else None
    return there


def refuse_comparison(wildcards):
    found = sorted({name for numbers in config["published"].values() for name in numbers})
    raise WorkflowError(
        f"published: found numbers for conventions {', '.join(found)}, expected numbers for "
        f"{config['conventions']}, the conventions of this run (config/README.md, published)"
        if found
        else "published: found nothing, but this target compares with published numbers "
        "(config/README.md, published)"
    )
