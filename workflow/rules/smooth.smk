# Smoothed expression of chosen genes in one population of cells, without a contrast.


rule smooth_cells:
    input:
        "<data>/store.h5ad",
    output:
        "<run>/smooth/{population}/stages/cells.h5",
    log:
        "<logs>/smooth/{population}/smooth_cells.log",
    benchmark:
        "<benchmarks>/smooth/{population}/smooth_cells.tsv"
    # A gene that is missing in the data should stop the run before the long stages.
    priority: 100
    group:
        "annotation"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        smooth=smooth_of,
    script:
        "../../scripts/smooth_cells.py"


rule smooth_expression:
    input:
        store="<data>/store.h5ad",
        cells="<run>/smooth/{population}/stages/cells.h5",
        states="<data>/cell_states.h5",
        embedding="<data>/embedding.h5",
    output:
        "<run>/smooth/{population}/smoothed.h5ad",
    log:
        "<logs>/smooth/{population}/smooth_expression.log",
    benchmark:
        "<benchmarks>/smooth/{population}/smooth_expression.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        **GPU,
        mem_mb=memory(500, cell=12, gene=1, block=24, ranked=True),
        runtime=minutes(20, value=0.2),
    params:
        gp=settings("gp", "kernel", "metric", "sigma", "ls", "ls_factor", "tol", "max_rank"),
        embedding=DATASET["embedding"]["key"],
        command=COMMAND,
    script:
        "../../scripts/smooth_expression.py"


rule smooth:
    input:
        (
            expand("<run>/smooth/{population}/smoothed.h5ad", population=SMOOTH)
            if SMOOTH
            else missing("smooth")
        ),
