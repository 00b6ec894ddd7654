# From raw counts to a layer of log expression, principal components and, if asked, Harmony's.


rule preprocess:
    input:
        raw_file,
    output:
        data="<data>/preprocessed.h5ad",
        record="<data>/preprocessed.json",
    log:
        "<logs>/preprocess.log",
    benchmark:
        "<benchmarks>/preprocess.tsv"
    threads: workers
    conda:
        ENVIRONMENT
    resources:
        # The covariance of the variable genes, and copies of it while it is decomposed.
        mem_mb=memory(500 + 40 * (HIGHLY_VARIABLE / 1000) ** 2, cell=5, gene=1, block=60),
        runtime=minutes(10, cell=20, value=0.5),
    params:
        preprocess=PREPROCESS,
    script:
        "../../scripts/preprocess.py"
