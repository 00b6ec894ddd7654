# Results for users: AnnData, tables, a summary.

TABLES = ["genes", "cells", "cell_types"] + (["gene_regions"] if RESIDUAL else [])


rule adata:
    input:
        source=source_file,
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        states="<data>/cell_states.h5",
        embedding="<data>/embedding.h5",
        abundance="<run>/{contrast}/stages/abundance.h5",
        density="<run>/{contrast}/stages/density.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        genes=all_chunks("<run>/{contrast}/stages/genes.{scatteritem}.h5"),
        fdr="<run>/{contrast}/stages/fdr.h5",
        groups=where_grouped("<run>/{contrast}/stages/group_fdr.h5"),
        localisation=LOCALISED,
        blocks="<run>/{contrast}/stages/blocks.h5" if RESIDUAL else [],
        cell_types=cell_types if RESIDUAL else [],
        summary="<run>/{contrast}/summary.json",
    output:
        "<run>/{contrast}/adata.h5ad",
    log:
        "<logs>/{contrast}/adata.log",
    benchmark:
        "<benchmarks>/{contrast}/adata.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350, cell=4, gene=10, ranked=True),
        runtime=minutes(10, value=0.2),
    params:
        contrast=contrast_of,
        groups=groups_of,
        layers=config["expression"]["layers"],
        modality=MODALITY,
        embedding=DATASET["embedding"]["key"],
        additional_stats=config["outputs"]["additional_stats"],
        # Recorded in the file.
        settings={
            "states": STATES["key"],
            "layer": DATASET["layer"],
            "conventions": config["conventions"],
            "gp": settings("gp", "kernel", "sigma", "noise", "ls", "ls_factor", "tol", "max_rank"),
            "abundance": config["abundance"],
            "fdr": config["fdr"],
        },
    script:
        "../../scripts/adata.py"


rule gene_table:
    input:
        store="<data>/store.h5ad",
        fdr="<run>/{contrast}/stages/fdr.h5",
        localisation=LOCALISED,
        blocks="<run>/{contrast}/stages/blocks.h5" if RESIDUAL else [],
        cell_types=cell_types if RESIDUAL else [],
    output:
        tsv="<run>/{contrast}/tables/genes.tsv",
        parquet="<run>/{contrast}/tables/genes.parquet",
    log:
        "<logs>/{contrast}/gene_table.log",
    benchmark:
        "<benchmarks>/{contrast}/gene_table.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=0.5, gene=2.5),
        runtime=minutes(10),
    script:
        "../../scripts/gene_table.py"


rule region_table:
    input:
        store="<data>/store.h5ad",
        fdr="<run>/{contrast}/stages/fdr.h5",
        localisation="<run>/{contrast}/stages/localisation.h5",
        blocks="<run>/{contrast}/stages/blocks.h5",
        cell_types=cell_types,
    output:
        tsv="<run>/{contrast}/tables/gene_regions.tsv",
        parquet="<run>/{contrast}/tables/gene_regions.parquet",
    log:
        "<logs>/{contrast}/region_table.log",
    benchmark:
        "<benchmarks>/{contrast}/region_table.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=0.5, gene=5),
        runtime=minutes(10),
    script:
        "../../scripts/region_table.py"


rule cell_table:
    input:
        cell_types=cell_types,
        store="<data>/store.h5ad",
        abundance="<run>/{contrast}/stages/abundance.h5",
        density="<run>/{contrast}/stages/density.h5",
        fit=[] if FROM_FILE else "<run>/{contrast}/stages/fit.h5",
    output:
        tsv="<run>/{contrast}/tables/cells.tsv",
        parquet="<run>/{contrast}/tables/cells.parquet",
    log:
        "<logs>/{contrast}/cell_table.log",
    benchmark:
        "<benchmarks>/{contrast}/cell_table.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=1),
        runtime=minutes(10),
    params:
        column=lambda wildcards: contrast_of(wildcards)["column"],
    script:
        "../../scripts/cell_table.py"


rule cell_type_table:
    input:
        cell_types=cell_types,
        cells="<run>/{contrast}/stages/cells.h5",
        abundance="<run>/{contrast}/stages/abundance.h5",
    output:
        tsv="<run>/{contrast}/tables/cell_types.tsv",
        parquet="<run>/{contrast}/tables/cell_types.parquet",
    log:
        "<logs>/{contrast}/cell_type_table.log",
    benchmark:
        "<benchmarks>/{contrast}/cell_type_table.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=0.5),
        runtime=minutes(10),
    script:
        "../../scripts/cell_type_table.py"


