"""Run both analyses of kompot on an AnnData, in kompot's environment, and write it.

python kompot_write.py in.h5ad <groupby> <condition1> <condition2> out.h5ad
"""

import sys

import anndata
import kompot


def main(source, groupby, condition1, condition2, out):
    adata = anndata.read_h5ad(source)
    comparison = {"groupby": groupby, "condition1": condition1, "condition2": condition2}
    kompot.da(adata, **comparison)
    kompot.de(adata, **comparison, fdr=kompot.FDRSettings(null_genes=100))
    adata.write_h5ad(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
