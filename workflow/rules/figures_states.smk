# Figures of the cell states: where cells lie, and what the conditions are made of.


rule plot_cell_type:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        colors=colors_of(DATASET["cell_type"]),
        embedding=DATASET["embedding"]["key"],
        cell_type=DATASET["cell_type"],
        point_size=figure_setting("point_size"),
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        colors=lambda wildcards: colors_of(OBS[wildcards.column]),
        embedding=DATASET["embedding"]["key"],
        column=lambda wildcards: OBS[wildcards.column],
        point_size=figure_setting("point_size"),
    script:
        "../../scripts/plot_obs.py"


rule plot_condition:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        choices="<data>/figure_choices.h5",
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10, cell=10),
    params:
        colors=colors_of_conditions,
        contrast=contrast_of,
        embedding=DATASET["embedding"]["key"],
        point_size=figure_setting("point_size"),
    script:
        "../../scripts/plot_condition.py"


rule plot_composition:
    input:
        store="<data>/store.h5ad",
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
        mem_mb=memory(340, cell=1.5, gene=0.5),
        runtime=minutes(10),
    params:
        colors=colors_of_conditions,
        contrast=contrast_of,
    script:
        "../../scripts/plot_composition.py"
