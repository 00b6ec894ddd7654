"""What a change makes again, and what it leaves alone."""

import re
import shutil

import pytest
import yaml
from support import ROOT

RESULTS = "results/small/young_vs_old"
OF_GENES = {
    "plot_fold_changes",
    "plot_expression_levels",
    "plot_fold_change_dots",
    "plot_sample_expression",
    "plot_gene_panels",
    "plot_expression_along",
}
AFTER_FDR = {
    "false_discovery",
    "adata",
    "gene_table",
    "evaluate",
    "summary",
    "contrast_table",
    "explore_page",
    "plot_expression_volcano",
    "plot_expression_ma",
    "plot_significance",
}
# These show the genes that rank first.
AFTER_FDR |= OF_GENES
CHOSEN = OF_GENES | {
    "explore_page",
    "plot_condition",
    "plot_cell_type",
    "plot_abundance_change",
    "plot_abundance_direction",
    "plot_obs",
}
ON_POINTS = {
    "explore_page",
    "plot_condition",
    "plot_cell_type",
    "plot_obs",
    "plot_abundance_change",
    "plot_abundance_direction",
    "plot_abundance_volcano",
    "plot_expression_volcano",
    "plot_expression_ma",
    "plot_gene_panels",
    "plot_expression_along",
}
AFTER_ABUNDANCE = {
    "abundance_change",
    "explore_page",
    "adata",
    "cell_table",
    "cell_type_table",
    "evaluate",
    "summary",
    "contrast_table",
    "plot_abundance_change",
    "plot_abundance_direction",
    "plot_abundance_volcano",
    "plot_abundance_volcanos",
    "plot_direction_bars",
}


@pytest.fixture(scope="module")
def finished(small_run, tmp_path_factory):
    """A copy, so that no file comes or goes while other tests copy that run."""
    return shutil.copytree(small_run, tmp_path_factory.mktemp("reruns") / "run", symlinks=True)


@pytest.fixture
def planned(finished, snakemake_run, small_config, tmp_path):
    """Jobs that a dry run would start, as {rule: number}, with the configuration changed."""

    def plan(changes=None, directory=finished, **options):
        config = yaml.safe_load(small_config.read_text())
        for key, value in (changes or {}).items():
            section = config
            *path, last = key.split(".")
            for part in path:
                section = section.setdefault(part, {})
            section[last] = value
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        done = snakemake_run(directory, "-n", configfile=path, **options)
        if "Nothing to be done" in done.stdout:
            return {}, done.stdout
        table = done.stdout.split("Job stats:")[-1].split("\n\n")[0]
        jobs = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
        return {k: n for k, n in jobs.items() if k not in ("total", "all")}, done.stdout

    return plan


def test_nothing_changed_nothing_to_do(planned):
    assert planned()[0] == {}


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_results_of_another_place_are_up_to_date(planned, device):
    assert planned({"gp.device": device})[0] == {}


@pytest.fixture
def other_version(tmp_path):
    """A copy of the workflow, to be changed."""
    folder = tmp_path / "other"
    for name in ("workflow", "scripts", "envs", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        (None, set()),
        ("workflow/statediff/plots/fit.py", {"plot_fit"}),
        ("scripts/_enrichment.py", set()),
        # A function that a script imports by way of another script.
        ("workflow/statediff/significance.py", {"null_distances"} | AFTER_FDR),
    ],
)
def test_another_version_makes_again_what_it_changes(planned, other_version, module, jobs):
    if module is not None:
        with (other_version / module).open("a") as file:
            file.write("\n# Changed.\n")
    found, output = planned(snakefile=other_version / "Snakefile")
    assert jobs <= set(found)
    assert not {"simulate", "store", "cell_states", "embedding", "condition_density"} & set(found)
    if len(jobs) < 2:
        assert set(found) == jobs
    else:
        assert "Params have changed since last execution" in output


def test_fdr_threshold(planned):
    jobs, _ = planned({"fdr.threshold": 0.1})
    assert set(jobs) == AFTER_FDR


def test_null_seed_refits_nothing(planned):
    jobs, _ = planned({"fdr.seed": 7})
    assert set(jobs) == {"null_distances"} | AFTER_FDR


@pytest.mark.parametrize(
    ("key", "value", "figures"),
    [
        ("figures.labelled_genes", 3, {"plot_expression_volcano", "plot_expression_ma"}),
        ("figures.point_size", 2.0, ON_POINTS),
        ("figures.genes", ["Gene0001", "Gene0002"], {"figure_choices"} | CHOSEN),
        ("figures.cells", {"sample": "Old_1"}, {"figure_choices"} | CHOSEN),
        ("figures.component", 3, {"plot_expression_along"}),
        ("figures.volcano", "mahalanobis", {"plot_expression_volcano"}),
        ("figures.bars_by", "down", {"plot_direction_bars"}),
        ("figures.colors", {"sample": {"Old_1": "#3366cc"}}, {"plot_obs", "explore_page"}),
        ("figures.percentile", 90, {"plot_fold_changes", "plot_expression_levels"}),
        ("figures.obs", ["lineage"], {"figure_choices"} | CHOSEN),
        ("figures.make", ["condition"], set()),
    ],
)
def test_figure_settings_make_figures_only(planned, key, value, figures):
    jobs, _ = planned({key: value})
    assert set(jobs) == figures


def test_abundance_thresholds_refit_no_density(planned):
    jobs, _ = planned({"abundance.lfc_threshold": 0.5})
    assert set(jobs) == AFTER_ABUNDANCE


