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
    # A group that is not in the data should be known before the long stages start.
    priority: 110
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
        null="<run>/{contrast}/stages/null.h5",
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


rule group_discovery:
    input:
        "<run>/{contrast}/stages/group_distances.h5",
    output:
        "<run>/{contrast}/stages/group_fdr.h5",
    log:
        "<logs>/{contrast}/group_discovery.log",
    benchmark:
        "<benchmarks>/{contrast}/group_discovery.tsv"
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
