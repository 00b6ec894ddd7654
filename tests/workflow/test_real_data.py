"""Real data with default settings: what is known of them, and mock conditions without a change.

Small versions of `make evidence-real` (tests/benchmarks/real): one run of the workflow a data set,
whose file has a column for each mock condition.
"""

import anndata
import numpy as np
import pytest
import statediff as sd
from real import runs
from real.data import SETS, halve, level
from real.measures import fold_changes_of_types
from real.runs import Results, Run, contrast
from statediff.store import read_arrays

# Of each data set, the contrast in which no gene changes.
NULLS = {"kang_donors": "half", "embryo_tal1": "half_sample", "airway_cftr": "split"}


def small(real, shuffled=False):
    """The contrast of the data set and a null among its control cells, or random labels.

    These have a run of their own: states are integrated over the columns of all contrasts."""

    def adata():
        made, generator = real.adata.copy(), np.random.default_rng(0)
        control = (made.obs["condition"] == real.control).to_numpy()
        samples = made.obs["sample"].astype(str).to_numpy()
        half = level(halve(samples, generator))
        made.obs["half"] = np.where(control, half, "other")
        first = np.unique(samples[control])[:2]
        made.obs["split"] = np.where(control, level(np.isin(samples, first)), "other")
        made.obs["shuffled"] = level(generator.random(made.n_obs) < 0.5)
        return made

    def contrasts(adata):
        levels = ("condition", real.reference, real.compared)
        grouped = "cell_type" if real.name == "kang_donors" else None
        made = {"whole": contrast(*levels, sample="sample", groups=grouped)}
        made["half"] = contrast("half")
        made["half_sample"] = contrast("half", pair="sample")
        made["split"] = contrast("split", sample="sample", groups="cell_type")
        made["shuffled"] = contrast("shuffled")
        if real.pairs is not None:
            made["paired"] = contrast(*levels, pair=real.pairs)
        kept = {"shuffled"} if shuffled else {"whole", "paired", NULLS[real.name]}
        return {name: entry for name, entry in made.items() if name in kept}

    names = () if shuffled else ("whole", NULLS[real.name])
    names += ("paired",) if real.pairs and not shuffled else ()
    files = [f"results/real/{name}/stages/fdr.h5" for name in names]
    return Run(adata, contrasts, targets=(*files, "abundance"))


def finished(run, folder):
    run.prepare(folder)
    succeeded, _, output = run.run(folder, cores=2)
    assert succeeded, output
    return Results(folder)


@pytest.fixture(scope="session")
def real_runs(shared, tmp_path_factory):
    """Results of a data set, by its name; made when first asked for."""
    if not (shared / "data/real").is_dir():
        pytest.skip(f"no real data: {shared / 'data/real'} is absent")
    made, folder = {}, tmp_path_factory.mktemp("real")

    def results(name, shuffled=False):
        if (name, shuffled) not in made:
            run = small(SETS[name], shuffled)
            made[name, shuffled] = finished(run, folder / f"{name}_{shuffled}")
        return made[name, shuffled]

    return results


def known(results, kind, real, contrast="whole"):
    genes = results.genes(contrast)
    return genes.assign(rank=genes["pvalue"].rank(method="min")).reindex(real.known[kind]).dropna()


def test_interferon_genes_come_first(real_runs):
    results = real_runs("kang_donors")
    assert results.genes("whole")["called"].sum() >= 400
    interferon = known(results, "interferon-stimulated", SETS["kang_donors"])
    assert len(interferon) == 8
    assert interferon["called"].all()
    # Hundreds of genes respond to interferon.
    assert (interferon["rank"] <= 20).sum() >= 6
    assert interferon["rank"].max() <= 100


def test_interferon_genes_lead_among_pairs_of_donors(real_runs):
    """Compared within donors, at least as many genes differ."""
    results = real_runs("kang_donors")
    called = results.genes("paired")["called"].sum()
    assert called >= results.genes("whole")["called"].sum()
    interferon = known(results, "interferon-stimulated", SETS["kang_donors"], "paired")
    assert interferon["called"].all()
    assert (interferon["rank"] <= 20).sum() >= 5


