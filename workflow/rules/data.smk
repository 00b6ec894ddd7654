# From a source (simulated, downloaded or local) to a checked store of the data in use.


rule simulate:
    output:
        "<data>/simulated.h5ad",
    log:
        "<logs>/simulate.log",
    benchmark:
        "<benchmarks>/simulate.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1300, cell=0.5, gene=1, block=60),
        runtime=minutes(10, value=1),
    params:
        simulation=SOURCE.get("simulate"),
    script:
        "../../scripts/simulate.py"


rule download:
    output:
        "<data>/downloaded.h5ad",
    log:
        "<logs>/download.log",
    benchmark:
        "<benchmarks>/download.tsv"
    # Cluster nodes often have no network, and no terminal for the progress bar.
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(200),
        runtime=minutes(240),
    params:
        content=content_of_download(),
        kept=located("<results>/downloads"),
    script:
        "../../scripts/download.py"


rule store:
    input:
        source_file,
    output:
        data="<data>/store.h5ad",
        # The transform of the stored layer to counts per 10,000, or counts if it has none.
        linear="<data>/linear.h5",
    log:
        "<logs>/store.log",
    benchmark:
        "<benchmarks>/store.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(500, cell=1, gene=1, block=20, source=not PREPROCESS),
        runtime=minutes(10, value=0.4),
    params:
        layer=DATASET["layer"],
        counts=DATASET["counts"],
        obsm=kept_coordinates(),
        preprocessed=PREPROCESS is not None,
        modality=MODALITY,
    script:
        "../../scripts/store.py"


rule contrast_cells:
    input:
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
    output:
        "<run>/{contrast}/stages/cells.h5",
    log:
        "<logs>/{contrast}/contrast_cells.log",
    benchmark:
        "<benchmarks>/{contrast}/contrast_cells.tsv"
    # A condition that is missing in the data should stop the run before the long stages.
    priority: 100
    group:
        "annotation"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=1.5, gene=0.5),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
    script:
        "../../scripts/contrast_cells.py"


rule cell_types:
    input:
        "<data>/store.h5ad",
    output:
        "<data>/cell_types.parquet",
    log:
        "<logs>/cell_types.log",
    benchmark:
        "<benchmarks>/cell_types.tsv"
    priority: 100
    group:
        "annotation"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(230, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        column=DATASET["cell_type"],
    script:
        "../../scripts/cell_types.py"
