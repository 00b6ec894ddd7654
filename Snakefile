from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")

if not Path(str(workflow.current_basedir)).is_dir():
    raise WorkflowError(
        "module: found snakefile Snakefile of a git repository, expected workflow/Snakefile"
    )


# The configuration of the demo is not merged with one given on the command line.
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/around.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/preprocess.smk"
include: "workflow/rules/cell_states.smk"
include: "workflow/rules/abundance.smk"
include: "workflow/rules/expression.smk"
include: "workflow/rules/significance.smk"
include: "workflow/rules/groups.smk"
include: "workflow/rules/smooth.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/figure_registry.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/explore.smk"
include: "workflow/rules/enrichment.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/reproduction.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/tidy.smk"


# Included last, because its rules take precedence over others.
if FROM_FILE:

    include: "workflow/rules/kompot.smk"


# A job runs again if the code that it needs has changed. Names in the data are not wildcards.
for each in workflow.rules:
    if (source := script_of(each)) and "code" not in each.params.keys():
        for key, value in [*each.params.items()]:
            setattr(each.params, key, as_it_is(value))
        each.set_params(code=version_of(source))


rule all:
    input:
        rules.results.input if CONTRASTS else [],
        rules.figures.input if CONTRASTS else [],
        rules.explore.input if CONTRASTS and not FROM_FILE else [],
        rules.smooth.input if SMOOTH else [],
        rules.enrichment.input if CONTRASTS else [],
        rules.paper.input if PAPER else [],


# All results, the report, and the comparison with published numbers.
rule reproduce:
    input:
        rules.reproduction_page.output,
        rules.all.input,
        rules.report.output,


onstart:
    keep_command()


onsuccess:
    if not INFORMING & {rule.name for rule in workflow.dag.targetrules}:
        print_summaries()
        print_comparison()
