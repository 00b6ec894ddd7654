# Differential abundance: a density per condition, compared at every cell.


rule abundance_density:
    input:
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        "<run>/{contrast}/stages/abundance.h5",
    log:
        "<logs>/{contrast}/abundance_density.log",
    benchmark:
        "<benchmarks>/{contrast}/abundance_density.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(2000, 20),
        runtime=120,
    params:
        gp=settings("gp", "ls_factor", "tol", "max_rank"),
        abundance=settings(
            "abundance", "lfc_threshold", "ptp_threshold", "ptp_sides", "uncertainty"
        ),
        conventions=config["conventions"],
    script:
        "../../scripts/abundance.py"


rule abundance:
    input:
        per_contrast("stages/abundance.h5"),
