"""Compare a contrast of the simulated data with the simulated truth."""

import json

import h5py
import numpy as np
from _job import run
from anndata.io import read_elem
from sklearn.metrics import average_precision_score, roc_auc_score
from statediff.conventions import LN2
from statediff.disk import atomic
from statediff.significance import rank_genes
from statediff.store import read_arrays


def main(job):
    with h5py.File(job.input.truth, "r") as truth:
        change = read_elem(truth["var"])["true_change"].astype(str).to_numpy()
        true_lfc = read_elem(truth["obs"])["true_abundance_lfc"].to_numpy()
    genes, fdr = read_arrays(job.input.fdr)
    place = np.empty(len(change))
    place[rank_genes(genes, fdr["ranking"])] = np.arange(len(change))
    lfc = read_arrays(job.input.abundance, "lfc")[0]["lfc"]
    changed, called = change != "none", genes["is_de"]
    recall = {kind: float(called[change == kind].mean()) for kind in np.unique(change[changed])}
    threshold = job.params.lfc_threshold * LN2
    result = {
        "genes_changed": int(changed.sum()),
        "precision": float(changed[called].mean()) if called.any() else None,
        "recall": float(called[changed].mean()) if changed.any() else None,
        "recall_by_kind": recall,
        "average_precision": score(average_precision_score, changed, -place),
        "auc_up": score(roc_auc_score, true_lfc > threshold, lfc),
        "auc_down": score(roc_auc_score, true_lfc < -threshold, -lfc),
        "lfc_slope": float(np.polyfit(true_lfc, lfc, 1)[0]) if np.ptp(true_lfc) > 0 else None,
    }
    with atomic(job.output[0]) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def score(metric, truth, values):
    """The metric, or None where the truth holds one class only."""
    return float(metric(truth, values)) if 0 < truth.sum() < len(truth) else None


if __name__ == "__main__":
    run(main, snakemake)
