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
        mem_mb=1500,
        runtime=10,
    params:
        chosen=settings("figures", "genes", "cells", "obs"),
    script:
        "../../scripts/figure_choices.py"


rule plot_cell_type:
    input:
        store="<data>/store.h5ad",
        cell_types="<data>/cell_types.parquet",
        embedding="<data>/embedding.h5",
    output:
        pdf="<run>/figures/cell_type.pdf",
        png=shown("<run>/figures/cell_type.png", "Cell types", "States"),
    log:
        "<logs>/plot_cell_type.log",
    benchmark:
        "<benchmarks>/plot_cell_type.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        embedding=DATASET["embedding"]["key"],
        cell_type=DATASET["cell_type"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_cell_type.py"


rule plot_obs:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        embedding="<data>/embedding.h5",
    output:
        pdf="<run>/figures/obs_{column}.pdf",
        png=shown("<run>/figures/obs_{column}.png", "Annotation {column}", "States"),
    log:
        "<logs>/plot_obs_{column}.log",
    benchmark:
        "<benchmarks>/plot_obs_{column}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        embedding=DATASET["embedding"]["key"],
        column=lambda wildcards: OBS[wildcards.column],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_obs.py"


rule plot_condition:
    input:
        cells="<run>/{contrast}/stages/cells.h5",
        embedding="<data>/embedding.h5",
    output:
        pdf="<run>/{contrast}/figures/condition.pdf",
        png=shown("<run>/{contrast}/figures/condition.png", "Cells of both conditions", "States"),
    log:
        "<logs>/{contrast}/plot_condition.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_condition.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_condition.py"


rule plot_composition:
    input:
        cells="<run>/{contrast}/stages/cells.h5",
        cell_types="<data>/cell_types.parquet",
    output:
        pdf="<run>/{contrast}/figures/composition.pdf",
        png=shown(
            "<run>/{contrast}/figures/composition.png", "Composition of the conditions", "States"
        ),
    log:
        "<logs>/{contrast}/plot_composition.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_composition.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
    script:
        "../../scripts/plot_composition.py"


rule plot_abundance_change:
    input:
        abundance="<run>/{contrast}/stages/abundance.h5",
        embedding="<data>/embedding.h5",
    output:
        pdf="<run>/{contrast}/figures/abundance_change.pdf",
        png=shown(
            "<run>/{contrast}/figures/abundance_change.png",
            "Change of abundance on the embedding",
            "Abundance",
        ),
    log:
        "<logs>/{contrast}/plot_abundance_change.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_abundance_change.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_abundance_change.py"


rule plot_abundance_direction:
    input:
        abundance="<run>/{contrast}/stages/abundance.h5",
        embedding="<data>/embedding.h5",
        choices="<data>/figure_choices.h5",
    output:
        pdf="<run>/{contrast}/figures/abundance_direction.pdf",
        png=shown(
            "<run>/{contrast}/figures/abundance_direction.png",
            "Cells that became fewer and more",
            "Abundance",
        ),
    log:
        "<logs>/{contrast}/plot_abundance_direction.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_abundance_direction.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_abundance_direction.py"


rule plot_abundance_volcano:
    input:
        abundance="<run>/{contrast}/stages/abundance.h5",
    output:
        pdf="<run>/{contrast}/figures/abundance_volcano.pdf",
        png=shown("<run>/{contrast}/figures/abundance_volcano.png", "Volcano of cells", "Abundance"),
    log:
        "<logs>/{contrast}/plot_abundance_volcano.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_abundance_volcano.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        thresholds=settings("abundance", "lfc_threshold", "ptp_threshold", "fdr_threshold"),
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_abundance_volcano.py"


rule plot_abundance_volcanos:
    input:
        abundance="<run>/{contrast}/stages/abundance.h5",
        cell_types="<data>/cell_types.parquet",
    output:
        pdf="<run>/{contrast}/figures/abundance_volcanos.pdf",
        png=shown(
            "<run>/{contrast}/figures/abundance_volcanos.png",
            "Volcano of the cells of each type",
            "Abundance",
        ),
    log:
        "<logs>/{contrast}/plot_abundance_volcanos.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_abundance_volcanos.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        thresholds=settings("abundance", "lfc_threshold", "ptp_threshold", "fdr_threshold"),
    script:
        "../../scripts/plot_abundance_volcanos.py"


rule plot_direction_bars:
    input:
        cell_types=cell_types,
        abundance="<run>/{contrast}/stages/abundance.h5",
    output:
        pdf="<run>/{contrast}/figures/direction_bars.pdf",
        png=shown(
            "<run>/{contrast}/figures/direction_bars.png",
            "Cells up and down in each cell type",
            "Abundance",
        ),
    log:
        "<logs>/{contrast}/plot_direction_bars.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_direction_bars.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
    script:
        "../../scripts/plot_direction_bars.py"


rule plot_expression_volcano:
    input:
        store="<data>/store.h5ad",
        fdr="<run>/{contrast}/stages/fdr.h5",
    output:
        pdf="<run>/{contrast}/figures/expression_volcano.pdf",
        png=shown(
            "<run>/{contrast}/figures/expression_volcano.png", "Volcano of genes", "Expression"
        ),
    log:
        "<logs>/{contrast}/plot_expression_volcano.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_expression_volcano.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
        labelled_genes=config["figures"]["labelled_genes"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_expression_volcano.py"


rule plot_fold_changes:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        cell_types="<data>/cell_types.parquet",
    output:
        pdf="<run>/{contrast}/figures/fold_changes.pdf",
        png=shown(
            "<run>/{contrast}/figures/fold_changes.png",
            "Fold changes over cell types",
            "Expression",
        ),
    log:
        "<logs>/{contrast}/plot_fold_changes.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_fold_changes.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 2),
        runtime=30,
    params:
        contrast=contrast_of,
        most=config["figures"]["heatmap_genes"],
        without=config["figures"]["without"],
    script:
        "../../scripts/plot_fold_changes.py"


rule plot_expression_levels:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        cell_types="<data>/cell_types.parquet",
    output:
        pdf="<run>/{contrast}/figures/expression_levels.pdf",
        png=shown(
            "<run>/{contrast}/figures/expression_levels.png",
            "Expression over cell types",
            "Expression",
        ),
    log:
        "<logs>/{contrast}/plot_expression_levels.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_expression_levels.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 2),
        runtime=30,
    params:
        contrast=contrast_of,
        most=config["figures"]["heatmap_genes"],
        without=config["figures"]["without"],
    script:
        "../../scripts/plot_expression_levels.py"


rule plot_fold_change_dots:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        cell_types="<data>/cell_types.parquet",
    output:
        pdf="<run>/{contrast}/figures/fold_change_dots.pdf",
        png=shown(
            "<run>/{contrast}/figures/fold_change_dots.png",
            "Fold changes and expressing cells",
            "Expression",
        ),
    log:
        "<logs>/{contrast}/plot_fold_change_dots.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_fold_change_dots.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 2),
        runtime=30,
    params:
        contrast=contrast_of,
        most=config["figures"]["heatmap_genes"],
        without=config["figures"]["without"],
    script:
        "../../scripts/plot_fold_change_dots.py"


rule plot_gene_panels:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        embedding="<data>/embedding.h5",
    output:
        pdf="<run>/{contrast}/figures/gene_panels.pdf",
        png=shown(
            "<run>/{contrast}/figures/gene_panels.png", "Genes on the embedding", "Expression"
        ),
    log:
        "<logs>/{contrast}/plot_gene_panels.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_gene_panels.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 2),
        runtime=30,
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        most=config["figures"]["panel_genes"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_gene_panels.py"


rule plot_expression_along:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        pdf="<run>/{contrast}/figures/expression_along.pdf",
        png=shown(
            "<run>/{contrast}/figures/expression_along.png",
            "Genes along the cell states",
            "Expression",
        ),
    log:
        "<logs>/{contrast}/plot_expression_along.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_expression_along.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 2),
        runtime=30,
    params:
        contrast=contrast_of,
        states=STATES["key"],
        component=config["figures"]["component"],
        most=config["figures"]["panel_genes"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_expression_along.py"


rule plot_significance:
    input:
        fdr="<run>/{contrast}/stages/fdr.h5",
    output:
        pdf="<run>/{contrast}/figures/significance.pdf",
        png=shown(
            "<run>/{contrast}/figures/significance.png",
            "Statistics against chance",
            "Significance",
        ),
    log:
        "<logs>/{contrast}/plot_significance.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_significance.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
    script:
        "../../scripts/plot_significance.py"


rule plot_fit:
    input:
        fit="<run>/{contrast}/stages/fit.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        pdf="<run>/{contrast}/figures/fit.pdf",
        png=shown("<run>/{contrast}/figures/fit.png", "The fit", "Significance"),
    log:
        "<logs>/{contrast}/plot_fit.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_fit.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000, 1),
        runtime=30,
    params:
        contrast=contrast_of,
    script:
        "../../scripts/plot_fit.py"


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
