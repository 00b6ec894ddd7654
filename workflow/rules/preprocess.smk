# From raw counts to a layer of log expression, principal components and, if requested, Harmony's.

VARIABLE, COMPONENTS = 0, 0
if PREPROCESS:
    VARIABLE, COMPONENTS = PREPROCESS["highly_variable_genes"], PREPROCESS["n_components"]


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
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        # The covariance of the variable genes, and working memory.
        mem_mb=memory(
            500 + 40 * (VARIABLE / 1000) ** 2,
            cell=1 + 0.04 * COMPONENTS,
            gene=1,
            block=60,
            source=True,
        ),
        runtime=minutes(10, cell=20, value=0.4),
    params:
        preprocess=PREPROCESS,
        modality=DATASET["modality"],
    script:
        "../../scripts/preprocess.py"
