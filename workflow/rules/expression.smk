# Differential expression: one fit of all genes, then their statistics in chunks.


rule basis:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
    output:
        "<run>/{contrast}/stages/basis.h5",
    log:
        "<logs>/{contrast}/basis.log",
    benchmark:
        "<benchmarks>/{contrast}/basis.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        **GPU,
        mem_mb=memory(500, cell=1, ranked=True),
        runtime=minutes(20, cell=60),
    params:
        gp=settings("gp", "kernel", "metric", "sigma", "ls", "ls_factor", "tol", "max_rank"),
    script:
        "../../scripts/basis.py"


rule expression_fit:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
        basis="<run>/{contrast}/stages/basis.h5",
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
        **GPU,
        mem_mb=memory(400, cell=12, gene=20, gene_sample=2, block=16, ranked=True),
        runtime=minutes(20, value=0.5),
    params:
        contrast=levels_of,
        sigma=config["gp"]["sigma"],
        covariance=config["expression"]["covariance"],
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
        mem_mb=memory(500, cell=12, gene=40, block=24, ranked=True),
        runtime=minutes(30, value=2),
    script:
        "../../scripts/expression_noise.py"


rule expression_predict:
    input:
        fit="<run>/{contrast}/stages/fit.h5",
        # Noise is estimated at the cells of both conditions.
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
        # Only layers are large enough for JAX.
        **(GPU if config["expression"]["layers"] else {}),
        mem_mb=memory(
            1000 if NOISE or config["expression"]["layers"] else 280,
            cell=12 if NOISE else 0,
            gene=15,
            gene_sample=0.7,
            ranked=True,
        ),
        runtime=minutes(30, value=20) if NOISE else minutes(10),
    params:
        layers=config["expression"]["layers"],
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
