# Figures of whether the results can be believed.


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
        mem_mb=memory(340, gene=1),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
    script:
        "../../scripts/plot_significance.py"


rule plot_fit:
    input:
        store="<data>/store.h5ad",
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
        mem_mb=memory(340, cell=2),
        runtime=minutes(10),
    params:
        colors=colors_of_conditions,
        contrast=contrast_of,
    script:
        "../../scripts/plot_fit.py"
