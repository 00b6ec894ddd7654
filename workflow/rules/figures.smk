# Figures, each a rule of its own: a setting reruns only the figures it shows in.

# All figures of a contrast, and the settings that each heeds.
FIGURES = {
    "condition": ["cells", "point_size"],
    "composition": [],
    "abundance_change": ["cells", "point_size"],
    "abundance_direction": ["cells", "point_size"],
    "abundance_volcano": ["point_size"],
    "abundance_volcanos": [],
    "direction_bars": ["bars_by"],
    "expression_volcano": ["volcano", "labelled_genes", "point_size"],
    "fold_changes": ["genes", "heatmap_genes", "without", "percentile"],
    "expression_levels": ["genes", "heatmap_genes", "without", "percentile"],
    "fold_change_dots": ["genes", "heatmap_genes", "without"],
    "gene_regions": ["genes", "heatmap_genes", "without", "percentile"],
    "gene_panels": ["genes", "panel_genes", "point_size"],
    "expression_along": ["genes", "panel_genes", "component", "point_size"],
    "significance": [],
    "fit": [],
}
# Those about cell types, and those that show what only the models know.
OF_TYPES = ["cell_type", "composition", "abundance_volcanos"]
OF_TYPES += ["fold_changes", "expression_levels", "fold_change_dots"]
OF_MODELS = ["fold_changes", "fold_change_dots", "gene_panels", "expression_along", "fit"]
# Why some cannot be drawn.
REFUSED = {}
if FROM_FILE:
    why = "expected dataset.results: computed, since a file of results has no model"
    REFUSED |= dict.fromkeys(OF_MODELS, why)
if not RESIDUAL:
    REFUSED["gene_regions"] = "expected fdr.test: residual, which alone tells where genes change"
if DATASET["cell_type"] is None:
    REFUSED |= dict.fromkeys(OF_TYPES, "expected dataset.cell_type, the obs column of cell types")
for name in sorted(set(REFUSED) & set(MADE or [])):
    raise WorkflowError(f"figures.make: {name}: {REFUSED[name]}")
# Columns of obs by the names of their files.
OBS = {safe(column): column for column in config["figures"]["obs"]}
if alike := set(config["figures"]["obs"]) - set(OBS.values()):
    raise WorkflowError(
        f"figures.obs: found {sorted(alike)}, whose figures would have the names of others; rename "
        "these columns, or leave them out"
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
        mem_mb=memory(180, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        chosen=chosen,
        cell_type=lambda wildcards: (
            DATASET["cell_type"] if chosen(wildcards)["without"][1] else None
        ),
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
                for name in FIGURES
                if made(name)
                for kind in ("pdf", "png")
            )
        ),
        rules.plot_cell_type.output if made("cell_type") else [],
        expand(rules.plot_obs.output, column=OBS),
        rules.figure_choices.output,
