# Differential abundance: a density per condition, compared at every cell.


rule abundance_density:
    input:
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        "<run>/{contrast}/stages/density.h5",
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
        abundance=settings("abundance", "estimator", "uncertainty"),
        device=config["gp"]["device"],
    script:
        "../../scripts/abundance_density.py"


rule abundance_change:
    input:
        "<run>/{contrast}/stages/density.h5",
    output:
        "<run>/{contrast}/stages/abundance.h5",
    log:
        "<logs>/{contrast}/abundance_change.log",
    benchmark:
        "<benchmarks>/{contrast}/abundance_change.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        lfc_threshold=config["abundance"]["lfc_threshold"],
        ptp_threshold=config["abundance"]["ptp_threshold"],
        fdr_threshold=config["abundance"]["fdr_threshold"],
        ptp_sides=config["abundance"]["ptp_sides"],
    script:
        "../../scripts/abundance_change.py"


rule abundance:
    input:
        per_contrast("stages/abundance.h5"),
