# Removal of what can be made again: first a list, then, by a name of its own, the removal.

# Rules whose files stay: a download would have to come again.
STAYING = [] if "simulate" in SOURCE else ["simulate"]
STAYING = {workflow.modifier.modify_rulename(name) for name in ("download", *STAYING)}


def intermediates(wildcards):
    """Files from job to job that are there, of the contrasts, conditions and populations at hand.

    Only what a rule of this configuration makes, and not what `all` asks for: that would have to
    be made again at once.
    """
    making = [rule for rule in workflow.rules if rule.name not in STAYING]
    asked = {str(path) for path in rules.all.input}
    run = Path(located("<run>"))
    folders = ("data", "conditions/*", "*/stages", "smooth/*/stages")
    found = sorted(str(path) for folder in folders for path in run.glob(f"{folder}/*"))
    found = [path for path in found if path not in asked]
    return [path for path in found if any(rule.is_producer(path) for rule in making)]


def results_there(wildcards):
    """The AnnData that are there, with the conditions of each and whether it has replicates."""
    paths = {name: located(f"<run>/{name}/adata.h5ad") for name in CONTRASTS}
    return {
        paths[name]: (contrast["reference"], contrast["compared"], contrast["sample"] is not None)
        for name, contrast in CONTRASTS.items()
        if Path(paths[name]).is_file()
    }


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
