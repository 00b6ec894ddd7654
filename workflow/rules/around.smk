# Before and after the jobs: the recorded command, the summary on the terminal, removable files.

import shlex

from progress import shorten
from shareable import command_line
from statediff.disk import atomic
from terminal import as_comparison, as_line, as_text, read_usage

# Targets that only print information.
INFORMING = {"plan", "tidy", "tidy_now"}
# With more contrasts than this, the summary of each has one line.
MANY = 5
# File with the command line of the current run.
COMMAND = located("<logs>/command.txt")
# Rules whose files are kept: a download would have to be repeated.
STAYING = [] if "simulate" in SOURCE else ["simulate"]
STAYING = {workflow.modifier.modify_rulename(name) for name in ("download", *STAYING)}
# The target that lists removable files, with the prefix of a module.
LISTING = workflow.modifier.modify_rulename("tidy")

if workflow.is_main_process and workflow.modifier.is_main_snakefile():
    shorten(workflow)


def keep_command():
    """Store the command line of this run for its jobs, which may run on other machines."""
    with atomic(COMMAND) as part:
        part.write_text(command_line(sys.argv[1:]), encoding="utf-8")


def print_summaries():
    """Summary of each contrast that is up to date: one line if there are many, else with its jobs."""
    run = Path(located("<run>"))
    for name in CONTRASTS:
        path = run / name / "summary.json"
        stages = [path.stat().st_mtime for path in (run / name / "stages").glob("*.h5")]
        if path.is_file() and path.stat().st_mtime >= max(stages, default=0):
            summary = json.loads(path.read_text(encoding="utf-8"))
            if len(CONTRASTS) > MANY:
                print(printable(as_line(summary)), flush=True)
            else:
                usage = summary["stages"] | later_usage(run, name)
                print()
                print(printable(as_text(summary, usage, run / name)), flush=True)


def print_comparison():
    """Comparison with published numbers, if it is up to date."""
    run = Path(located("<run>"))
    table = run / "reproduction.tsv"
    genes = [path.stat().st_mtime for path in run.glob("*/tables/genes.parquet")]
    if PUBLISHED and table.is_file() and table.stat().st_mtime >= max(genes, default=0):
        lines = table.read_text(encoding="utf-8").splitlines()
        print(printable(f"\n{as_comparison(lines)}"), flush=True)
        print(f"  why so far at most: {table.with_suffix('.html')}", flush=True)


def later_usage(run, contrast):
    """Seconds and memory of the jobs that present results."""
    presenting = ("adata", "*_table", "*_page", "plot_*", "*_enrichment", "string_network")
    benchmarks = run / "benchmarks" / contrast
    found = sorted(path for pattern in presenting for path in benchmarks.glob(f"{pattern}.tsv"))
    pairs = [(path, run / "logs" / contrast / f"{path.stem}.log") for path in found]
    pairs = [pair for pair in pairs if pair[1].is_file()]
    return read_usage(*zip(*pairs)) if pairs else {}


def intermediates(wildcards):
    """Existing intermediate files of the contrasts, conditions and populations of this run.

    Only what this configuration makes, and not what `all` asks for, which would have to be made
    again at once.
    """
    making = [rule for rule in workflow.rules if rule.name not in STAYING]
    asked = {str(path) for path in rules.all.input}
    run = Path(located("<run>"))
    folders = ("data", "conditions/*", "*/stages", "smooth/*/stages", "paper/panels")
    found = sorted(str(path) for folder in folders for path in run.glob(f"{folder}/*"))
    found = [path for path in found if path not in asked]
    return [path for path in found if any(rule.is_producer(path) for rule in making)]


def removal_command(wildcards):
    """The current command as typed, with the target that removes instead of the one that lists."""
    # Without the interpreter; sys.argv has a module's path where `python -m` started it.
    typed = sys.orig_argv[-len(sys.argv) :]
    if typed.count(LISTING) != 1:
        return f"the same command with {LISTING}_now in place of {LISTING}"
    return shlex.join(f"{LISTING}_now" if word == LISTING else word for word in typed)


def results_there(wildcards):
    """Existing AnnData files, with their conditions and whether they have replicates."""
    paths = {name: located(f"<run>/{name}/adata.h5ad") for name in CONTRASTS}
    return {
        paths[name]: (contrast["reference"], contrast["compared"], bool(sample_columns(contrast)))
        for name, contrast in CONTRASTS.items()
        if Path(paths[name]).is_file()
    }
