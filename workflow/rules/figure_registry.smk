# The figures of figures.yaml: which can be drawn, and the parts of their rules.

with open(workflow.source_path("../figures.yaml")) as table:
    REGISTERED = yaml.safe_load(table)

# All figures of a contrast, and the settings that each uses.
FIGURES = {
    name: figure.get("settings", [])
    for name, figure in REGISTERED.items()
    if "of" not in figure and "asked_by" not in figure
}
# Figures of the data set, each once.
OF_DATASET = [name for name, figure in REGISTERED.items() if figure.get("of") == "dataset"]
# Requirements of figures that this run does not meet.
MISSING = {}
if DATASET["cell_type"] is None:
    MISSING["types"] = "expected dataset.cell_type, the obs column of cell types"
if FROM_FILE:
    MISSING["model"] = "expected dataset.results: computed, since a file of results has no model"
if not BLOCKS:
    MISSING["blocks"] = (
        "expected fdr.test: residual or labels, which compare within blocks of cells"
    )
if not RESIDUAL:
    MISSING["localisation"] = "expected fdr.test: residual, the only test that locates changes"
if len(CONTRASTS) < 2:
    MISSING["contrasts"] = "expected two contrasts or more, whose fold changes it compares"
# Figures that cannot be drawn, and the reason.
REFUSED = {
    name: MISSING[need]
    for name, figure in REGISTERED.items()
    for need in figure.get("needs", [])
    if need in MISSING
}
if unknown := sorted(set(MADE or []) - {*FIGURES, *OF_DATASET}):
    raise WorkflowError(
        f"figures.make: found {unknown[0]!r}, expected some of {', '.join([*OF_DATASET, *FIGURES])}"
    )
for name in sorted(set(REFUSED) & set(MADE or [])):
    raise WorkflowError(f"figures.make: {name}: {REFUSED[name]}")
# Columns of obs by the names of their files.
OBS = {safe(column): column for column in config["figures"]["obs"]}
if alike := set(config["figures"]["obs"]) - set(OBS.values()):
    raise WorkflowError(
        f"figures.obs: found {sorted(alike)}, whose figures would have the names of others; rename "
        "these columns, or leave them out"
    )


def colors_shown(wildcards):
    """Colours in the configuration for conditions, a column of obs, or cell types."""
    if "contrast" in wildcards.keys():
        return colors_of_conditions(wildcards)
    column = OBS[wildcards.column] if "column" in wildcards.keys() else DATASET["cell_type"]
    return colors_of(column)


# Files by their names in scripts; empty if they do not exist.
STAGES = "<run>/{contrast}/stages"
INPUTS = {
    "store": "<data>/store.h5ad",
    "linear": "<data>/linear.h5",
    "states": "<data>/cell_states.h5",
    "embedding": "<data>/embedding.h5",
    "cell_types": cell_types,
    **{name: f"{STAGES}/{name}.h5" for name in ("cells", "abundance", "fit", "fdr")},
    "localisation": LOCALISED,
    "blocks": f"{STAGES}/blocks.h5" if BLOCKS else [],
    "every_fdr": expand("<run>/{contrast}/stages/fdr.h5", contrast=CONTRASTS),
    "enriched_terms": "<run>/{contrast}/tables/enrichment.parquet",
    "enrichment": "<run>/{contrast}/tables/enrichment.json",
}
PARAMS = {
    "colors": colors_shown,
    "embedding": DATASET["embedding"]["key"],
    "cell_type": DATASET["cell_type"],
    "contrasts": list(CONTRASTS),
    "column": lambda wildcards: OBS[wildcards.column],
    "states": STATES["key"],
    "thresholds": settings("abundance", "lfc_threshold", "ptp_threshold", "fdr_threshold"),
    "enrichment": settings("enrichment", "fdr_threshold", "top", "categories"),
}
# Settings whose names are looked up in the data by a job, which writes a file that figures read.
FOUND = {"genes", "cells"}
# Folder of a figure and end of its name, by whether there is one per contrast, data set or column.
PLACES = {"contrast": ("{contrast}/", ""), "dataset": ("", ""), "column": ("", "_{column}")}
# Groups of short jobs that share a cluster job; sections with other jobs than figures have their own.
GROUPS = {"Enrichment": "enrichment"}
# Memory and time of jobs that read cells, genes, or the expression of some genes, or that draw
# several embeddings of each gene.
SIZES = {
    "cells": (memory(340, cell=2, gene=0.5), minutes(10, cell=10)),
    "genes": (memory(400, cell=2, gene=5), minutes(10)),
    "values": (
        memory(500, cell=8, gene=8, ranked=True, block=16),
        minutes(10, cell=10, value=0.1),
    ),
    "panels": (memory(1500, cell=8, gene=8, ranked=True), minutes(15, cell=10)),
}


def inputs_of_figure(figure):
    """Input files of a figure, by their names."""
    found = {name: INPUTS[name] for name in figure["inputs"]}
    chooses = FOUND & set(figure.get("settings", []))
    return found | ({"choices": "<data>/figure_choices.h5"} if chooses else {})


def params_of_figure(name, figure):
    """Parameters of a figure."""
    params = {param: PARAMS[param] for param in figure.get("params", [])}
    read = [key for key in figure.get("settings", []) if key not in FOUND]
    params |= {key: figure_setting(key) for key in read}
    params |= {"contrast": contrast_of} if figure.get("of", "contrast") == "contrast" else {}
    return params | {"figure": name}
