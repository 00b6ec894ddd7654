import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from statediff import InputError, store
from statediff.disk import atomic
from statediff.store import (
    create_h5ad,
    described,
    drop_layers,
    matrix_shape,
    open_h5ad,
    read_arrays,
    read_columns,
    read_labels,
    read_levels,
    read_names,
    row_blocks,
    take_rows,
    write_arrays,
    write_csr,
)

LIBRARY = Path(__file__).resolve().parents[2] / "workflow"


@pytest.fixture(scope="module")
def matrix():
    return sparse.random(97, 13, density=0.3, format="csr", dtype=np.float32, rng=0)


@pytest.fixture
def stored(matrix, tmp_path):
    path = tmp_path / "file.h5ad"
    anndata.AnnData(matrix).write_h5ad(path)
    with h5py.File(path) as file:
        yield file["X"]


@pytest.mark.parametrize("block_values", [1, 17, 50, 10**6])
def test_row_blocks_are_the_matrix(stored, matrix, block_values):
    assert matrix_shape(stored) == matrix.shape
    starts, blocks = zip(*row_blocks(stored, block_values), strict=True)
    assert starts == tuple(np.cumsum([0, *(b.shape[0] for b in blocks[:-1])]))
    if block_values == 1:
        assert len(blocks) > 50
    np.testing.assert_array_equal(sparse.vstack(blocks).toarray(), matrix.toarray())


def test_rows_without_values_are_kept(tmp_path):
    empty = sparse.csr_matrix((5, 3), dtype=np.float32)
    anndata.AnnData(empty).write_h5ad(tmp_path / "empty.h5ad")
    with h5py.File(tmp_path / "empty.h5ad") as file:
        assert sum(b.shape[0] for _, b in row_blocks(file["X"], 1)) == 5


def test_read_columns_with_repeats(stored, matrix):
    columns = [5, 0, 5, 12]
    found = read_columns(stored, columns)
    np.testing.assert_array_equal(found.toarray(), matrix.toarray()[:, columns])


def test_rows_of_a_dense_array_come_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS", 3)
    array, rows = np.arange(20.0).reshape(10, 2), np.array([9, 0, 4, 3, 8])
    with h5py.File(tmp_path / "array.h5", "w") as file:
        file["phi"] = array
        for source in (array, file["phi"]):
            assert (take_rows(source, rows) == array[rows]).all()


def test_written_csr_is_what_anndata_reads(matrix, tmp_path):
    path = tmp_path / "written.h5ad"
    names = pd.DataFrame(index=[f"c{i}" for i in range(97)])
    genes = pd.DataFrame(index=[f"g{i}" for i in range(13)])
    with create_h5ad(path) as file:
        anndata.io.write_elem(file, "obs", names)
        anndata.io.write_elem(file, "var", genes)
        write_csr(file.create_group("X"), (matrix[i : i + 10] for i in range(0, 97, 10)), 13)
    read = anndata.read_h5ad(path)
    np.testing.assert_array_equal(read.X.toarray(), matrix.toarray())


@pytest.mark.parametrize(("most", "dtype"), [(10_000, np.int32), (100, np.int64)])
def test_both_indices_are_of_one_type(matrix, tmp_path, monkeypatch, most, dtype):
    monkeypatch.setattr(store, "MOST_INT32", most)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        write_csr(file.create_group("X"), [matrix[:50], matrix[50:]], 13)
        assert file["X/indices"].dtype == file["X/indptr"].dtype == dtype
        read = anndata.io.read_elem(file["X"])
    np.testing.assert_array_equal(read.toarray(), matrix.toarray())
    read.eliminate_zeros()


def test_arrays_and_attributes_return(tmp_path):
    path = tmp_path / "deep" / "arrays.h5"
    write_arrays(path, {"a": np.arange(3), "b": np.eye(2)}, rank=7, name="x", ok=True)
    arrays, attributes = read_arrays(path, "b")
    assert list(arrays) == ["b"]
    assert attributes == {"rank": 7, "name": "x", "ok": True}
    assert set(read_arrays(path)[0]) == {"a", "b"}


