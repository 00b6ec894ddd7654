# Removal of what can be made again: first a list, then, by a name of its own, the removal.


rule tidy:
    log:
        # Never written: if it were there, Snakemake would call this done.
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
