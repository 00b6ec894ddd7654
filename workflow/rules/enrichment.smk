# Terms enriched among the called genes. No other job depends on this, because it uses servers of
# others; without a provider, no request is sent and nothing is written.

if PROVIDER == "local":

    rule gene_set_files:
        input:
            store="<data>/store.h5ad",
            gmt=[local(path) for path in config["enrichment"]["gmt"]],
        output:
            "<data>/gene_sets.json",
        log:
            "<logs>/gene_set_files.log",
        benchmark:
            "<benchmarks>/gene_set_files.tsv"
        # Files with other gene names should stop the run before the long stages.
        priority: 100
        group:
            "annotation"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(400, gene=0.5),
            runtime=minutes(10),
        params:
            enrichment=settings("enrichment", "background", "genome_genes"),
        script:
            "../../scripts/gene_set_files.py"

    rule local_enrichment:
        input:
            genes="<run>/{contrast}/tables/genes.parquet",
            sets="<data>/gene_sets.json",
        output:
            tsv="<run>/{contrast}/tables/enrichment.tsv",
            parquet="<run>/{contrast}/tables/enrichment.parquet",
            unmapped="<run>/{contrast}/tables/unmapped_genes.tsv",
            info="<run>/{contrast}/tables/enrichment.json",
        log:
            "<logs>/{contrast}/local_enrichment.log",
        benchmark:
            "<benchmarks>/{contrast}/local_enrichment.tsv"
        conda:
            ENVIRONMENT
        threads: 4
        resources:
            mem_mb=memory(600, gene=10),
            runtime=minutes(60),
        params:
            enrichment=settings("enrichment", "background", "genome_genes", "categories"),
            seed=FDR["seed"],
        script:
            "../../scripts/local_enrichment.py"

elif PROVIDER == "string":

    # These jobs run where the network is, on the login node of a cluster. They send one request at a
    # time: within a run by the resource, which the profiles limit, and between runs, machines and
    # data sets by a lock in the folder of all results.
    rule string_enrichment:
        input:
            genes="<run>/{contrast}/tables/genes.parquet",
        output:
            tsv="<run>/{contrast}/tables/enrichment.tsv",
            parquet="<run>/{contrast}/tables/enrichment.parquet",
            unmapped="<run>/{contrast}/tables/unmapped_genes.tsv",
            info="<run>/{contrast}/tables/enrichment.json",
        log:
            "<logs>/{contrast}/string_enrichment.log",
        benchmark:
            "<benchmarks>/{contrast}/string_enrichment.tsv"
        localrule: True
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(300),
            runtime=minutes(60),
            string=1,
        params:
            enrichment=settings(
                "enrichment", "species", "api_url", "background", "genome_genes", "categories"
            ),
            answers=located("<run>/string"),
            turn=located("<results>/string.turn"),
        script:
            "../../scripts/string_enrichment.py"

    rule string_network:
        input:
            "<run>/{contrast}/tables/enrichment.json",
        output:
            shown("<run>/{contrast}/figures/network.svg", "Associations", "Enrichment"),
        log:
            "<logs>/{contrast}/string_network.log",
        benchmark:
            "<benchmarks>/{contrast}/string_network.tsv"
        localrule: True
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(600),
            runtime=minutes(30),
            string=1,
        params:
            contrast=contrast_of,
            enrichment=settings("enrichment", "species", "api_url"),
            answers=located("<run>/string"),
            turn=located("<results>/string.turn"),
        script:
            "../../scripts/string_network.py"


rule enrichment_page:
    input:
        template=workflow.source_path("../report/table.html"),
        columns=workflow.source_path("../report/columns.yaml"),
        table="<run>/{contrast}/tables/enrichment.parquet",
        info="<run>/{contrast}/tables/enrichment.json",
    output:
        shown("<run>/{contrast}/tables/enriched_terms.html", "Table of terms", "Enrichment"),
    log:
        "<logs>/{contrast}/enrichment_page.log",
    benchmark:
        "<benchmarks>/{contrast}/enrichment_page.tsv"
    group:
        "enrichment"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350),
        runtime=minutes(10),
    params:
        table="enrichment",
    script:
        "../../scripts/table_page.py"


rule enrichment:
    input:
        (
            per_contrast(
                *(f"tables/enrichment.{form}" for form in ("tsv", "parquet", "json")),
                "tables/unmapped_genes.tsv",
                "figures/enrichment.pdf",
                *SHOWN_ENRICHMENT,
            )
            if PROVIDER != "none"
            else []
        ),