def test_another_column_of_cell_types_fits_nothing(planned):
    jobs, _ = planned({"dataset.cell_type": "lineage"})
    assert set(jobs) == {
        "cell_types",
        "cell_table",
        "cell_type_table",
        "explore_page",
        "plot_cell_type",
        "plot_composition",
        "plot_abundance_volcanos",
        "plot_direction_bars",
        "plot_fold_changes",
        "plot_expression_levels",
        "plot_fold_change_dots",
        "plot_sample_expression",
    }


def test_another_embedding_fits_nothing(planned):
    jobs, _ = planned({"dataset.embedding": {"key": "X_umap", "compute": {"from": "X_pca"}}})
    assert not {"store", "cell_states", "expression_fit", "condition_density"} & set(jobs)
    assert "embedding" in jobs


@pytest.mark.parametrize("change", [{"gp.sigma": 1}, {"fdr.gaps": "one"}, {"gp.ls": None}])
def test_saying_what_holds_anyway_changes_nothing(planned, change):
    assert planned(change)[0] == {}


def test_adding_a_contrast_leaves_the_others_alone(planned):
    new = {"column": "sample", "reference": "Young_1", "compared": "Old_1"}
    jobs, output = planned({"contrasts.one_pair": new})
    assert set(re.findall(r"wildcards: contrast=(\w+)", output)) == {"one_pair"}
    shared = {"simulate", "store", "cell_states", "embedding"}
    assert not shared & set(jobs)


def test_groups_refit_nothing(planned):
    jobs, _ = planned({"contrasts.young_vs_old.groups": "cell_type"})
    assert set(jobs) == {
        "group_cells",
        "group_distances",
        "group_discovery",
        "group_table",
        "adata",
        "summary",
        "contrast_table",
    }


def test_a_filter_refits_its_contrast(planned):
    jobs, _ = planned({"contrasts.young_vs_old.cells": {"lineage": "Monocyte"}})
    assert {"contrast_cells", "expression_fit", "condition_density"} <= set(jobs)
    assert not {"store", "cell_states", "embedding"} & set(jobs)


def test_chunk_count_repeats_the_prediction_only(planned):
    jobs, _ = planned({"expression.gene_chunks": 3})
    assert jobs["expression_predict"] == 3
    assert not {"expression_fit", "null_distances", "condition_density"} & set(jobs)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (f"{RESULTS}/figures/condition.pdf", "plot_condition"),
        ("results/small/figures/cell_type.png", "plot_cell_type"),
        ("results/small/contrasts.tsv", "contrast_table"),
        (f"{RESULTS}/tables/cells.parquet", "cell_table"),
        (f"{RESULTS}/adata.h5ad", "adata"),
    ],
)
def test_a_deleted_result_is_made_again_alone(planned, small_copy, path, rule):
    (small_copy / path).unlink()
    jobs, _ = planned(directory=small_copy)
    assert jobs == {rule: 1}


@pytest.mark.parametrize(
    ("path", "rules"),
    [("tables/genes.tsv", {"gene_table"}), ("summary.json", {"summary", "adata"})],
)
def test_what_the_table_of_contrasts_reads_makes_it_again(planned, small_copy, path, rules):
    (small_copy / RESULTS / path).unlink()
    jobs, _ = planned(directory=small_copy)
    assert jobs == dict.fromkeys([*rules, "contrast_table"], 1)


def test_changing_the_fdr_threshold_for_real(small_copy, snakemake_run, small_config):
    """The stages before are not touched, and the stage by its name is enough."""
    fit = small_copy / RESULTS / "stages/fit.h5"
    before = fit.stat().st_mtime_ns
    change = small_copy / "change.yaml"
    change.write_text("fdr: {threshold: 0.5}\n")
    done = snakemake_run(small_copy, "fdr", configfile=[small_config, change])
    assert fit.stat().st_mtime_ns == before
    assert re.search(r"^false_discovery +1$", done.stdout, re.M)
    assert re.search(r"^total +2$", done.stdout, re.M)


def test_a_partial_run_does_not_print_a_stale_summary(small_copy, snakemake_run, small_config):
    change = small_copy / "change.yaml"
    change.write_text("abundance: {lfc_threshold: 0.3}\n")
    done = snakemake_run(small_copy, "abundance", configfile=[small_config, change])
    assert re.search(r"^abundance_change +1$", done.stdout, re.M)
    assert "small · young_vs_old" not in done.stdout


def test_a_run_without_stages_ends_well(small_copy, snakemake_run, small_config):
    """Stages may be deleted to save space: what was made from them stays."""
    for path in (small_copy / RESULTS / "stages").iterdir():
        path.unlink()
    done = snakemake_run(small_copy, "cell_states", "--force", configfile=small_config)
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("cell_states", {"simulate", "store", "cell_states"}),
        (
            "abundance",
            {"condition_density", "abundance_density", "abundance_change"},
        ),
        ("expression", {"expression_fit", "expression_predict"}),
        ("fdr", {"false_discovery", "null_distances"}),
        ("figures", {"plot_condition", "plot_expression_volcano"}),
        ("results", {"adata", "gene_table", "cell_table", "cell_type_table", "summary"}),
    ],
)
def test_stages_can_be_asked_for_by_name(tmp_path, snakemake_run, small_config, target, rules):
    output = snakemake_run(tmp_path, "-n", target, configfile=small_config).stdout
    for rule in rules:
        assert re.search(rf"^{rule} +\d+$", output, re.M), rule
    if target != "figures":
        assert "plot_" not in output
