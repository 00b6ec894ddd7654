"""Real data (2,000 PBMCs), run through the workflow: the numbers that kompot 0.8.0 prints."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from statediff.abundance import differential_abundance
from statediff.basis import build_basis
from statediff.density import fit_density
from statediff.expression import Posterior
from statediff.noise import mahalanobis_noise, noise_weights
from statediff.store import read_arrays

RESULTS = "results/kang/ctrl_vs_stim"


@pytest.fixture(scope="module")
def fixed_run(shared, tmp_path_factory, snakemake_run, kang_config):
    """The run with kompot's own length scale, dense layers and groups asked for."""
    directory = tmp_path_factory.mktemp("kang")
    (directory / "shared").symlink_to(shared, target_is_directory=True)
    snakemake_run(
        directory, "results", configfile=[kang_config, kang_config.with_name("kang_parity.yaml")]
    )
    return directory / RESULTS


@pytest.fixture(scope="module")
def fixed_scale(fixed_run):
    return anndata.read_h5ad(fixed_run / "adata.h5ad")


@pytest.fixture(scope="module")
def kang_summary(fixed_run):
    return json.loads((fixed_run / "summary.json").read_text())


@pytest.fixture(scope="module")
def reference(shared):
    return pd.read_csv(shared / "reference/expression.csv", index_col=0)


def test_mahalanobis_distances(fixed_scale, reference):
    found = fixed_scale.var["kompot_de_ctrl_to_stim_mahalanobis"].to_numpy(dtype=float)
    wanted = reference["mahalanobis"].to_numpy()
    relative = np.abs(found - wanted) / wanted
    assert np.median(relative) < 5e-5
    assert relative[wanted > 0.1].max() < 1e-3


def test_mean_log_fold_changes(fixed_scale, reference):
    found = fixed_scale.var["kompot_de_ctrl_to_stim_mean_lfc"]
    assert np.abs(found - reference["mean_lfc"]).max() < 1e-4


def test_local_fdr_and_the_called_genes(fixed_scale, reference):
    found = fixed_scale.var["kompot_de_ctrl_to_stim_mahalanobis_local_fdr"]
    assert np.abs(found - reference["mahalanobis_local_fdr"]).max() < 1e-3
    called = fixed_scale.var["kompot_de_ctrl_to_stim_is_de"]
    assert reference["is_de"].sum() == 487
    assert (called != reference["is_de"]).sum() <= 2


def test_smoothed_layers(fixed_scale, shared):
    with np.load(shared / "reference/smoothed_top50.npz") as wanted:
        genes = wanted["genes"].astype(str)
        layers = {
            "ctrl": "kompot_de_ctrl_smoothed",
            "stim": "kompot_de_stim_smoothed",
            "fold_change": "kompot_de_ctrl_to_stim_fold_change",
        }
        for name, layer in layers.items():
            found = fixed_scale[:, genes].layers[layer]
            np.testing.assert_allclose(found, wanted[name], atol=1e-4)


