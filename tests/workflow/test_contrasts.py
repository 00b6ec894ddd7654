"""Contrasts against one reference: what they share is made once, and a table compares them."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from statediff.store import read_arrays
from support import CONFIG, tiny

RUN = "results/tiny"


def write_config(directory, pairs):
    """Configuration with these (reference, compared) pairs of guides as contrasts."""
    contrasts = {
        f"{a}_vs_{b}": {"column": "guide", "reference": a, "compared": b} for a, b in pairs
    }
    path = directory / f"config{len(pairs)}.yaml"
    path.write_text(yaml.safe_dump(CONFIG | {"contrasts": contrasts}, sort_keys=False))
    return path


def jobs(output):
    """Jobs of a run, as {rule: number}."""
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


@pytest.fixture(scope="module")
def three(tmp_path_factory, snakemake_run):
    """Directory and output of a run with three contrasts against one reference."""
    directory = tmp_path_factory.mktemp("three")
    adata = tiny()
    adata.obs["guide"] = list("abcde") * 12
    # Three genes change in one comparison only.
    logged = adata.layers["logged"].toarray()
    logged[(adata.obs["guide"] == "c").to_numpy(), :3] += 10.0
    adata.layers["logged"] = sparse.csr_matrix(logged)
    adata.write_h5ad(directory / "data.h5ad")
    config = write_config(directory, ["ab", "ac", "ad"])
    done = snakemake_run(directory, "results", configfile=config)
    return directory, done.stdout


@pytest.fixture(scope="module")
def table(three):
    return pd.read_parquet(three[0] / RUN / "contrasts.parquet").set_index("contrast")


def test_what_contrasts_share_is_made_once(three):
    counts = jobs(three[1])
    for rule in ("store", "cell_states", "embedding", "cell_types", "contrast_table"):
        assert counts[rule] == 1, rule
    for rule in ("contrast_cells", "abundance_density", "expression_fit", "summary"):
        assert counts[rule] == 3, rule
    # The reference and three others, instead of two for every contrast.
    assert counts["condition_density"] == 4


def test_contrasts_read_the_shared_density(three):
    run = three[0] / RUN
    (reference,) = run.glob("conditions/a_*/density.h5")
    wanted, described = read_arrays(reference)
    for name in ("a_vs_b", "a_vs_c", "a_vs_d"):
        found, attributes = read_arrays(run / name / "stages/density.h5")
        np.testing.assert_array_equal(found["log_density_reference"], wanted["log_density"])
        assert attributes["ls_reference"] == described["ls"]
    compared, _ = read_arrays(*run.glob("conditions/d_*/density.h5"))
    np.testing.assert_array_equal(found["variance"], wanted["variance"] + compared["variance"])


def test_the_table_holds_what_the_summaries_and_gene_tables_say(three, table):
    assert list(table.index) == ["a_vs_b", "a_vs_c", "a_vs_d"]
    for name, row in table.iterrows():
        folder = three[0] / RUN / name
        summary = json.loads((folder / "summary.json").read_text())
        genes = pd.read_parquet(folder / "tables/genes.parquet")
        assert (row["column"], row["reference"], row["compared"]) == ("guide", *name.split("_vs_"))
        assert row["cells_evaluated"] == summary["cells"]["evaluated"] == 60
        assert row["cells_reference"] == row["cells_compared"] == 12
        for key in ("ls", "rank", "genes", "test", "n_de", "n_de_up", "n_de_down"):
            assert row[key] == summary["expression"][key], key
        for direction in ("up", "down"):
            assert row[f"cells_{direction}"] == summary["abundance"][direction]
            assert row[f"cells_{direction}_share"] == summary["abundance"][direction] / 60
        assert row["mahalanobis_max"] == genes["mahalanobis"].max()
        called = genes[genes["is_de"]]
        assert row["top_genes"].split(";") == (list(called["gene"][:5]) or [""])
        threshold = called["mahalanobis"].min()
        assert row["mahalanobis_threshold"] == threshold or called.empty
    assert set(table.loc["a_vs_c", "top_genes"].split(";")) >= {"gene0", "gene1", "gene2"}


def test_tsv_and_parquet_hold_the_same(three, table):
    tsv = pd.read_csv(three[0] / RUN / "contrasts.tsv", sep="\t", index_col="contrast")
    assert list(tsv) == list(table)
    numbers = table.select_dtypes("number")
    np.testing.assert_allclose(tsv[numbers.columns], numbers, rtol=1e-6)


@pytest.mark.parametrize(("fourth", "densities"), [("ae", 1), ("bd", 0)])
def test_another_contrast_runs_its_own_jobs_and_the_table(three, snakemake_run, fourth, densities):
    directory, _ = three
    config = write_config(directory, ["ab", "ac", "ad", fourth])
    output = snakemake_run(directory, "-n", "results", configfile=config).stdout
    assert set(re.findall(r"wildcards: contrast=(\w+)", output)) == {"_vs_".join(fourth)}
    counts = jobs(output)
    assert counts["contrast_table"] == 1
    assert counts.get("condition_density", 0) == densities
    assert not {"store", "cell_states", "embedding", "cell_types"} & set(counts)


def test_many_contrasts_end_in_a_line_each(three, snakemake_run, tmp_path):
    """Those that are up to date; the others were not asked for."""
    directory = shutil.copytree(three[0], tmp_path / "run")
    config = write_config(directory, ["ab", "ac", "ad", "ae", "bc", "bd"])
    output = snakemake_run(directory, "cell_states", "--force", configfile=config).stdout
    assert len(re.findall(r"^tiny · a_vs_[bcd]: \d+ genes up", output, re.M)) == 3
    assert "s over all jobs" not in output
