# Differential expression: one fit of all genes, then their statistics in chunks.


rule expression_fit:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        "<run>/{contrast}/stages/fit.h5",
    log:
        "<logs>/{contrast}/expression_fit.log",
    benchmark:
        "<benchmarks>/{contrast}/expression_fit.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(2000, 3),
        runtime=120,
    params:
        gp=settings("gp", "kernel", "sigma", "ls", "ls_factor", "tol", "max_rank"),
        covariance=config["expression"]["covariance"],
        device=config["gp"]["device"],
    script:
        "../../scripts/expression_fit.py"


rule expression_noise:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        fit="<run>/{contrast}/stages/fit.h5",
    output:
        "<run>/{contrast}/stages/noise.h5",
    log:
        "<logs>/{contrast}/expression_noise.log",
    benchmark:
        "<benchmarks>/{contrast}/expression_noise.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(2000, 3),
        runtime=120,
    script:
        "../../scripts/expression_noise.py"


rule expression_predict:
    input:
        fit="<run>/{contrast}/stages/fit.h5",
        # Noise is weighed at the cells of both conditions.
        cells="<run>/{contrast}/stages/cells.h5" if NOISE else [],
        noise=NOISE,
    output:
        "<run>/{contrast}/stages/genes.{scatteritem}.h5",
    log:
        "<logs>/{contrast}/expression_predict.{scatteritem}.log",
    benchmark:
        "<benchmarks>/{contrast}/expression_predict.{scatteritem}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, 4 if NOISE else 2),
        runtime=600 if NOISE else 60,
    params:
        layers=config["expression"]["layers"],
        device=config["gp"]["device"],
    script:
        "../../scripts/expression_predict.py"


rule expression:
    input:
        expand(
            all_chunks("<run>/{contrast}/stages/genes.{scatteritem}.h5"),
            contrast=CONTRASTS,
        )
        if CONTRASTS
        else missing("contrasts"),
