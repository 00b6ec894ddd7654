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
        mem_mb=memory(2000, 2),
        runtime=60,
    params:
        noise=config["gp"]["noise"],
        null_genes=config["fdr"]["null_genes"],
        seed=config["fdr"]["seed"],
        device=config["gp"]["device"],
    script:
        "../../scripts/null_distances.py"


rule false_discovery:
    input:
        genes=all_chunks("<run>/{contrast}/stages/genes.{scatteritem}.h5"),
        null="<run>/{contrast}/stages/null.h5",
    output:
        "<run>/{contrast}/stages/fdr.h5",
    log:
        "<logs>/{contrast}/false_discovery.log",
    benchmark:
        "<benchmarks>/{contrast}/false_discovery.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        fdr=settings("fdr", "threshold", "gaps"),
    script:
        "../../scripts/fdr.py"


rule fdr:
    input:
        per_contrast("stages/fdr.h5"),
