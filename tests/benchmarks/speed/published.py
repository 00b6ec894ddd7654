"""Run one of the two analyses of kompot, in its own environment; prints what it took as JSON."""

import json
import resource
import sys
import time
import warnings

import anndata
import kompot

warnings.simplefilter("ignore")


def main(stage, source, out):
    adata = anndata.read_h5ad(source)
    start, cpu = time.perf_counter(), time.process_time()
    comparison = {"groupby": "Age", "condition1": "Young", "condition2": "Old"}
    facts = {}
    if stage == "abundance":
        kompot.compute_differential_abundance(adata, **comparison)
        column = adata.obs.filter(regex="lfc$")
    else:
        found = kompot.compute_differential_expression(
            adata, **comparison, return_full_results=True
        )
        facts["ls"] = float(found["model"].model1.ls)
        column = adata.var.filter(regex="mahalanobis$")
    facts |= {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    column.iloc[:, 0].rename("value").to_csv(out, sep="\t")
    with open(f"{out}.json", "w") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
