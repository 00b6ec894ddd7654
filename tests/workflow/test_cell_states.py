"""Cell states and embedding, also beyond the size at which neighbours become approximate."""

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from statediff.store import read_arrays
from support import CONFIG


@pytest.mark.parametrize("n_cells", [400, 9000])
def test_diffusion_maps_and_umap(tmp_path, snakemake_run, n_cells):
    """Two far groups of cells: no path between them, so that the first maps tell them apart."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], n_cells // 2)
    scores = rng.normal(size=(n_cells, 5)) + 20.0 * group[:, None]
    anndata.AnnData(
        sparse.csr_matrix(rng.poisson(1.0, (n_cells, 3)).astype(np.float32) + 0.5),
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(n_cells)]),
        obsm={"scores": scores},
    ).write_h5ad(tmp_path / "data.h5ad")
    dataset = CONFIG["dataset"] | {
        "layer": None,
        "cell_type": None,
        "cell_states": {"compute": {"from": "scores", "n_components": 4, "knn": 10}},
        "embedding": {"compute": {"from": "scores"}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"dataset": dataset}))
    # UMAP knows no such border.
    targets = ["cell_states", "embedding"] if n_cells < 9000 else ["cell_states"]
    snakemake_run(tmp_path, *targets, configfile=tmp_path / "config.yaml")
    data = tmp_path / "results/tiny/data"
    maps, _ = read_arrays(data / "cell_states.h5")
    assert maps["states"].shape == (n_cells, 4)
    np.testing.assert_allclose(maps["eigenvalues"][:2], 1.0, atol=1e-3)
    within = [maps["states"][group == g][:, :2] for g in (0, 1)]
    spread = max(part.std(axis=0).max() for part in within)
    assert np.linalg.norm(within[0].mean(axis=0) - within[1].mean(axis=0)) > 100 * spread
    if "embedding" in targets:
        umap = read_arrays(data / "embedding.h5", "embedding")[0]["embedding"]
        assert umap.shape == (n_cells, 2)
        assert np.isfinite(umap).all()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("cell_states", "knn", 60),
        ("cell_states", "n_components", 80),
        ("embedding", "n_neighbors", 60),
    ],
)
def test_more_neighbours_than_cells(tmp_path, snakemake_run, section, key, value):
    from support import tiny

    tiny().write_h5ad(tmp_path / "data.h5ad")
    compute = {"from": "DM", key: value}
    dataset = CONFIG["dataset"] | {section: {"key": "new", "compute": compute}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"dataset": dataset}))
    done = snakemake_run(tmp_path, section, configfile=tmp_path / "config.yaml", check=False)
    assert done.returncode != 0
    wanted = f"dataset.{section}.compute.{key}: found {value}, expected fewer than the 60 cells"
    assert wanted in done.stdout