def test_a_failed_write_leaves_the_old_file_and_no_scrap(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail():
        with atomic(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_a_killed_writer_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from statediff.store import write_arrays\n"
        "class Deadly:\n"
        "    def __array__(self, *a, **k): os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_arrays(sys.argv[1], {'a': [1.0], 'b': Deadly()})\n"
    )
    path = tmp_path / "result.h5"
    done = subprocess.run([sys.executable, "-c", code, path, LIBRARY])
    assert done.returncode == -9
    assert not path.exists()


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_h5ad(tmp_path / "missing.h5ad")
    (tmp_path / "text.h5ad").write_text("cells,genes\n")
    with pytest.raises(InputError, match="not an h5ad file"):
        open_h5ad(tmp_path / "text.h5ad")
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["counts"] = 1
    with pytest.raises(InputError, match="holds counts, not obs and var"):
        open_h5ad(tmp_path / "other.h5ad")


def test_a_truncated_file_is_named(tmp_path, matrix):
    path = tmp_path / "cut.h5ad"
    anndata.AnnData(matrix).write_h5ad(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="truncated"):
        open_h5ad(path)


def test_names_of_cells_and_genes(tmp_path):
    adata = anndata.AnnData(np.zeros((2, 3), dtype=np.float32))
    adata.var_names = ["<b>", "Ω", "a/b"]
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad") as file:
        assert list(read_names(file["var"])) == ["<b>", "Ω", "a/b"]
        assert list(read_names(file["obs"])) == ["0", "1"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["b", "a", None, "b"], categories=["b", "unused", "a"]),
        pd.Categorical([2, 10, 2, 10]),
        ["b", "a", "é Zelle", "b"],
        pd.array(["b", None, "a", "b"], dtype="string"),
        [3, 1, 20, 3],
        [True, False, True, True],
        [0.5, np.nan, 1.0, 0.5],
        np.array([0.1, 0.2, 0.1, 0.3], dtype=np.float32),
        pd.array([1, None, 3, 1], dtype="Int64"),
        pd.array([True, None, False, True], dtype="boolean"),
        [np.nan] * 4,
    ],
    ids=str,
)
def test_levels_are_those_of_pandas(tmp_path, column):
    anndata.settings.allow_write_nullable_strings = True
    obs = pd.DataFrame({"column": column}, index=list("wxyz"))
    anndata.AnnData(obs=obs).write_h5ad(tmp_path / "levels.h5ad")
    with h5py.File(tmp_path / "levels.h5ad") as file:
        codes, levels = read_levels(file["obs/column"])
    missing = obs["column"].isna().to_numpy()
    assert (codes == -1).tolist() == missing.tolist()
    assert levels[codes[~missing]].tolist() == obs["column"][~missing].astype(str).tolist()
    categories = obs["column"].astype("category").cat.categories.astype(str)
    assert levels.tolist() == categories.tolist()


@pytest.fixture
def layered(tmp_path):
    """An h5ad with a layer to drop and one to keep, and a link to it."""
    adata = anndata.AnnData(
        sparse.random(200, 50, 0.2, format="csr", random_state=0),
        layers={name: np.random.default_rng(0).normal(size=(200, 50)) for name in ("a", "b")},
        uns={"text": "é", "record": {"n": 3}},
    )
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere/adata.h5ad"
    adata.write_h5ad(path)
    path.chmod(0o640)
    (tmp_path / "link.h5ad").symlink_to(path)
    return tmp_path / "link.h5ad"


def test_dropping_layers_keeps_all_else(layered):
    before, size = anndata.read_h5ad(layered), layered.stat().st_size
    drop_layers(layered, ["a"])
    after = anndata.read_h5ad(layered)
    assert list(after.layers) == ["b"]
    np.testing.assert_array_equal(after.layers["b"], before.layers["b"])
    assert (after.X != before.X).nnz == 0
    assert after.uns == before.uns
    assert after.obs.equals(before.obs)
    assert layered.is_symlink()
    assert layered.stat().st_mode & 0o777 == 0o640
    assert layered.stat().st_size < size - 200 * 50 * 8 + 4096


@pytest.mark.parametrize("broken", ["h5py.Group.copy", "statediff.disk.os.replace"])
def test_a_killed_dropping_leaves_the_file(layered, monkeypatch, broken):
    before = layered.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(broken, killed)
        with pytest.raises(KeyboardInterrupt):
            drop_layers(layered, ["a"])
    assert layered.read_bytes() == before
    assert [path.name for path in layered.resolve().parent.iterdir()] == ["adata.h5ad"]


def test_a_file_is_described_by_its_content(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert described(path) == {"file": "a.txt", "bytes": 3, "sha256": digest}


def test_a_folder_is_described_by_its_files(tmp_path):
    folder = tmp_path / "a.zarr"
    (folder / "x").mkdir(parents=True)
    (folder / "x/0").write_text("abc")
    (folder / "y").write_text("d")
    found = described(folder)
    assert (found["file"], found["bytes"]) == ("a.zarr", 4)
    (folder / "x/0").rename(folder / "x/1")
    assert described(folder)["sha256"] != found["sha256"]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (None, ["g0", "g1", "g2", "g3"]),
        (["A", "B", "B", None], ["A", "g1", "g2", "g3"]),
        (["A", "B", "C", "D"], ["A", "B", "C", "D"]),
        # The name of another gene, which would be ambiguous.
        (["g1", "g1", "C", "D"], ["g0", "g1", "C", "D"]),
        (["g3", "B", "C", None], ["g0", "g1", "g2", "g3"]),
    ],
)
def test_genes_are_shown_by_their_labels(tmp_path, labels, shown):
    var = pd.DataFrame(index=[f"g{i}" for i in range(4)])
    if labels is not None:
        var["feature_name"] = pd.Categorical(labels)
    with h5py.File(tmp_path / "var.h5", "w") as file:
        anndata.io.write_elem(file, "var", var)
        assert list(read_labels(file["var"])) == shown
