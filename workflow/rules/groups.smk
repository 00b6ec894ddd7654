# Differential expression within groups of cells; the fit is that of the contrast.

GROUPED = [name for name, contrast in CONTRASTS.items() if contrast["groups"] is not None]


rule group_cells:
    input:
        "<data>/store.h5ad",
    output:
        "<run>/{contrast}/stages/groups.h5",
    log:
        "<logs>/{contrast}/group_cells.log",
    benchmark:
        "<benchmarks>/{contrast}/group_cells.tsv"
    # A group that is missing in the data should stop the run before the long stages.
    priority: 110
    group:
        "annotation"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        contrast=groups_of,
    script:
        "../../scripts/group_cells.py"


rule group_distances:
    input:
        fit="<run>/{contrast}/stages/fit.h5",
        null=[] if RESIDUAL else "<run>/{contrast}/stages/null.h5",
        groups="<run>/{contrast}/stages/groups.h5",
        noise=NOISE,
    output:
        "<run>/{contrast}/stages/group_distances.h5",
    log:
        "<logs>/{contrast}/group_distances.log",
    benchmark:
        "<benchmarks>/{contrast}/group_distances.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(400, cell=8, gene=30, ranked=True),
        runtime=minutes(20, cell=60),
    script:
        "../../scripts/group_distances.py"


rule group_test:
    input:
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
        blocks="<run>/{contrast}/stages/blocks.h5",
        groups="<run>/{contrast}/stages/groups.h5",
        residual="<run>/{contrast}/stages/residual.h5",
    output:
        "<run>/{contrast}/stages/group_test.h5",
    log:
        "<logs>/{contrast}/group_test.log",
    benchmark:
        "<benchmarks>/{contrast}/group_test.tsv"
    conda:
        ENVIRONMENT
    threads: workers
    resources:
        mem_mb=memory(300, cell=3, gene=5, block=30, sums=SUMS, sums_sample=SUMS_SAMPLE),
        runtime=minutes(15, value=0.5),
    params:
        blocks=settings("fdr", "block_cells", "seed"),
        lfc=config["fdr"]["lfc"],
    script:
        "../../scripts/group_test.py"


rule group_discovery:
    input:
        distances="<run>/{contrast}/stages/group_distances.h5",
        test="<run>/{contrast}/stages/group_test.h5" if RESIDUAL else [],
    output:
        "<run>/{contrast}/stages/group_fdr.h5",
    log:
        "<logs>/{contrast}/group_discovery.log",
    benchmark:
        "<benchmarks>/{contrast}/group_discovery.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, gene=10),
        runtime=minutes(10),
    params:
        fdr=settings("fdr", "threshold", "gaps"),
    script:
        "../../scripts/group_fdr.py"


rule group_table:
    input:
        store="<data>/store.h5ad",
        groups="<run>/{contrast}/stages/group_fdr.h5",
    output:
        tsv="<run>/{contrast}/tables/gene_groups.tsv",
        parquet="<run>/{contrast}/tables/gene_groups.parquet",
    log:
        "<logs>/{contrast}/group_table.log",
    benchmark:
        "<benchmarks>/{contrast}/group_table.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, gene=20),
        runtime=minutes(10),
    script:
        "../../scripts/group_table.py"


rule groups:
    input:
        expand(
            "<run>/{contrast}/tables/gene_groups.{form}",
            contrast=GROUPED,
            form=["tsv", "parquet"],
        ),
