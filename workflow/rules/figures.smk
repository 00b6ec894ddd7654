# Figures, each a rule of its own: a setting reruns only the figures it shows in.

# All figures of a contrast, and whether they are about cell types.
FIGURES = {
    "condition": False,
    "composition": True,
    "abundance_change": False,
    "abundance_direction": False,
    "abundance_volcano": False,
    "abundance_volcanos": True,
    "direction_bars": False,
    "expression_volcano": False,
    "fold_changes": True,
    "expression_levels": True,
    "fold_change_dots": True,
    "gene_panels": False,
    "expression_along": False,
    "significance": False,
    "fit": False,
}
if FROM_FILE:
    # These show what only the models know.
    OF_MODELS = ("fold_changes", "fold_change_dots", "gene_panels", "expression_along", "fit")
    if refused := sorted(set(OF_MODELS) & set(MADE or [])):
        raise WorkflowError(
            f"figures.make: {', '.join(refused)}: expected dataset.results: computed, since a file "
            "of results has no model"
        )
    FIGURES = {name: about for name, about in FIGURES.items() if name not in OF_MODELS}
# Columns of obs by the names of their files.
OBS = {safe(column): column for column in config["figures"]["obs"]}
if DATASET["cell_type"] is None:
    ABOUT_TYPES = {"cell_type"} | {name for name, about in FIGURES.items() if about}
    if refused := sorted(ABOUT_TYPES & set(MADE or [])):
        raise WorkflowError(
            f"figures.make: {', '.join(refused)}: expected dataset.cell_type, the obs column "
            "of cell types"
        )


wildcard_constraints:
    column=one_of(OBS),


rule figure_choices:
    input:
        "<data>/store.h5ad",
    output:
        "<data>/figure_choices.h5",
    log:
        "<logs>/figure_choices.log",
    benchmark:
        "<benchmarks>/figure_choices.tsv"
    # A gene that is not in the data should be known before the long stages start.
    priority: 100
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=0.5, gene=0.5),
        runtime=10,
    params:
        chosen=settings("figures", "genes", "cells", "obs", "without"),
        cell_type=DATASET["cell_type"] if config["figures"]["without"] else None,
    script:
        "../../scripts/figure_choices.py"


include: "figures_states.smk"
include: "figures_abundance.smk"
include: "figures_expression.smk"
include: "figures_diagnostics.smk"


rule figures:
    input:
        per_contrast(
            *(
                f"figures/{name}.{kind}"
                for name, about_types in FIGURES.items()
                if made(name, about_types)
                for kind in ("pdf", "png")
            )
        ),
        rules.plot_cell_type.output if made("cell_type") else [],
        expand(rules.plot_obs.output, column=OBS),
        rules.figure_choices.output,
