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
    # The genes with the strongest evidence of change first.
    genes = pd.read_parquet(genes, columns=["gene", "mahalanobis", "is_de"])
    changed = {direction: summary["abundance"][direction] for direction in ("up", "down")}
    return {
        "contrast": summary["contrast"],
        "column": conditions["column"],
        "reference": conditions["reference"],
        "compared": conditions["compared"],
        "sample": conditions["sample"],
        "pair": conditions["pair"],
        "adjust": ";".join(conditions["adjust"]) or None,
        "filter": json.dumps(conditions["cells"]) if conditions["cells"] else None,
        "cells_evaluated": cells["evaluated"],
        "cells_reference": cells["reference"],
        "cells_compared": cells["compared"],
        "ls": fit["ls"],
        "ls_learnt": fit["learnt"],
        "extent": fit.get("extent", float("nan")),
        "freedom_reference": fit["freedom_reference"],
        "freedom_compared": fit["freedom_compared"],
        "rank": fit["rank"],
        "residual_max": fit["residual_max"],
        "truncated": fit["truncated"],
        "genes": fit["genes"],
        "test": fit["test"],
        "n_de": fit["n_de"],
        "n_de_up": fit["n_de_up"],
        "n_de_down": fit["n_de_down"],
        "mahalanobis_threshold": fit["mahalanobis_threshold"],
        "mahalanobis_max": genes["mahalanobis"].max(),
        "top_genes": ";".join(genes["gene"][genes["is_de"]][:NAMED_GENES]),
        **{f"cells_{direction}": n for direction, n in changed.items()},
        **{f"cells_{direction}_share": n / cells["total"] for direction, n in changed.items()},
    }


if __name__ == "__main__":
    run(main, snakemake)