def test_genes_of_the_knock_out_of_tal1(real_runs):
    results = real_runs("embryo_tal1")
    genes = results.genes("whole")
    assert genes["called"].sum() >= 150
    haemoglobins = known(results, "haemoglobins", SETS["embryo_tal1"])
    assert len(haemoglobins) >= 3
    assert haemoglobins["called"].all()
    assert (haemoglobins["mean_lfc"] < 0).all()


def test_the_knocked_out_gene_and_few_beside_it(real_runs):
    genes = real_runs("airway_cftr").genes("whole")
    assert genes.loc["CFTR", "called"]
    assert genes["called"].sum() <= 6


def test_a_notebook_finds_what_the_workflow_finds(real_runs):
    results, real = real_runs("airway_cftr"), SETS["airway_cftr"]
    adata = anndata.read_h5ad(results.results / "data/preprocessed.h5ad")
    states, _ = read_arrays(results.results / "data/cell_states.h5")
    adata.obsm["DM_EigenVectors"] = states["states"]
    adata.uns["DM_EigenValues"] = states["eigenvalues"]
    found = sd.tl.expression(
        adata, "condition", real.reference, real.compared, sample="sample", layer="logged_counts"
    ).set_index("gene")
    expected = results.genes("whole").reindex(found.index)
    assert list(found["is_de"]) == list(expected["called"])
    # How counts were scaled is known there, and recovered here.
    np.testing.assert_allclose(np.log(found["pvalue"]), np.log(expected["pvalue"]), atol=1e-3)
    np.testing.assert_allclose(found["mean_lfc"], expected["mean_lfc"], atol=1e-8)


def test_without_a_change_no_gene_is_called(real_runs):
    genes = [real_runs(name).genes(null) for name, null in NULLS.items()]
    assert np.mean([table["called"].sum() for table in genes]) <= 0.5
    assert 0.03 <= np.mean([(table["pvalue"] < 0.05).mean() for table in genes]) <= 0.07


def test_without_a_change_no_gene_is_called_in_a_cell_type(real_runs):
    _, called = real_runs("airway_cftr").groups("split")
    assert called.shape[1] == 3
    assert called.to_numpy().sum() <= 1


def test_no_blood_without_tal1(real_runs):
    results = real_runs("embryo_tal1")
    cells = results.cells("whole").set_index(results.adata.obs["cell_type"].astype(str))
    progenitors = cells.loc["Blood progenitors 2"]
    assert progenitors["lfc"].mean() <= -3
    assert (progenitors["direction"] < 0).mean() >= 0.8
    assert (cells.loc["Neural crest", "direction"] != 0).mean() <= 0.1


def test_random_labels_change_no_cell(real_runs):
    assert (real_runs("embryo_tal1", shuffled=True).cells("shuffled")["direction"] == 0).all()


def test_fold_changes_by_cell_type(real_runs):
    rows = fold_changes_of_types("ours", SETS["kang_donors"], real_runs("kang_donors"), "whole")
    found = {(row["method"], row["subject"], row["metric"]): row["value"] for row in rows}
    for gene in ("CCL8", "CXCL10"):
        assert found["ours", gene, "monocytes minus lymphocytes"] >= 3
    assert 0.8 <= found["ours", "types", "slope of fold changes"] <= 1.2


def test_half_the_counts_are_no_change(shared, tmp_path):
    if not (shared / "data/real").is_dir():
        pytest.skip(f"no real data: {shared / 'data/real'} is absent")
    run = runs.depth(SETS["kang_donors"], 0)
    results = finished(run, tmp_path)
    for name in results.contrasts:
        genes = results.genes(name)
        assert (genes["pvalue"] < 0.01).mean() <= 0.01
        assert genes["called"].sum() == 0
        assert (results.cells(name)["direction"] != 0).mean() <= 0.01
