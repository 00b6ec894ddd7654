# Coordinates of the cells: the states all models live on, and an embedding to draw.


rule cell_states:
    input:
        "<data>/store.h5ad",
    output:
        "<data>/cell_states.h5",
    log:
        "<logs>/cell_states.log",
    benchmark:
        "<benchmarks>/cell_states.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(500, cell=20) if STATES["compute"] else memory(200, cell=1),
        runtime=minutes(20, cell=240),
    params:
        states=STATES,
    script:
        "../../scripts/cell_states.py"


rule embedding:
    input:
        source_file,
    output:
        "<data>/embedding.h5",
    log:
        "<logs>/embedding.log",
    benchmark:
        "<benchmarks>/embedding.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(650, cell=20) if DATASET["embedding"]["compute"] else memory(200, cell=1),
        runtime=minutes(20, cell=240),
    params:
        embedding=DATASET["embedding"],
    script:
        "../../scripts/embedding.py"
