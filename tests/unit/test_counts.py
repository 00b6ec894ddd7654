"""What is said of counts that are none, and of batches that are none."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from statediff import InputError, raw_counts
from statediff.preprocess import quality
from statediff.source import open_source

CONFIG = {"highly_variable_genes": 100, "n_components": 3, "batch": None, "harmony": None}


@pytest.fixture
def obs():
    columns = {"sample": list("abc") * 20, "lane": 1, "cell": range(60)}
    table = pd.DataFrame(columns, index=[f"cell{i}" for i in range(60)])
    table["batch"] = table["sample"].where(table.index != "cell7")
    return table


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize(("value", "shown"), [(-2, "-2"), (0.5, "0.5"), (np.nan, "nan"), (3, None)])
def test_what_is_no_count(tmp_path, form, value, shown):
    values = np.array([[1, 0, 2], [0, 0, 5], [0, 4, 0.0]], dtype=np.float32)
    values[2, 1] = value
    anndata.AnnData(form(values)).write_h5ad(tmp_path / "a.h5ad")
    with open_source(tmp_path / "a.h5ad") as source:
        matrix = source.matrix("X", "some.key")
        blocks = raw_counts.count_blocks(matrix, "some.key", ["g0", "g1", "g2"])
        if shown is None:
            np.testing.assert_array_equal(next(blocks)[1].toarray(), values)
        else:
            found = f"some.key: found {shown} in cell row 2, gene 'g1'; expected raw counts"
            with pytest.raises(InputError, match=re.escape(found)):
                list(blocks)


def test_stored_zeros_are_not_found(tmp_path):
    counts = sparse.csr_matrix(np.ones((4, 3), dtype=np.float32))
    counts.data[:5] = 0
    anndata.AnnData(counts).write_h5ad(tmp_path / "a.h5ad")
    with open_source(tmp_path / "a.h5ad") as source:
        matrix = source.matrix("X", "some.key")
        found = quality(raw_counts.count_blocks(matrix, "some.key", list("abc")), 3)
    assert found.genes.tolist() == [0, 1, 3, 3]
    assert found.cells.tolist() == [2, 2, 3]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.eye(5), None),
        (np.diag([1, 1, 0, 1, 1]), "min_counts: 1 cells have no counts (first: 'cell2'); expected"),
        (np.ones((3, 9)), "n_components: found 3, expected fewer than the 3 cells"),
        (np.tile([1, 1, 1, 0, 0], (5, 1)),
         "n_components: found 3, expected fewer than the 3 highly variable genes"),
    ],
)  # fmt: skip
def test_too_little_is_left(obs, counts, message):
    found = quality([(0, sparse.csr_matrix(counts))], counts.shape[1])
    arguments = found, found.cells >= 0, CONFIG, obs.index
    if message is None:
        raw_counts.check_kept(*arguments)
    else:
        with pytest.raises(InputError, match=re.escape(f"dataset.preprocess.{message}")):
            raw_counts.check_kept(*arguments)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("donor", "no obs column 'donor'; there are: sample, lane, cell, batch"),
        ("batch", "1 cells have no value in obs column 'batch'"),
        ("lane", "obs column 'lane' has one level only (1), expected two batches or more"),
        ("cell", "obs column 'cell' has 60 levels for 60 cells, expected batches of at least 10"),
    ],
)
def test_what_is_no_batch(obs, column, message):
    keys = {
        "batch": {"batch": column},
        "harmony.batch": {"harmony": {"batch": ["sample", column]}},
    }
    for key, setting in keys.items():
        expected = re.escape(f"dataset.preprocess.{key}: {message}")
        with pytest.raises(InputError, match=expected):
            raw_counts.find_batches(obs, CONFIG | setting)


def test_batches_are_numbered(obs):
    obs["sample"] = pd.Categorical(obs["sample"], categories=["none", "c", "a", "b"])
    ranked_in, mixed = raw_counts.find_batches(obs, CONFIG | {"batch": "sample"})
    np.testing.assert_array_equal(ranked_in, [0, 1, 2] * 20)
    assert mixed == {}
    ranked_in, mixed = raw_counts.find_batches(obs, CONFIG | {"harmony": {"batch": "sample"}})
    assert not ranked_in.any()
    np.testing.assert_array_equal(mixed["sample"], [0, 1, 2] * 20)
