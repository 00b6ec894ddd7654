from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import kstest, linregress
from statediff.simulate import AGES, CELL_DEPTH_SD, LINEAGES, Simulation


@pytest.fixture(scope="module")
def simulation():
    return Simulation(seed=5, cells=3000, genes=600)


@pytest.fixture(scope="module")
def counts(simulation):
    return sparse.vstack(list(simulation.counts()), format="csr")


def test_the_seed_decides_everything(simulation, counts):
    again = Simulation(seed=5, cells=3000, genes=600)
    assert again.obs.equals(simulation.obs)
    assert again.var.equals(simulation.var)
    assert (sparse.vstack(list(again.counts())) != counts).nnz == 0
    small = Simulation(seed=5, cells=500, genes=200)
    (found,) = small.counts()
    for field in ("seed", "sample_sd", "sample_type_sd", "depth_sd"):
        (other,) = replace(small, **{field: 0}).counts()
        assert (other != found).nnz > 0, field


def test_shape_groups_and_replicates(simulation, counts):
    obs = simulation.obs
    assert counts.shape == (3000, 600)
    assert obs["Age"].value_counts().to_dict() == {"Young": 1200, "Old": 1200, "Mid": 600}
    assert obs.groupby("Age", observed=True)["sample"].nunique().tolist() == [4, 4, 4]
    assert len(LINEAGES) >= 4
    assert set(obs["lineage"]) == set(LINEAGES)
    assert set(AGES) == set(obs["Age"])


def test_ages_and_animals_of_unequal_size():
    obs = Simulation(seed=5, cells=1060, shares=[300, 0, 760], samples=3, sample_ratio=5).obs
    assert obs["Age"].value_counts().to_dict() == {"Young": 300, "Old": 760, "Mid": 0}
    cells = obs["sample"].value_counts()
    assert cells.index.nunique() == 6
    for age, total in (("Young", 300), ("Old", 760)):
        expected = total * np.array([1, 3, 5]) / 9
        assert np.abs(cells[[f"{age}_{i}" for i in (1, 2, 3)]] - expected).max() < 5


def test_states_gain_and_lose_cells_as_told(simulation):
    obs = simulation.obs
    for kind, sign in (("HSC", 1), ("B cell", -1)):
        cells = obs[obs["cell_type"] == kind]
        true = cells["true_abundance_lfc"].mean()
        shares = [
            (obs.loc[obs["Age"] == age, "cell_type"] == kind).mean() for age in ("Young", "Old")
        ]
        assert np.sign(true) == sign
        assert np.log(shares[1] / shares[0]) == pytest.approx(true, abs=0.5)


def test_every_kind_of_change_is_planted(simulation):
    kinds = simulation.var["true_change"].value_counts()
    assert kinds.to_dict() == {"none": 540, "global": 20, "lineage": 20, "opposed": 20}
    lfc = simulation.var.filter(like="true_lfc_").to_numpy()
    kind = simulation.var["true_change"].to_numpy()
    assert (lfc[kind == "none"] == 0).all()
    assert (np.ptp(lfc[kind == "global"], axis=1) == 0).all()
    assert ((lfc[kind == "lineage"] != 0).sum(axis=1) == 1).all()
    opposed = lfc[kind == "opposed"]
    assert ((opposed > 0).sum(axis=1) == 1).all()
    assert ((opposed < 0).sum(axis=1) == 1).all()


def test_opposed_genes_have_mean_zero_over_the_cells(simulation):
    obs, var = simulation.obs, simulation.var
    cells = obs[(obs["Age"] != "Mid") & (obs["pseudotime"] > 0.5)]
    lfc = var.loc[var["true_change"] == "opposed"].filter(like="true_lfc_").to_numpy()
    shares = cells["lineage"].value_counts().reindex(LINEAGES).to_numpy() / len(cells)
    assert np.abs(lfc @ shares).max() < 0.15 * np.abs(lfc).mean()


def test_the_recorded_change_of_expression_is_that_of_the_counts():
    """With many animals, whose effects then average out; per count of an unchanged gene."""
    simulation = Simulation(
        2, 6000, shares=(1, 0, 1), genes=300, samples=50, changed=0.5, counts_per_cell=20_000
    )
    obs, var = simulation.obs, simulation.var
    counts = sparse.vstack(list(simulation.counts()), format="csr")
    unchanged = (var["true_change"] == "none").to_numpy()
    sizes = np.asarray(counts[:, unchanged].sum(axis=1)).ravel()
    mature = (obs["lineage"] == "Erythroid") & (obs["pseudotime"] > 0.5)
    young, old = (
        counts[cells].multiply(1.0 / sizes[cells][:, None]).mean(axis=0)
        for cells in ((mature & (obs["Age"] == age)).to_numpy() for age in ("Young", "Old"))
    )
    true = var["true_lfc_Erythroid"].to_numpy()
    fit = linregress(true, np.log(np.asarray(old / young)).ravel())
    assert fit.slope == pytest.approx(1.0, abs=0.05)
    assert fit.intercept == pytest.approx(0.0, abs=0.05)
    assert fit.rvalue > 0.98


