"""Read an AnnData, write it, and read that, where a warning is an error; in any environment.

python read_strictly.py adata.h5ad again.h5ad
"""

import sys
import warnings
from importlib.metadata import version

import anndata


def main(path, again):
    warnings.simplefilter("error")
    first = anndata.read_h5ad(path)
    first.write_h5ad(again)
    second = anndata.read_h5ad(again)
    assert first.obs.equals(second.obs)
    assert first.var.equals(second.var)
    assert (first.X != second.X).nnz == 0
    for slot in ("obsm", "varm", "layers", "uns"):
        assert set(getattr(first, slot)) == set(getattr(second, slot)), slot
    print(version("anndata"))


if __name__ == "__main__":
    main(*sys.argv[1:])
