import numpy as np
import pytest
from scipy import sparse
from statediff.simulate import AGES, LINEAGES, Simulation


@pytest.fixture(scope="module")
def simulation():
    return Simulation(seed=5, cells=3000, genes=600, sample_sd=0.0)


@pytest.fixture(scope="module")
def counts(simulation):
    return sparse.vstack(list(simulation.counts()), format="csr")


def test_the_seed_decides_everything(simulation, counts):
    again = Simulation(seed=5, cells=3000, genes=600, sample_sd=0.0)
    assert again.obs.equals(simulation.obs)
    assert again.var.equals(simulation.var)
    assert (sparse.vstack(list(again.counts())) != counts).nnz == 0
    other = Simulation(seed=6, cells=3000, genes=600, sample_sd=0.0)
    assert (sparse.vstack(list(other.counts())) != counts).nnz > 0


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


def test_planted_changes_show_in_the_counts(simulation, counts):
    obs, var = simulation.obs, simulation.var
    mature = (obs["lineage"] == "Erythroid") & (obs["pseudotime"] > 0.5)
    rates = {
        age: np.asarray(counts[(mature & (obs["Age"] == age)).to_numpy()].mean(axis=0)).ravel()
        for age in ("Young", "Old")
    }
    seen = (rates["Young"] > 0.3) & (rates["Old"] > 0.3)
    found = np.log(rates["Old"][seen] / rates["Young"][seen])
    true = var["true_lfc_Erythroid"].to_numpy()[seen]
    assert np.corrcoef(found, true)[0, 1] > 0.7
    assert np.abs(found[true == 0]).mean() < 0.35


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