rule evaluate:
    input:
        # The truth is stored in the annotation of the cells and genes in the store.
        truth="<data>/store.h5ad",
        abundance="<run>/{contrast}/stages/abundance.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
    output:
        "<run>/{contrast}/truth.json",
    log:
        "<logs>/{contrast}/evaluate.log",
    benchmark:
        "<benchmarks>/{contrast}/evaluate.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(350, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        lfc_threshold=config["abundance"]["lfc_threshold"],
    script:
        "../../scripts/evaluate.py"


rule summary:
    input:
        truth=truth,
        preprocessed="<data>/preprocessed.json" if PREPROCESS else [],
        store="<data>/store.h5ad",
        linear="<data>/linear.h5",
        cells="<run>/{contrast}/stages/cells.h5",
        abundance="<run>/{contrast}/stages/abundance.h5",
        density="<run>/{contrast}/stages/density.h5",
        fit="<run>/{contrast}/stages/fit.h5",
        fdr="<run>/{contrast}/stages/fdr.h5",
        blocks="<run>/{contrast}/stages/blocks.h5" if BLOCKS else [],
        groups=where_grouped("<run>/{contrast}/stages/groups.h5"),
        group_fdr=where_grouped("<run>/{contrast}/stages/group_fdr.h5"),
        benchmarks=computing_stages("<benchmarks>", "tsv"),
        logs=computing_stages("<logs>", "log"),
    output:
        "<run>/{contrast}/summary.json",
    log:
        "<logs>/{contrast}/summary.log",
    benchmark:
        "<benchmarks>/{contrast}/summary.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180, cell=0.1),
        runtime=minutes(10),
    params:
        dataset=DATASET["name"],
        contrast=contrast_of,
        conventions=config["conventions"],
        noise=config["gp"]["noise"],
        command=COMMAND,
    script:
        "../../scripts/summary.py"


rule contrast_table:
    input:
        summaries=per_contrast("summary.json"),
        genes=per_contrast("tables/genes.parquet"),
    output:
        tsv="<run>/contrasts.tsv",
        parquet="<run>/contrasts.parquet",
    log:
        "<logs>/contrast_table.log",
    benchmark:
        "<benchmarks>/contrast_table.tsv"
    group:
        "overview"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300),
        runtime=minutes(10),
    script:
        "../../scripts/contrast_table.py"


rule omnibus_table:
    input:
        store="<data>/store.h5ad",
        cell_types=cell_types,
        genes=lambda wildcards: expand(
            "<run>/{contrast}/stages/fdr.h5", contrast=FAMILIES[wildcards.family]
        ),
        cells=lambda wildcards: expand(
            "<run>/{contrast}/stages/abundance.h5", contrast=FAMILIES[wildcards.family]
        ),
    output:
        genes="<run>/{family}/omnibus_genes.tsv",
        genes_parquet="<run>/{family}/omnibus_genes.parquet",
        cells="<run>/{family}/omnibus_cells.tsv",
        cells_parquet="<run>/{family}/omnibus_cells.parquet",
    log:
        "<logs>/{family}/omnibus_table.log",
    benchmark:
        "<benchmarks>/{family}/omnibus_table.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=2, gene=5),
        runtime=minutes(10),
    params:
        contrasts=lambda wildcards: FAMILIES[wildcards.family],
        genes=config["fdr"]["threshold"],
        cells=config["abundance"]["fdr_threshold"],
    script:
        "../../scripts/omnibus_table.py"


rule omnibus:
    input:
        expand(
            "<run>/{family}/omnibus_{of}.{form}",
            family=FAMILIES,
            of=("genes", "cells"),
            form=("tsv", "parquet"),
        ),


rule results:
    input:
        rules.omnibus.input,
        [] if FROM_FILE else rules.contrast_table.output,
        per_contrast("provenance.json" if FROM_FILE else "summary.json"),
        [] if FROM_FILE else per_contrast("adata.h5ad"),
        per_contrast(*(f"tables/{name}.tsv" for name in TABLES)),
        per_contrast(*(f"tables/{name}.parquet" for name in TABLES)),
        rules.groups.input,


# Prints the resources that a run would request, rule by rule, without starting jobs.
rule plan:
    log:
        # Never written: if it existed, Snakemake would consider the plan done.
        "<logs>/plan.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **AGAIN,
        target=workflow.modifier.modify_rulename("all"),
    script:
        "../../scripts/plan.py"
