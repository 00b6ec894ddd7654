# Pages for a browser, and one report that contains them and the figures.


# Text of the first page of the report; an importing Snakefile can set its own.
if workflow.modifier.is_main_snakefile():

    report: "../report/workflow.rst"


# Settings that the methods page describes, in addition to those of the contrast.
METHODS = ("conventions", "gp", "abundance", "expression", "fdr", "enrichment")


rule gene_page:
    input:
        template=workflow.source_path("../report/table.html"),
        columns=workflow.source_path("../report/columns.yaml"),
        links=workflow.source_path("../report/gene_links.yaml"),
        table="<run>/{contrast}/tables/genes.parquet",
    output:
        shown("<run>/{contrast}/tables/genes.html", "Table of genes", "Tables"),
    log:
        "<logs>/{contrast}/gene_page.log",
    benchmark:
        "<benchmarks>/{contrast}/gene_page.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350, gene=10),
        runtime=minutes(10),
    params:
        table="genes",
        species=config["enrichment"]["species"],
    script:
        "../../scripts/table_page.py"


rule region_page:
    input:
        template=workflow.source_path("../report/table.html"),
        columns=workflow.source_path("../report/columns.yaml"),
        table="<run>/{contrast}/tables/gene_regions.parquet",
    output:
        shown(
            "<run>/{contrast}/tables/gene_regions.html",
            "Table of genes and regions",
            "Tables",
            caption="gene_regions_table",
        ),
    log:
        "<logs>/{contrast}/region_page.log",
    benchmark:
        "<benchmarks>/{contrast}/region_page.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350, gene=30),
        runtime=minutes(10),
    params:
        table="gene_regions",
    script:
        "../../scripts/table_page.py"


rule contrast_page:
    input:
        template=workflow.source_path("../report/table.html"),
        columns=workflow.source_path("../report/columns.yaml"),
        table="<run>/contrasts.parquet",
    output:
        shown("<run>/contrasts.html", "Table of contrasts", "Tables"),
    log:
        "<logs>/contrast_page.log",
    benchmark:
        "<benchmarks>/contrast_page.tsv"
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300),
        runtime=minutes(10),
    params:
        table="contrasts",
    script:
        "../../scripts/table_page.py"


rule methods_page:
    input:
        style=workflow.source_path("../report/page.css"),
        template=workflow.source_path("../report/methods.html"),
        papers=workflow.source_path("../report/papers.yaml"),
        summary="<run>/{contrast}/summary.json",
    output:
        shown("<run>/{contrast}/methods.html", "Methods, versions, papers to cite", "Methods"),
    log:
        "<logs>/{contrast}/methods_page.log",
    benchmark:
        "<benchmarks>/{contrast}/methods_page.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180),
        runtime=minutes(10),
    params:
        settings=lambda wildcards: without_folders(
            {
                "dataset": DATASET,
                "contrasts": {wildcards.contrast: CONTRASTS[wildcards.contrast]},
                **{section: config[section] for section in METHODS},
                # Results do not depend on where they were computed.
                "gp": {key: value for key, value in config["gp"].items() if key != "device"},
            }
        ),
    script:
        "../../scripts/methods_page.py"


rule provenance_page:
    input:
        style=workflow.source_path("../report/page.css"),
        template=workflow.source_path("../report/provenance.html"),
        summary=f"<run>/{{contrast}}/{'provenance' if FROM_FILE else 'summary'}.json",
        adata=[] if FROM_FILE else "<run>/{contrast}/adata.h5ad",
    output:
        shown("<run>/{contrast}/provenance.html", "Provenance, fields still there", "Methods"),
    log:
        "<logs>/{contrast}/provenance_page.log",
    benchmark:
        "<benchmarks>/{contrast}/provenance_page.tsv"
    # Not of the tables, on which the AnnData that it looks at depends.
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180),
        runtime=minutes(10),
    script:
        "../../scripts/provenance_page.py"


rule provenance:
    input:
        per_contrast("provenance.html"),


rule report:
    input:
        rules.contrast_page.output,
        rules.provenance.input,
        rules.reproduction_page.output if PUBLISHED else [],
        per_contrast("tables/genes.html", "methods.html"),
        per_contrast("tables/gene_regions.html") if RESIDUAL else [],
        rules.results.input,
        rules.figures.input,
        # The summary links to them.
        rules.explore.input,
        script=workflow.source_path("../report/results.js"),
        style=workflow.source_path("../report/overview.css"),
        template=workflow.source_path("../report/overview.html"),
        warnings=workflow.source_path("../../docs/warnings.md"),
    output:
        "<run>/report.html",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(250, contrast=100),
        runtime=minutes(60),
    params:
        **AGAIN,
        enrichment=enrichment_there,
        dataset=DATASET["name"],
        contrasts=CONTRASTS,
    script:
        "../../scripts/report.py"
