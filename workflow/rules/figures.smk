# A rule for each entry of figures.yaml: a changed setting redraws only figures that depend on it.


wildcard_constraints:
    column=one_of(OBS),


rule figure_choices:
    input:
        "<data>/store.h5ad",
    output:
        "<data>/figure_choices.h5",
    log:
        "<logs>/figure_choices.log",
    benchmark:
        "<benchmarks>/figure_choices.tsv"
    # A gene that is missing in the data should stop the run before the long stages.
    priority: 100
    group:
        "annotation"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(180, cell=0.5, gene=0.5),
        runtime=minutes(10),
    params:
        chosen=chosen,
        cell_type=lambda wildcards: (
            DATASET["cell_type"] if chosen(wildcards)["without"][1] else None
        ),
    script:
        "../../scripts/figure_choices.py"


for figure_name, figure in REGISTERED.items():
    folder, end = PLACES[figure.get("of", "contrast")]
    memory_needed, time_needed = SIZES[figure.get("size", "cells")]

    rule:
        name:
            f"plot_{figure_name}"
        input:
            **inputs_of_figure(figure),
        output:
            pdf=f"<run>/{folder}figures/{figure_name}{end}.pdf",
            png=shown(
                f"<run>/{folder}figures/{figure_name}{end}.png", figure["title"], figure["section"]
            ),
        log:
            f"<logs>/{folder}plot_{figure_name}{end}.log",
        benchmark:
            f"<benchmarks>/{folder}plot_{figure_name}{end}.tsv"
        group:
            GROUPS.get(figure["section"], "figures")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory_needed,
            runtime=time_needed,
        params:
            **params_of_figure(figure_name, figure),
        # Read when the job runs, after this loop.
        script:
            "../../scripts/plot_{params.figure}.py"

    # For the version of its code, and the report.
    getattr(rules, f"plot_{figure_name}").rule.script = f"../../scripts/plot_{figure_name}.py"


rule figures:
    input:
        per_contrast(
            *(
                f"figures/{name}.{kind}"
                for name in FIGURES
                if made(name)
                for kind in ("pdf", "png")
            )
        ),
        [getattr(rules, f"plot_{name}").output for name in OF_DATASET if made(name)],
        expand("<run>/figures/obs_{column}.{form}", column=OBS, form=("pdf", "png")),
        rules.figure_choices.output,
