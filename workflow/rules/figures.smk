# Figures, each a rule of its own: a setting reruns only the figures it shows in.

FIGURES = [
    "condition",
    "abundance_change",
    "abundance_volcano",
    "direction_bars",
    "expression_volcano",
]


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
        lfc_threshold=config["abundance"]["lfc_threshold"],
        ptp_threshold=config["abundance"]["ptp_threshold"],
        fdr_threshold=config["abundance"]["fdr_threshold"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/plot_abundance_volcano.py"


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


rule figures:
    input:
        per_contrast(*(f"figures/{name}.pdf" for name in FIGURES)),
        per_contrast(*(f"figures/{name}.png" for name in FIGURES)),
        rules.plot_cell_type.output if DATASET["cell_type"] is not None else [],
