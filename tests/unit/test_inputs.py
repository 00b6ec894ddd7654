"""What scripts read of users' files, and the checksum that goes with it."""

import json
import os
import sys

import anndata
import numpy as np
import pytest
from statediff import InputError
from statediff.store import described
from support import ROOT

sys.path.append(str(ROOT / "scripts"))
from _inputs import recorded


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
