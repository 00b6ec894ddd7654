"""All contrasts of a data set side by side, in the order of the configuration."""

import json

import pandas as pd
from _job import run
from _table import save

NAMED_GENES = 5


def main(job):
    paths = zip(job.input.summaries, job.input.genes, strict=True)
    save(job, pd.DataFrame([describe(*pair) for pair in paths]))


def describe(summary, genes):
    """Row of a contrast, from its summary and its table of genes."""
    with open(summary, encoding="utf-8") as file:
        summary = json.load(file)
    conditions, cells, fit = summary["conditions"], summary["cells"], summary["expression"]
    abundance = summary["abundance"]
    # The genes with the strongest evidence of change first.
    genes = pd.read_parquet(genes, columns=["gene", "mahalanobis", "is_de"])
    return {
        "contrast": summary["contrast"],
        "reference": conditions["reference"],
        "compared": conditions["compared"],
        "n_de": fit["n_de"],
        "n_de_up": fit["n_de_up"],
        "n_de_down": fit["n_de_down"],
        "cells_up": abundance["up"],
        "cells_up_share": abundance["up"] / cells["total"],
        "cells_down": abundance["down"],
        "cells_down_share": abundance["down"] / cells["total"],
        "top_genes": ";".join(genes["gene"][genes["is_de"]][:NAMED_GENES]),
        "genes": fit["genes"],
        "cells_reference": cells["reference"],
        "cells_compared": cells["compared"],
        "column": conditions["column"],
        "sample": conditions["sample"],
        "pair": conditions["pair"],
        "adjust": ";".join(conditions["adjust"]) or None,
        "filter": json.dumps(conditions["cells"]) if conditions["cells"] else None,
        "cells_evaluated": cells["evaluated"],
        "test": fit["test"],
        "freedom_reference": fit["freedom_reference"],
        "freedom_compared": fit["freedom_compared"],
        "ls": fit["ls"],
        "ls_learnt": fit["learnt"],
        "extent": fit.get("extent", float("nan")),
        "rank": fit["rank"],
        "residual_max": fit["residual_max"],
        "truncated": fit["truncated"],
        "mahalanobis_threshold": fit["mahalanobis_threshold"],
        "mahalanobis_max": genes["mahalanobis"].max(),
    }


if __name__ == "__main__":
    run(main, snakemake)
