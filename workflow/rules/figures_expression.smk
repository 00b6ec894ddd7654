# Figures of differential expression: all genes, and single ones.


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
        mem_mb=memory(340, gene=1),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
        height=figure_setting("volcano"),
        labelled_genes=figure_setting("labelled_genes"),
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(500, cell=8, gene=8, ranked=True, block=16),
        runtime=minutes(10, cell=10),
    params:
        contrast=contrast_of,
        most=figure_setting("heatmap_genes"),
        without=figure_setting("without"),
        percentile=figure_setting("percentile"),
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
        mem_mb=memory(500, cell=8, gene=8, ranked=True, block=16),
        runtime=minutes(10, value=0.1),
    params:
        colors=colors_of_conditions,
        contrast=contrast_of,
        most=figure_setting("heatmap_genes"),
        without=figure_setting("without"),
        percentile=figure_setting("percentile"),
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
        mem_mb=memory(500, cell=8, gene=8, ranked=True, block=16),
        runtime=minutes(10, value=0.1),
    params:
        contrast=contrast_of,
        most=figure_setting("heatmap_genes"),
        without=figure_setting("without"),
    script:
        "../../scripts/plot_fold_change_dots.py"


rule plot_gene_regions:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        localisation=LOCALISED,
        blocks="<run>/{contrast}/stages/blocks.h5" if RESIDUAL else [],
        cell_types=cell_types,
    output:
        pdf="<run>/{contrast}/figures/gene_regions.pdf",
        png=shown("<run>/{contrast}/figures/gene_regions.png", "Where genes change", "Expression"),
    log:
        "<logs>/{contrast}/plot_gene_regions.log",
    benchmark:
        "<benchmarks>/{contrast}/plot_gene_regions.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(400, cell=2, gene=5),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
        most=figure_setting("heatmap_genes"),
        without=figure_setting("without"),
        percentile=figure_setting("percentile"),
    script:
        "../../scripts/plot_gene_regions.py"


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
        mem_mb=memory(1500, cell=8, gene=8, ranked=True),
        runtime=minutes(15, cell=10),
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        most=figure_setting("panel_genes"),
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(500, cell=8, gene=8, ranked=True, block=16),
        runtime=minutes(10, value=0.1),
    params:
        colors=colors_of_conditions,
        contrast=contrast_of,
        states=STATES["key"],
        component=figure_setting("component"),
        most=figure_setting("panel_genes"),
        point_size=figure_setting("point_size"),
    script:
        "../../scripts/plot_expression_along.py"
