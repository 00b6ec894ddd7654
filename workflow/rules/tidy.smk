# Removal of files that can be regenerated: `tidy` lists them, `tidy_now` removes them.


rule tidy:
    log:
        # Never written: if it existed, Snakemake would consider this done.
        "<logs>/tidy.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **AGAIN,
        files=intermediates,
        results=results_there,
        removing=False,
        removal=removal_command,
        target=workflow.modifier.modify_rulename("all"),
    script:
        "../../scripts/tidy.py"


rule tidy_now:
    log:
        "<logs>/tidy_now.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        files=intermediates,
        results=results_there,
        removing=True,
    script:
        "../../scripts/tidy.py"
