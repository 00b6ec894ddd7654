"""What scripts read of users' files, and the checksum that goes with it."""

import json
import os
import sys
from types import SimpleNamespace

import anndata
import numpy as np
import pytest
from statediff import InputError
from statediff.store import described
from support import ROOT

sys.path.append(str(ROOT / "scripts"))
from statediff.inputs import check_space, recorded


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
def test_the_checksum_is_of_what_was_read(tmp_path, kind):
    path = tmp_path / f"data.{kind}"
    adata = anndata.AnnData(np.ones((3, 2), dtype=np.float32))
    write = adata.write_h5ad if kind == "h5ad" else adata.write_zarr
    write(path)
    with recorded(path) as (source, record):
        assert source.n_cells == 3
        assert json.loads(record()) == described(path)
    file = path if kind == "h5ad" else next(p for p in path.rglob("*") if p.is_file())
    with recorded(path) as (_, record):
        other = file.with_name("other")
        other.write_bytes(file.read_bytes())
        os.replace(other, file)  # as other programs save
        with pytest.raises(InputError, match="changed while it was read; run again"):
            record()


class Found:
    shape, stored = (1000, 500), 10_000


@pytest.mark.parametrize(("layers", "dense"), [([], 0), (["smoothed"], 2), (["fold_change"], 1)])
def test_layers_need_space_before_the_first_model(tmp_path, monkeypatch, layers, dense):
    config = {"expression": {"layers": layers}, "contrasts": {"a": {}, "b": {}}}
    needed = 8 * 10_000 + 4 * 2 * 2 * dense * 1000 * 500
    (tmp_path / "old").write_bytes(bytes(1000))  # what is there will be replaced
    for free, enough in ((needed - 1000, True), (needed - 1001, False)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        if enough:
            check_space(tmp_path, Found, config)
        else:
            with pytest.raises(InputError, match=r"GB are free, .* fewer layers \(expression"):
                check_space(tmp_path, Found, config)