def test_fold_change_zscores(fixed_scale):
    layers, obs = fixed_scale.layers, fixed_scale.obs
    # Each standard deviation holds 1e-8 once; their sum of squares should hold it once, too.
    variance = obs["kompot_de_ctrl_std"] ** 2 + obs["kompot_de_stim_std"] ** 2 - 1e-8
    wanted = layers["kompot_de_ctrl_to_stim_fold_change"] / np.sqrt(variance.to_numpy())[:, None]
    found = layers["kompot_de_ctrl_to_stim_fold_change_zscores"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_posterior_standard_deviations(fixed_scale, shared):
    wanted = pd.read_csv(shared / "reference/abundance.csv", index_col=0)
    for condition in ("ctrl", "stim"):
        key = f"kompot_de_{condition}_std"
        np.testing.assert_allclose(fixed_scale.obs[key], wanted[key], atol=1e-5)


@pytest.mark.parametrize("name", ["mahalanobis", "mean_lfc"])
def test_groups(fixed_scale, shared, name):
    wanted = pd.read_csv(shared / f"reference/groups_{name}.csv", index_col=0)
    found = fixed_scale.varm[f"kompot_de_ctrl_to_stim_{name}_groups"].loc[wanted.index]
    assert list(found) == list(wanted)
    relative = np.abs(found - wanted).to_numpy() / np.abs(wanted.to_numpy())
    assert np.median(relative) < 5e-4
    assert relative.max() < 2e-2


def test_a_group_with_few_cells_of_a_condition_is_reported(kang_summary):
    assert kang_summary["groups"]["7"]["reference"] == 3
    small = [name for name, group in kang_summary["groups"].items() if group["underrepresented"]]
    assert small == ["7"]


def test_the_tutorials_kernel(kang_directory, kang_config, snakemake_run):
    files = [kang_config, kang_config.with_name("kang_tutorial.yaml")]
    snakemake_run(kang_directory, "expression", configfile=files)
    wanted = pd.read_csv(
        kang_directory / "shared/reference/expression_matern52_linear.csv", index_col=0
    )
    stages = kang_directory / RESULTS / "stages"
    chunks = [read_arrays(stages / f"genes.{i}-of-2.h5")[0] for i in (1, 2)]
    genes = anndata.read_h5ad(kang_directory / "results/kang/data/store.h5ad").var_names
    found = pd.DataFrame(
        {key: np.concatenate([c[key] for c in chunks]) for key in ("mahalanobis", "mean_lfc")},
        index=genes,
    ).loc[wanted.index]
    ratio = found["mahalanobis"] / wanted["mahalanobis_mean_cov"]
    assert np.abs(ratio - 1).max() < 1e-5
    assert np.abs(found["mean_lfc"] - wanted["mean_lfc"]).max() < 1e-6
    std = pd.read_csv(
        kang_directory / "shared/reference/expression_matern52_linear_std.csv", index_col=0
    )
    fit, _ = read_arrays(stages / "fit.h5", "std_reference", "std_compared")
    np.testing.assert_allclose(fit["std_reference"], std["ctrl_std"], atol=1e-6)
    np.testing.assert_allclose(fit["std_compared"], std["stim_std"], atol=1e-6)


def test_replicates(kang_directory, kang_config, snakemake_run):
    files = [kang_config, kang_config.with_name("kang_replicates.yaml")]
    snakemake_run(kang_directory, "expression", "abundance", configfile=files)
    stages = kang_directory / RESULTS / "stages"
    reference = kang_directory / "shared/reference"
    wanted = pd.read_csv(reference / "expression_sample_variance.csv", index_col=0)
    chunks = [read_arrays(stages / f"genes.{i}-of-2.h5")[0] for i in (1, 2)]
    genes = anndata.read_h5ad(kang_directory / "results/kang/data/store.h5ad").var_names
    found = pd.Series(np.concatenate([c["mahalanobis"] for c in chunks]), genes).loc[wanted.index]
    ratio = found / wanted["kompot_de_ctrl_to_stim_mahalanobis_sample_var"]
    assert np.abs(ratio - 1).max() < 1e-3
    wanted = pd.read_csv(reference / "abundance_sample_variance.csv", index_col=0)
    z = read_arrays(stages / "abundance.h5", "lfc_zscore")[0]["lfc_zscore"]
    # Exact neighbours move the change itself; its ratio to the posterior alone is as different.
    key = "kompot_da_ctrl_to_stim_lfc_zscore_sample_var"
    assert np.corrcoef(z, wanted[key])[0, 1] > 0.9


def test_nothing_fixed(kang_directory, kang_config, snakemake_run, reference):
    """Exact neighbours give another length scale in the third digit; the ranking is the same."""
    snakemake_run(kang_directory, "results", configfile=kang_config)
    genes = pd.read_csv(kang_directory / RESULTS / "tables/genes.tsv", sep="\t")
    assert list(genes["gene"][:3]) == ["ISG15", "IFI6", "IFIT3"]
    found = genes.set_index("gene").loc[reference.index, "mahalanobis"]
    assert spearmanr(found, reference["mahalanobis"]).statistic >= 0.9999
    cells = pd.read_csv(kang_directory / RESULTS / "tables/cells.tsv", sep="\t", index_col=0)
    wanted = pd.read_csv(
        kang_directory / "shared/reference/abundance.csv", index_col=0
    )["kompot_da_ctrl_to_stim_lfc_zscore"]  # fmt: skip
    # kompot's neighbours are approximate, which moves its densities.
    assert np.corrcoef(cells["lfc_zscore"], wanted.loc[cells.index])[0, 1] > 0.9


def test_abundance_with_the_published_neighbour_distances(shared):
    adata = anndata.read_h5ad(shared / "data/kang_pbmc.h5ad")
    distances = pd.read_csv(shared / "reference/nn_distances.csv", index_col=0)["nn_distance"]
    wanted = pd.read_csv(shared / "reference/abundance.csv", index_col=0)
    parameters = pd.read_csv(shared / "reference/density_parameters.csv", index_col="condition")
    states = adata.obsm["DM_EigenVectors"]
    log_density, variance = {}, 0.0
    for condition in ("ctrl", "stim"):
        members = (adata.obs["condition"] == condition).to_numpy()
        density = fit_density(
            states[members], distances=distances.to_numpy()[members], uncertainty="diagonal"
        )
        published = parameters.loc[condition]
        assert density.dimension == pytest.approx(published["d"], rel=1e-6)
        assert density.basis.ls == pytest.approx(published["ls"], rel=1e-6)
        assert density.mean == pytest.approx(published["mu"], rel=1e-6)
        phi = density.basis(states)
        log_density[condition] = density(phi)
        variance = variance + density.variance(phi)
        key = f"kompot_da_{condition}_log_density"
        np.testing.assert_allclose(log_density[condition], wanted[key], atol=1e-3)
    result = differential_abundance(log_density["ctrl"], log_density["stim"], variance)
    key = "kompot_da_ctrl_to_stim_lfc_zscore"
    np.testing.assert_allclose(result["lfc_zscore"], wanted[key], atol=1e-2)


def test_empirical_noise_ranks_as_the_published_approximation(shared):
    """kompot approximates; the exact distance is about 32 times its, with other weights."""
    wanted = pd.read_csv(shared / "reference/expression_empirical_variance.csv", index_col=0)
    adata = anndata.read_h5ad(shared / "data/kang_pbmc.h5ad")
    y = adata[:, wanted.index].layers["logged_counts"].tocsr()
    members = [(adata.obs["condition"] == name).to_numpy() for name in ("ctrl", "stim")]
    basis = build_basis(adata.obsm["DM_EigenVectors"], 11.12249493598938)
    phi = basis(adata.obsm["DM_EigenVectors"])
    fits = [Posterior.fit(phi[m].T @ phi[m]) for m in members]
    weights = [fit.weights(phi[m].T @ y[m], 1.0) for fit, m in zip(fits, members, strict=True)]
    noise = noise_weights([(0, y)], phi, members, fits, weights, 1.0)
    found = mahalanobis_noise(phi, fits, noise, weights[1] - weights[0], 1.0)
    published = wanted["kompot_de_ctrl_to_stim_mahalanobis"]
    assert np.corrcoef(found, published)[0, 1] >= 0.999
    assert spearmanr(found, published).statistic >= 0.98
