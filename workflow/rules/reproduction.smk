# Comparison of published numbers with those of this run.


rule reproduction:
    input:
        cells=(
            expand("<run>/{contrast}/tables/cells.parquet", contrast=PUBLISHED)
            if PUBLISHED
            else refuse_comparison
        ),
        genes=expand("<run>/{contrast}/tables/genes.parquet", contrast=PUBLISHED),
    output:
        tsv="<run>/reproduction.tsv",
        parquet="<run>/reproduction.parquet",
    log:
        "<logs>/reproduction.log",
    benchmark:
        "<benchmarks>/reproduction.tsv"
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=1, gene=1),
        runtime=minutes(10),
    params:
        published=PUBLISHED,
    script:
        "../../scripts/reproduction.py"


rule reproduction_page:
    input:
        template=workflow.source_path("../report/table.html"),
        columns=workflow.source_path("../report/columns.yaml"),
        table="<run>/reproduction.parquet",
    output:
        shown("<run>/reproduction.html", "Published numbers beside ours", "Tables"),
    log:
        "<logs>/reproduction_page.log",
    benchmark:
        "<benchmarks>/reproduction_page.tsv"
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350),
        runtime=minutes(10),
    params:
        table="reproduction",
        # As many as were printed.
        digits=8,
    script:
        "../../scripts/table_page.py"
