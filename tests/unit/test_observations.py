"""The annotation of cells reads the same from a store and from an AnnData in memory."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from statediff import InputError
from statediff.observations import (
    FrameObservations,
    StoredObservations,
    combined_levels,
    find_groups,
    read_column,
    read_values,
    select_cells,
)

OBS = pd.DataFrame(
    {
        "text": ["b", "a", "b", "c"],
        "category": pd.Categorical(["y", None, "x", "y"], categories=["y", "x", "unused"]),
        "number": [1.5, np.nan, -2.0, 0.0],
        "whole": [3, 1, 2, 2],
        "flag": [True, False, True, True],
        "nullable": pd.array([7, None, 9, 7], dtype="Int64"),
    },
    index=["c0", "c1", "c2", "c3"],
)


@pytest.fixture(params=["frame", "stored"])
def obs(request, tmp_path):
    if request.param == "frame":
        yield FrameObservations(OBS)
        return
    anndata.AnnData(obs=OBS.copy()).write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad") as store:
        yield StoredObservations(store)


def test_columns_and_names(obs):
    assert obs.columns == list(OBS)
    assert obs.n_cells == 4
    assert list(obs.names()) == list(OBS.index)


@pytest.mark.parametrize(
    ("column", "codes", "levels"),
    [
        ("text", [1, 0, 1, 2], ["a", "b", "c"]),
        ("category", [0, -1, 1, 0], ["y", "x", "unused"]),
        ("whole", [2, 0, 1, 1], ["1", "2", "3"]),
        ("flag", [1, 0, 1, 1], ["False", "True"]),
        ("nullable", [0, -1, 1, 0], ["7", "9"]),
        ("number", [2, -1, 0, 1], ["-2.0", "0.0", "1.5"]),
    ],
)
def test_levels_are_text(obs, column, codes, levels):
    found = read_column(obs, column, "key")
    assert (found[0].tolist(), list(found[1])) == (codes, levels)


def test_numbers(obs):
    np.testing.assert_array_equal(read_values(obs, "number", "key")[0], OBS["number"])
    np.testing.assert_array_equal(read_values(obs, "nullable", "key")[0], [7, np.nan, 9, 7])
    for column in ("text", "category", "flag"):
        assert obs.numbers(column) is None
    named = [column for column in obs.columns if obs.has_levels(column)]
    assert named == ["text", "category", "whole", "nullable"]


def test_selections(obs):
    assert select_cells(obs, None, "key").all()
    assert select_cells(obs, {"text": "b", "whole": ["2", "1"]}, "key").tolist() == [0, 0, 1, 0]
    mask = np.array([True, False, True, False])
    assert select_cells(obs, mask, "key") is mask
    for wrong in (mask[:3], mask.astype(int)):
        with pytest.raises(InputError, match=r"cells: found an array of .* the 4 cells"):
            select_cells(obs, wrong, "cells")
    with pytest.raises(InputError, match=r"key.text: 'd' does not occur .* a, b, c"):
        select_cells(obs, {"text": "d"}, "key")
    with pytest.raises(InputError, match="key: no obs column 'other'; there are: text"):
        select_cells(obs, {"other": "d"}, "key")


def test_groups_and_combinations(obs):
    found = find_groups(obs, "text", "key", np.array([True, True, True, False]))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "a": [False, True, False, False], "b": [True, False, True, False]
    }  # fmt: skip
    numbers = combined_levels(obs, ["text", "category"], "key")
    assert numbers[1] == -1
    assert len(set(numbers)) == 4
