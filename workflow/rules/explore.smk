# A page for each contrast, to explore its results in a browser.


rule explore_page:
    input:
        store="<data>/store.h5ad",
        choices="<data>/figure_choices.h5",
        cell_types=cell_types,
        embedding="<data>/embedding.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        abundance="<run>/{contrast}/stages/abundance.h5",
        density="<run>/{contrast}/stages/density.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        localisation=LOCALISED,
        blocks="<run>/{contrast}/stages/blocks.h5" if RESIDUAL else [],
    output:
        "<run>/{contrast}/explore.html",
    log:
        "<logs>/{contrast}/explore_page.log",
    benchmark:
        "<benchmarks>/{contrast}/explore_page.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(700, cell=10, gene=30, ranked=True),
        runtime=minutes(30),
    params:
        colors=lambda wildcards: colors_of(
            contrast_of(wildcards)["column"],
            DATASET["cell_type"],
            *sample_columns(contrast_of(wildcards)),
            *config["figures"]["obs"],
        ),
        dataset=DATASET["name"],
        contrast=contrast_of,
        conventions=config["conventions"],
        embedding=DATASET["embedding"]["key"],
        cell_type=DATASET["cell_type"],
        obs=config["figures"]["obs"],
        point_size=config["figures"]["point_size"],
    script:
        "../../scripts/explore_page.py"


rule explore:
    input:
        per_contrast("explore.html"),