@pytest.fixture(scope="module")
def effects():
    """Log ratios of counts with and without effects of samples, from the same noise of cells.

    Counts are so high that their Poisson noise is small.
    """
    without = Simulation(
        7, 6000, genes=200, samples=10, sample_sd=0.0, sample_type_sd=0.0, depth_sd=0.0,
        counts_per_cell=10_000_000,
    )  # fmt: skip
    reference = np.vstack([block.toarray() for block in without.counts()])

    def ratios(**fields):
        simulation = replace(without, **fields)
        counts = np.vstack([block.toarray() for block in simulation.counts()])
        return simulation.obs, np.log(np.maximum(counts, 1.0) / np.maximum(reference, 1.0))

    return ratios


def test_a_sample_has_its_own_effect_on_each_gene_in_each_cell_type(effects):
    obs, found = effects(sample_type_sd=Simulation.sample_type_sd)
    # Rates are relative to the cell's library: what all genes have in common cancels.
    found -= np.median(found, axis=1, keepdims=True)
    groups = pd.DataFrame(found).groupby([obs["sample"].to_numpy(), obs["cell_type"].to_numpy()])
    assert groups.std().stack().median() < 0.02
    # Of the cell types that occur in all samples.
    effect = groups.median().stack().unstack(1).dropna(axis=1)
    assert effect.shape[1] >= 6
    assert effect.to_numpy().std() == pytest.approx(0.1, rel=0.03)
    assert kstest(effect.to_numpy().ravel() / 0.1, "norm").statistic < 0.02
    # Independent between the cell types of a sample, and between the samples of a type.
    assert np.abs(np.tril(effect.corr(), -1)).max() < 0.04
    between = effect.stack().unstack(0).corr().to_numpy()
    assert np.abs(np.tril(between, -1)).max() < 0.1
    # A cell type's mean over all samples: nothing that they share.
    mean = effect.groupby(level=1).mean().to_numpy()
    assert mean.std() == pytest.approx(0.1 / np.sqrt(30), rel=0.1)


def test_an_effect_of_a_sample_is_the_same_in_all_its_cell_types(effects):
    obs, found = effects(sample_sd=0.3)
    found -= np.median(found, axis=1, keepdims=True)
    of_sample = pd.DataFrame(found).groupby(obs["sample"].to_numpy())
    assert of_sample.std().stack().median() < 0.05
    assert of_sample.median().to_numpy().std() == pytest.approx(0.3, rel=0.03)


def test_depth_is_a_factor_of_all_cells_and_genes_of_a_sample(effects):
    obs, found = effects(depth_sd=Simulation.depth_sd)
    of_sample = pd.DataFrame(found).groupby(obs["sample"].to_numpy())
    assert of_sample.std().max().median() < 0.05
    assert np.ptp(of_sample.median(), axis=1).max() < 0.02
    assert np.ptp(of_sample.median().mean(axis=1)) > 0.5


def test_library_sizes_vary_within_and_between_samples():
    simulation = Simulation(8, 6000, genes=200, samples=40, changed=0.0, counts_per_cell=20_000)
    sizes = np.concatenate([np.asarray(b.sum(axis=1)).ravel() for b in simulation.counts()])
    logged = pd.Series(np.log(sizes / 20_000)).groupby(simulation.obs["sample"].to_numpy())
    # Within: those of the libraries and, less, the noise of the genes.
    assert CELL_DEPTH_SD < np.sqrt(logged.var().mean()) < 1.2 * CELL_DEPTH_SD
    assert logged.median().std() == pytest.approx(0.3, abs=3 * 0.3 / np.sqrt(2 * 120))
    # Independent of age.
    means = logged.median()
    ages = [means[means.index.str.startswith(age)].mean() for age in AGES]
    assert np.ptp(ages) < 4 * 0.3 / np.sqrt(40)


def test_blocks_have_a_bounded_number_of_values(monkeypatch):
    monkeypatch.setattr("statediff.simulate.BLOCK_VALUES", 100_000)
    blocks = list(Simulation(seed=1, cells=510, genes=200).counts())
    assert [b.shape[0] for b in blocks] == [500, 10]
    assert all(b.dtype == np.float32 and b.nnz for b in blocks)


def test_programs_are_the_states_that_expression_follows():
    simulation = Simulation(seed=2, cells=300, genes=50, sample_sd=0.0, changed=0.0)
    states, obs = simulation.programs(), simulation.obs
    trunk = (obs["pseudotime"] < 0.35).to_numpy()
    # Lineages part at commitment.
    assert not states[trunk][:, 2:].any()
    assert states[~trunk][:, 2:].any(axis=1).all()
