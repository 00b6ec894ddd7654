"""The calibration benchmark's own machinery, on one small data set."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from calibration import competitors, deseq2, nuisances, ours, report
from calibration.data import Recipe, load, make, save
from calibration.grid import (
    CELLS,
    FEWER_SEEDS,
    GRID,
    NUISANCES,
    POWER,
    POWER_SEEDS,
    SEEDS,
    modules,
    tasks,
)
from calibration.scoring import score, score_abundance, score_expression
from matplotlib.figure import Figure
from scipy import sparse

SMALL = {
    "seed": 1, "cells": 500, "shares": (1, 0, 1), "genes": 250, "samples": 2, "changed": 0.12,
    "expression_lfc": 3.0, "abundance_lfc": 2.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    return make(SMALL, components=5)


def test_a_data_set_is_read_as_it_was_written(dataset, tmp_path):
    save(dataset, tmp_path / "data.h5")
    again = load(tmp_path / "data.h5", SMALL)
    for name, wanted in vars(dataset).items():
        found = getattr(again, name)
        if name in ("counts", "expression"):
            assert (found != wanted).nnz == 0
        else:
            np.testing.assert_array_equal(found, wanted)


def test_samples_that_mix_do_not_count_as_separate(dataset):
    assert dataset.separation == pytest.approx(1.0, abs=0.1)


def test_simple_methods_find_what_is_plain(dataset):
    methods = SimpleNamespace(
        EXPRESSION={"wilcoxon": competitors.wilcoxon},
        ABUNDANCE={"neighbours": competitors.neighbours},
    )
    table = score(dataset, methods, ("expression", "abundance"))
    found = table.set_index(["method", "metric"])["value"]
    assert found["wilcoxon", "recall_global"] > 0.7
    assert found["wilcoxon", "average_precision"] > 0.3  # 0.12 by chance
    assert found["neighbours", "auc"] > 0.65
    assert 0.5 < found["neighbours", "slope"] < 1.5
    assert set(score(dataset, methods, ("abundance",))["method"]) == {"neighbours"}


def test_scores_of_genes_by_hand():
    kinds = np.array(["none", "none", "none", "global", "lineage", "unscored"])
    dataset = SimpleNamespace(kinds=kinds)
    qvalues = np.array([0.01, 0.5, 0.9, 0.02, 0.06, 0.001])
    scores = score_expression(dataset, qvalues / 2, qvalues, -qvalues)
    assert scores["called"] == 2
    assert scores["fdp"] == scores["recall"] == 0.5
    assert scores["below_0.05"] == scores["below_0.01"] == pytest.approx(1 / 3)
    assert scores["below_0.001"] == 0
    assert scores["recall_global"] == 1
    assert scores["recall_lineage"] == 0
    assert scores["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score_expression(dataset, None, np.ones(6), -qvalues)["fdp"] == 0


def test_scores_of_cells_by_hand():
    true = np.array([2.0, 0.0, -2.0, 0.0])
    qvalues = np.array([0.01, 0.2, 0.3, 0.4])
    scores = score_abundance(SimpleNamespace(true_lfc=true), 0.5 * true + 1, 3 * true, qvalues)
    assert scores["called"] == 0.25
    assert scores["slope"] == pytest.approx(0.5)
    assert scores["auc"] == 1
    assert scores["z_95"] == 6
    assert scores["any_called"] == 1
    assert scores["power"] == 0.5
    assert scores["false_calls"] == 0
    # A change of 0.6: half of it, not 1, tells which cells are to be found.
    small = SimpleNamespace(true_lfc=0.3 * true)
    scores = score_abundance(small, true, None, np.array([0.01, 0.01, 0.5, 0.5]))
    assert scores["auc"] == 1
    assert scores["power"] == scores["false_calls"] == 0.5
    unchanged = SimpleNamespace(true_lfc=np.zeros(4))
    assert score_abundance(unchanged, true, None, None) == {}


@pytest.fixture(scope="module")
def cells():
    """Table of 600 cells of six samples, and Poisson counts of 40 genes with a mean of 5."""
    sample = np.repeat([f"{age}_{i}" for age in ("Old", "Young") for i in (1, 2, 3)], 100)
    obs = pd.DataFrame({"sample": pd.Categorical(sample)})
    obs["Age"] = obs["sample"].str.partition("_")[0]
    return obs, _csr(np.random.default_rng(0).poisson(5.0, (600, 40)))


def _csr(values):
    return sparse.csr_matrix(values.astype(np.float32))


def _by_condition(name, cells):
    """Mean of each gene in the reference and in the compared condition after a nuisance."""
    obs, counts = cells
    found = nuisances.NUISANCES[name](counts, obs, np.random.default_rng(1))
    assert sparse.issparse(found)
    assert found.shape == counts.shape
    assert (found.data > 0).all()
    assert (found.data == np.round(found.data)).all()
    dense = found.toarray()
    return dense[300:].mean(axis=0), dense[:300].mean(axis=0), dense


def test_depth_changes_by_condition(cells):
    for name, ratio in (("depth_by_condition", 2.0), ("global_shift", 1.3)):
        young, old, _ = _by_condition(name, cells)
        assert old.mean() == pytest.approx(5, rel=0.02)
        assert young.mean() == pytest.approx(5 / ratio, rel=0.02)


def test_ambient_rna_pulls_cells_to_the_mean_profile(cells):
    obs, _ = cells
    # Every cell expresses one of two genes.
    counts = np.zeros((600, 2))
    counts[np.arange(600), np.arange(600) % 2] = 100
    young, old, dense = _by_condition("ambient_by_condition", (obs, _csr(counts)))
    assert dense[300:].min(axis=1).max() == 0
    # Of the 10 %, half is of the cell's own gene.
    assert dense[:300].min(axis=1).mean() == pytest.approx(5, rel=0.1)
    np.testing.assert_allclose([young.sum(), old.sum()], 100, rtol=0.02)
    _, _, dense = _by_condition("ambient_by_sample", (obs, _csr(counts)))
    shares = dense.min(axis=1).reshape(6, 100).mean(axis=1) / 50
    assert len(np.unique(shares.round(2))) > 3
    assert shares.max() < 0.23


def test_doublets_are_sums_of_two_cells(cells):
    for name, conditions in (("doublets", 2), ("doublets_by_condition", 1)):
        _, _, dense = _by_condition(name, cells)
        doubled = (dense != cells[1].toarray()).any(axis=1)
        assert 0.02 < doubled.sum() / (300 * conditions) < 0.09
        assert doubled[300:].any() == (conditions == 2)
        assert dense[doubled].mean() == pytest.approx(10, rel=0.05)


def test_heavy_tails_keep_most_of_the_mean_and_spread_the_counts(cells):
    young, old, dense = _by_condition("heavy_tails", cells)
    np.testing.assert_allclose([young.mean(), old.mean()], 5, rtol=0.1)
    assert dense.var(axis=0).min() > 2 * cells[1].toarray().var(axis=0).max()
    assert dense.max() > 40


def test_effects_of_samples_and_batches(cells):
    obs, _ = cells
    counts = _csr(np.full((600, 400), 200.0))
    _, _, dense = _by_condition("shared_factor", (obs, counts))
    effects = np.log(dense.reshape(6, 100, 400).mean(axis=1))
    effects -= effects.mean(axis=0)
    moved = effects.std(axis=0) > 0.02
    assert 0.05 < moved.mean() < 0.15
    # One factor: the moved genes are collinear.
    assert np.abs(np.corrcoef(effects[:, moved].T)).min() > 0.9
    _, _, dense = _by_condition("batches", (obs, counts))
    effects = np.log(dense.reshape(6, 100, 400).mean(axis=1))
    batch = nuisances.batch_of(obs).reshape(6, 100)[:, 0]
    np.testing.assert_array_equal(batch, [0, 1, 1] * 2)
    assert np.ptp(effects[batch == 0], axis=0).max() < 0.05
    assert (effects[1] - effects[0]).std() == pytest.approx(0.2 * np.sqrt(2), rel=0.15)


def test_changes_that_are_not_scored(cells):
    young, old, dense = _by_condition("dominant_gene", cells)
    assert (old / old.sum())[0] == pytest.approx(0.2 + 0.8 / 40, rel=0.05)
    assert (young / young.sum())[0] == pytest.approx(1 / 40, rel=0.1)
    assert dense[:300].sum() == pytest.approx(dense[300:].sum(), rel=0.02)
    young, old, _ = _by_condition("cell_cycle", cells)
    # Two of 40 genes, at 1/3 in 90 % and in 60 % of the cells.
    np.testing.assert_allclose(young[:2] / 5, 1 - 0.9 * 2 / 3, rtol=0.15)
    np.testing.assert_allclose(old[:2] / 5, 1 - 0.6 * 2 / 3, rtol=0.15)
    np.testing.assert_allclose([young[2:].mean(), old[2:].mean()], 5, rtol=0.02)
    kinds = np.arange(40)
    assert len(kinds[nuisances.unscored("dominant_gene", 40)]) == 1
    assert len(kinds[nuisances.unscored("cell_cycle", 40)]) == 2
    assert len(kinds[nuisances.unscored("doublets", 40)]) == 0


def test_a_type_of_cells_is_thinned_in_the_reference():
    fields = SMALL | {"cells": 20_000, "abundance_lfc": 0.0, "fewer": ("HSC", 0.25)}
    obs = Recipe.of(fields).obs
    stem, old = obs["cell_type"] == "HSC", obs["Age"] == "Old"
    change = np.log(stem[old].mean() / stem[~old].mean())
    true = obs["true_abundance_lfc"]
    assert true[stem].iloc[0] == pytest.approx(change, abs=0.1)
    assert true[~stem].iloc[0] == pytest.approx(true[stem].iloc[0] - np.log(4))
    sizes = Recipe.of(SMALL | {"cells": 6000, "samples": 3, "sizes": (1, 2, 6)}).obs["sample"]
    assert sizes.value_counts()["Old_3"] == pytest.approx(1000)
    assert sizes.value_counts()["Old_1"] == pytest.approx(1000 / 6, rel=0.25)


def test_pairs_and_batches_are_part_of_the_design():
    paired = make(SMALL | {"donor_sd": 0.2, "paired": True}, components=5)
    np.testing.assert_array_equal(ours.design_of(paired).pairs, [0, 1, 0, 1])
    _, metadata = competitors._pseudobulk(paired)
    assert list(metadata) == ["pair", "condition"]
    batched = make(SMALL | {"nuisance": "batches"}, components=5)
    np.testing.assert_array_equal(ours.design_of(batched).covariates[:, 0], [0, 1, 0, 1])
    _, metadata = competitors._pseudobulk(batched)
    assert list(metadata) == ["covariate0", "condition"]
    assert ours.design_of(make(SMALL, components=5)).adjusted is None


def test_genes_without_counts_are_not_given_to_deseq2(monkeypatch):
    counts = pd.DataFrame(np.repeat([[20, 9, 10]], 4, axis=0))
    metadata = pd.DataFrame({"condition": ["compared", "reference"] * 2})
    given = lambda counts, metadata: (np.full(counts.shape[1], 0.1),) * 2  # noqa: E731
    monkeypatch.setattr(deseq2, "_test_deseq2", given)
    np.testing.assert_array_equal(deseq2.prefiltered(counts, metadata)[0], [0.1, np.nan, 0.1])


def test_a_weighted_fdr_is_that_of_benjamini_and_hochberg_where_the_weights_are_equal():
    pvalues = np.random.default_rng(0).uniform(size=50) ** 3
    from scipy.stats import false_discovery_control

    np.testing.assert_allclose(
        competitors._weighted_fdr(pvalues, np.full(50, 2.0)), false_discovery_control(pvalues)
    )


def test_the_grid_holds_what_is_asked_of_it():
    planned = ((CELLS, SEEDS), (NUISANCES, FEWER_SEEDS), (POWER, POWER_SEEDS))
    assert len(GRID) == sum(len(settings) * len(seeds) for settings, seeds in planned)
    grid = [fields for name, fields in GRID.items() if name.rpartition("_s")[0] in CELLS]
    assert {cell["sample_sd"] for cell in CELLS.values()} == {0, 0.05, 0.1, 0.2}
    # The sample effect is the only difference between samples of a condition.
    assert {(fields["sample_type_sd"], fields["depth_sd"]) for fields in grid} == {(0, 0)}
    for part in ({"sizes": "unequal"}, {"strength": "weak"}, {"strength": "none"}):
        ((key, value),) = part.items()
        assert any(cell[key] == value for cell in CELLS.values())
    for fields in GRID.values():
        Recipe.of(fields)
    assert all("ours" in modules(dataset) for dataset in GRID)
    assert {dataset.split("_x")[0] for dataset in GRID if "expression" not in tasks(dataset)} == {
        "hsc",
        "monocyte",
    }
    assert report.NUISANCE_LABELS.keys() == {report.REFERENCE, *NUISANCES}


def test_the_document_says_which_method_misses_its_target(tmp_path):
    header = "dataset\tseparation\ttask\tmethod\tmetric\tvalue\n"
    grid = [dataset for dataset in GRID if dataset.rpartition("_s")[0] in CELLS]
    rows = [
        f"{dataset}\t1.0\texpression\t{method}\t{metric}\t{value}\n"
        for dataset in grid
        for method, fdp in (("wilcoxon", 0.4), ("genes", 0.02))
        for metric, value in (("fdp", fdp), ("recall", 0.5), ("average_precision", 0.6),
                              ("seconds", 1.0))
    ]  # fmt: skip
    rows += [
        f"{dataset}\t1.0\tabundance\tmilo\t{metric}\t{value}\n"
        for dataset in grid
        for metric, value in (("called", 0.01), ("auc", 0.9), ("slope", 1.0), ("seconds", 1.0))
    ]
    for nuisance, fdp in (("doublets_by_condition", 0.3), ("pairs", 0.02)):
        for method in ("residual", "wilcoxon"):
            rows += [f"{nuisance}_s1\t1.0\texpression\t{method}\tfdp\t{fdp}\n"]
    rows += ["hsc_x2_s1\t1.0\tabundance\tmilo\tpower\t0.75\n"]
    (tmp_path / "part.tsv").write_text(header + "".join(rows))
    (tmp_path / "empty.tsv").write_text(header)
    (tmp_path / "images").mkdir()
    scores = report.gather([tmp_path / "empty.tsv", tmp_path / "part.tsv"])
    report.write(scores, tmp_path)
    text = (tmp_path / "calibration.md").read_text()
    assert "| Wilcoxon, all cells | 0.400 | 0.400 ✗ |" in text
    assert "| published null | 0.020 | 0.020 ✓ |" in text
    assert "exceeds 0.06 with 1 of 2 nuisances:" in text
    assert "| doublets in one condition (5 %) | 0.30 | no method | scDblFinder or Scrublet" in text
    assert "SoupX" not in text
    assert "| HSC × 2 | 0.75 |" in text
    assert isinstance(report.draw(scores, "expression"), Figure)
    for image in ("calibration", "calibration_abundance"):
        assert (tmp_path / f"images/{image}.png").stat().st_size > 10_000
