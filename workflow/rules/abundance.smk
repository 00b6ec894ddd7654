# Differential abundance: the densities of both conditions, compared at every cell.


# One density of both conditions that is divided between them, or a density of each condition, which
# contrasts with this condition share.
if config["abundance"]["estimator"] == "ratio":

    rule abundance_ratio:
        input:
            cells="<run>/{contrast}/stages/cells.h5",
            states="<data>/cell_states.h5",
            basis="<run>/{contrast}/stages/basis.h5",
        output:
            "<run>/{contrast}/stages/density.h5",
        log:
            "<logs>/{contrast}/abundance_ratio.log",
        benchmark:
            "<benchmarks>/{contrast}/abundance_ratio.tsv"
        conda:
            ENVIRONMENT
        threads: density_workers
        resources:
            **GPU,
            mem_mb=memory(700, cell=14, ranked=True),
            runtime=minutes(20, cell=120),
        params:
            gp=settings("gp", "ls_factor", "tol", "max_rank"),
        script:
            "../../scripts/abundance_ratio.py"

else:

    rule condition_density:
        input:
            store="<data>/store.h5ad",
            states="<data>/cell_states.h5",
        output:
            "<run>/conditions/{condition}/density.h5",
        log:
            "<logs>/conditions/{condition}/condition_density.log",
        benchmark:
            "<benchmarks>/conditions/{condition}/condition_density.tsv"
        conda:
            ENVIRONMENT
        threads: density_workers
        resources:
            **GPU,
            # Only the annotation of the cells is read from the store.
            mem_mb=memory(700, cell=10, ranked=True),
            runtime=minutes(20, cell=120),
        params:
            condition=lambda wildcards: CONDITIONS[wildcards.condition],
            gp=settings("gp", "metric", "ls_factor", "tol", "max_rank"),
            uncertainty=config["abundance"]["uncertainty"],
        script:
            "../../scripts/condition_density.py"

    rule abundance_density:
        input:
            # The file is not read: an invalid contrast stops the run before this job.
            cells="<run>/{contrast}/stages/cells.h5",
            reference=of_condition("reference", "<run>/conditions/{condition}/density.h5"),
            compared=of_condition("compared", "<run>/conditions/{condition}/density.h5"),
        output:
            "<run>/{contrast}/stages/density.h5",
        log:
            "<logs>/{contrast}/abundance_density.log",
        benchmark:
            "<benchmarks>/{contrast}/abundance_density.tsv"
        group:
            "abundance"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(180, cell=0.5),
            runtime=minutes(10),
        params:
            uncertainty=config["abundance"]["uncertainty"],
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
    group:
        "abundance"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(200, cell=0.5),
        runtime=minutes(10),
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
