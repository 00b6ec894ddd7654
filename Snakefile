from snakemake.utils import min_version

min_version("9.27")


# Not merged with a configuration given on the command line: that one stands alone.
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/cell_states.smk"
include: "workflow/rules/abundance.smk"
include: "workflow/rules/expression.smk"
include: "workflow/rules/significance.smk"
include: "workflow/rules/groups.smk"
include: "workflow/rules/smooth.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/explore.smk"
include: "workflow/rules/enrichment.smk"
include: "workflow/rules/reproduction.smk"
include: "workflow/rules/report.smk"


# Last, since its rules come before others.
if FROM_FILE:

    include: "workflow/rules/kompot.smk"


rule all:
    default_target: True
    input:
        rules.results.input if CONTRASTS else [],
        rules.figures.input if CONTRASTS else [],
        rules.explore.input if CONTRASTS and not FROM_FILE else [],
        rules.smooth.input if SMOOTH else [],
        rules.enrichment.input if CONTRASTS else [],


# All of it, the report, and published numbers beside ours.
rule reproduce:
    input:
        rules.reproduction_page.output,
        rules.all.input,
        rules.report.output,


onsuccess:
    print_summaries()
    print_comparison()
