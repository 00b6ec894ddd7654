# Figures of differential abundance.


rule plot_abundance_change:
    input:
        abundance="<run>/{contrast}/stages/abundance.h5",
        embedding="<data>/embedding.h5",
        choices="<data>/figure_choices.h5",
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        contrast=contrast_of,
        thresholds=settings("abundance", "lfc_threshold", "ptp_threshold", "fdr_threshold"),
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
        order=figure_setting("bars_by"),
    script:
        "../../scripts/plot_direction_bars.py"
