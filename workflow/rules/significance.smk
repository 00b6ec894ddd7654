# From distances to false discovery rates; nothing here refits a model.


rule null_distances:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        fit="<run>/{contrast}/stages/fit.h5",
    output:
        "<run>/{contrast}/stages/null.h5",
    log:
        "<logs>/{contrast}/null_distances.log",
    benchmark:
        "<benchmarks>/{contrast}/null_distances.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(400, cell=8, gene=2, block=8, ranked=True),
        runtime=minutes(10, value=0.2),
    params:
        noise=config["gp"]["noise"],
        null_genes=config["fdr"]["null_genes"],
        seed=config["fdr"]["seed"],
    script:
        "../../scripts/null_distances.py"


rule block_coordinates:
    input:
        source_file,
    output:
        "<data>/block_coordinates.h5",
    log:
        "<logs>/block_coordinates.log",
    benchmark:
        "<benchmarks>/block_coordinates.tsv"
    # A key that is missing in the data should stop the run before the long stages.
    priority: 100
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(200, cell=1),
        runtime=minutes(10),
    params:
        key=FDR["blocks_from"],
        modality=MODALITY,
    script:
        "../../scripts/block_coordinates.py"


rule blocks:
    input:
        coordinates="<data>/block_coordinates.h5",
        cells="<run>/{contrast}/stages/cells.h5",
    output:
        "<run>/{contrast}/stages/blocks.h5",
    log:
        "<logs>/{contrast}/blocks.log",
    benchmark:
        "<benchmarks>/{contrast}/blocks.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(500, cell=3),
        runtime=minutes(10, cell=60),
    params:
        blocks=settings("fdr", "blocks_from", "block_cells", "seed"),
        # Coordinates that a warning should not recommend.
        harmony=bool(PREPROCESS and PREPROCESS["harmony"]),
    script:
        "../../scripts/blocks.py"


rule residual_test:
    input:
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
        blocks="<run>/{contrast}/stages/blocks.h5",
    output:
        test="<run>/{contrast}/stages/residual.h5",
        effects="<run>/{contrast}/stages/sample_effects.h5",
    log:
        "<logs>/{contrast}/residual_test.log",
    benchmark:
        "<benchmarks>/{contrast}/residual_test.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(300, gene=2, block=30, sums=SUMS, sums_sample=SUMS_SAMPLE),
        runtime=minutes(15, value=0.5),
    params:
        lfc=config["fdr"]["lfc"],
        seed=config["fdr"]["seed"],
    script:
        "../../scripts/residual_test.py"


rule label_distances:
    input:
        store="<data>/store.h5ad",
        cells="<run>/{contrast}/stages/cells.h5",
        blocks="<run>/{contrast}/stages/blocks.h5",
        fit="<run>/{contrast}/stages/fit.h5",
    output:
        "<run>/{contrast}/stages/labels.h5",
    log:
        "<logs>/{contrast}/label_distances.log",
    benchmark:
        "<benchmarks>/{contrast}/label_distances.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(500, cell=10, gene=20, block=24, ranked=True),
        runtime=minutes(20, value=0.5),
    params:
        seed=config["fdr"]["seed"],
    script:
        "../../scripts/label_distances.py"


rule false_discovery:
    input:
        genes=all_chunks("<run>/{contrast}/stages/genes.{scatteritem}.h5"),
        store="<data>/store.h5ad",
        null=null_of,
        external=local(EXTERNAL) if EXTERNAL else [],
    output:
        "<run>/{contrast}/stages/fdr.h5",
    log:
        "<logs>/{contrast}/false_discovery.log",
    benchmark:
        "<benchmarks>/{contrast}/false_discovery.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(220, gene=1),
        runtime=minutes(10),
    params:
        fdr=settings("fdr", "test", "threshold", "gaps"),
        null_genes=FDR["external"]["genes"] if FDR["test"] == "external" else [],
    script:
        "../../scripts/fdr.py"


# Where called genes change.
rule localisation:
    input:
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
        blocks="<run>/{contrast}/stages/blocks.h5",
        residual="<run>/{contrast}/stages/residual.h5",
        effects="<run>/{contrast}/stages/sample_effects.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
    output:
        "<run>/{contrast}/stages/localisation.h5",
    log:
        "<logs>/{contrast}/localisation.log",
    benchmark:
        "<benchmarks>/{contrast}/localisation.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(300, gene=2, block=30, sums=SUMS, sums_sample=SUMS_SAMPLE),
        runtime=minutes(15, value=0.5),
    params:
        lfc=config["fdr"]["lfc"],
    script:
        "../../scripts/localisation.py"


rule fdr:
    input:
        per_contrast("stages/fdr.h5"),
