# The results of a contrast that kompot stored in the source file, instead of the models.


ruleorder: kompot_expression > expression_predict
ruleorder: no_model > expression_fit


if config["abundance"]["estimator"] == "ratio":

    ruleorder: kompot_abundance > abundance_ratio

else:

    ruleorder: kompot_abundance > abundance_density


def refuse_model(wildcards):
    refuse("dataset.results: from_file has no model, which this target needs; expected computed")


rule no_model:
    input:
        refuse_model,
    output:
        "<run>/{contrast}/stages/fit.h5",


rule kompot_abundance:
    input:
        source=source_file,
        # The file is not read: an invalid contrast stops the run before this job.
        cells="<run>/{contrast}/stages/cells.h5",
    output:
        "<run>/{contrast}/stages/density.h5",
    log:
        "<logs>/{contrast}/kompot_abundance.log",
    benchmark:
        "<benchmarks>/{contrast}/kompot_abundance.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, cell=1),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
        modality=MODALITY,
    script:
        "../../scripts/kompot_abundance.py"


rule kompot_expression:
    input:
        source=source_file,
        cells="<run>/{contrast}/stages/cells.h5",
    output:
        "<run>/{contrast}/stages/genes.{scatteritem}.h5",
    log:
        "<logs>/{contrast}/kompot_expression.{scatteritem}.log",
    benchmark:
        "<benchmarks>/{contrast}/kompot_expression.{scatteritem}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(300, gene=1),
        runtime=minutes(10),
    params:
        contrast=contrast_of,
        modality=MODALITY,
    script:
        "../../scripts/kompot_expression.py"


# The provenance that a summary would contain.
rule provenance_record:
    input:
        store="<data>/store.h5ad",
        fdr="<run>/{contrast}/stages/fdr.h5",
        benchmarks=computing_stages("<benchmarks>", "tsv"),
        logs=computing_stages("<logs>", "log"),
    output:
        "<run>/{contrast}/provenance.json",
    log:
        "<logs>/{contrast}/provenance_record.log",
    benchmark:
        "<benchmarks>/{contrast}/provenance_record.tsv"
    group:
        "tables"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(200),
        runtime=minutes(10),
    params:
        dataset=DATASET["name"],
        contrast=contrast_of,
        conventions=config["conventions"],
        command=COMMAND,
    script:
        "../../scripts/provenance_record.py"
