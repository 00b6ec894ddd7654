"""Answers of the methods against the truth."""

import time

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

__all__ = ["score", "score_abundance", "score_expression"]

LEVEL = 0.05
# Cells with a true log fold change beyond this are those to be found.
CHANGED = 1.0


def score(dataset, methods):
    """Run the methods of a module.

    Parameters
    ----------
    dataset : calibration.data.Dataset
    methods : module
        With the dictionaries EXPRESSION and ABUNDANCE.

    Returns
    -------
    pandas.DataFrame
        `task`, `method`, `metric`, `value`, one row each.
    """
    rows = []
    for task, named, scored in (
        ("expression", methods.EXPRESSION, score_expression),
        ("abundance", methods.ABUNDANCE, score_abundance),
    ):
        for name, method in named.items():
            start = time.perf_counter()
            answer = method(dataset)
            metrics = {"seconds": time.perf_counter() - start} | scored(dataset, *answer)
            rows += [(task, name, metric, value) for metric, value in metrics.items()]
    return pd.DataFrame(rows, columns=["task", "method", "metric", "value"])


def score_expression(dataset, pvalues, qvalues, ranking):
    """Scores of a test of genes.

    Returns
    -------
    dict
        `called`: number of genes; `fdp`: share of unchanged ones among them, 0 if none is called;
        `recall`, also by kind; `average_precision`; `small_pvalues`: share of the unchanged genes
        with p < 0.05. What the truth leaves undefined is left out.
    """
    changed, called = dataset.kinds != "none", qvalues < LEVEL
    scores = {"called": called.sum(), "fdp": (called & ~changed).sum() / max(called.sum(), 1)}
    if pvalues is not None:
        scores["small_pvalues"] = (pvalues[~changed] < LEVEL).mean()
    if changed.any():
        scores["recall"] = called[changed].mean()
        scores["average_precision"] = average_precision_score(changed, ranking)
        for kind in np.unique(dataset.kinds[changed]):
            scores[f"recall_{kind}"] = called[dataset.kinds == kind].mean()
    return scores


def score_abundance(dataset, lfc, zscores, qvalues):
    """Scores of a test of cells.

    Returns
    -------
    dict
        `called`: share of the cells; `z_95`: 95 % quantile of |z|; `slope` of the estimated on the
        true log fold change; `auc` of the estimated one for cells with a true one above 1 and for
        those below −1, averaged. What the truth leaves undefined is left out.
    """
    scores, true = {}, dataset.true_lfc
    if qvalues is not None:
        scores["called"] = (qvalues < LEVEL).mean()
    if zscores is not None:
        scores["z_95"] = np.quantile(np.abs(zscores), 0.95)
    if np.ptp(true) > 0:
        scores["slope"] = np.polyfit(true, lfc, 1)[0]
        directions = [sign for sign in (1, -1) if (sign * true > CHANGED).any()]
        scores["auc"] = np.mean([roc_auc_score(s * true > CHANGED, s * lfc) for s in directions])
    return scores
