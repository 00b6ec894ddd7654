# Coordinates of the cells: the states on which all models are defined, and an embedding for figures.


rule integration:
    input:
        "<data>/store.h5ad",
    output:
        "<data>/integrated.h5",
    log:
        "<logs>/integration.log",
    benchmark:
        "<benchmarks>/integration.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(600, cell=2),
        runtime=minutes(10, cell=60),
    params:
        key=STATES["compute"]["from"] if STATES["compute"] else None,
        columns=INTEGRATED,
    script:
        "../../scripts/integration.py"


rule cell_states:
    input:
        store="<data>/store.h5ad",
        integrated="<data>/integrated.h5" if INTEGRATED else [],
    output:
        "<data>/cell_states.h5",
    log:
        "<logs>/cell_states.log",
    benchmark:
        "<benchmarks>/cell_states.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(500, cell=6) if STATES["compute"] else memory(200, cell=1),
        runtime=minutes(20, cell=240),
    params:
        states=STATES,
        metric=config["gp"]["metric"],
    script:
        "../../scripts/cell_states.py"


rule embedding:
    input:
        source=source_file,
        integrated=(
            "<data>/integrated.h5"
            if DATASET["embedding"]["compute"]
            and integrated(DATASET["embedding"]["compute"]["from"])
            else []
        ),
    output:
        "<data>/embedding.h5",
    log:
        "<logs>/embedding.log",
    benchmark:
        "<benchmarks>/embedding.tsv"
    # A key that is missing in the data should stop the run before the long stages.
    priority: 0 if DATASET["embedding"]["compute"] else 100
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(650, cell=8) if DATASET["embedding"]["compute"] else memory(200, cell=1),
        runtime=minutes(20, cell=240),
    params:
        embedding=DATASET["embedding"],
        modality=MODALITY,
    script:
        "../../scripts/embedding.py"
