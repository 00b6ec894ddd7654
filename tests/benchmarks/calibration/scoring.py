"""Answers of the methods against the truth."""

import time

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

__all__ = ["score", "score_abundance", "score_expression"]

LEVEL = 0.05
# Thresholds of the p-values of unchanged genes.
TAILS = (0.1, 0.05, 0.01, 0.001)
# Cells with a true log fold change beyond this, or beyond half of the largest if that is less, are
# those to be found; those called with one below the second are false discoveries.
CHANGED, UNCHANGED = 1.0, 0.2


def score(dataset, methods, tasks):
    """Run the methods of a module.

    Parameters
    ----------
    dataset : calibration.data.Dataset
    methods : module
        With the dictionaries EXPRESSION and ABUNDANCE.
    tasks : sequence of {"expression", "abundance"}

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
        for name, method in named.items() if task in tasks else ():
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
        `recall`, also by kind; `average_precision`; `below_0.05` and others: share of the unchanged
        genes with p < 0.05. Unscored genes take no part. What the truth leaves undefined is left
        out.
    """
    scored = dataset.kinds != "unscored"
    kinds, qvalues, ranking = dataset.kinds[scored], qvalues[scored], ranking[scored]
    changed, called = kinds != "none", qvalues < LEVEL
    scores = {"called": called.sum(), "fdp": (called & ~changed).sum() / max(called.sum(), 1)}
    if pvalues is not None:
        null = pvalues[scored][~changed]
        scores |= {f"below_{tail:g}": (null < tail).mean() for tail in TAILS}
    if changed.any():
        scores["recall"] = called[changed].mean()
        scores["average_precision"] = average_precision_score(changed, ranking)
        for kind in np.unique(kinds[changed]):
            scores[f"recall_{kind}"] = called[kinds == kind].mean()
    return scores


def score_abundance(dataset, lfc, zscores, qvalues):
    """Scores of a test of cells.

    Returns
    -------
    dict
        `called`: share of the cells; `any_called`: 1 if it is not 0; `z_95`: 95 % quantile of |z|;
        `slope` of the estimated on the true log fold change; `auc` of the estimated one for cells
        with a true one above 1 (or half of the largest, if less) and for those below −1, averaged;
        `power`: share of these cells that are called in their direction; `false_calls`: share of
        the called cells with a true one below 0.2. What the truth leaves undefined is left out.
    """
    scores, true = {}, dataset.true_lfc
    least = min(CHANGED, 0.5 * np.abs(true).max())
    if qvalues is not None:
        called = qvalues < LEVEL
        scores["called"], scores["any_called"] = called.mean(), float(called.any())
        if np.ptp(true) > 0:
            right = called & (np.sign(lfc) == np.sign(true))
            scores["power"] = right[np.abs(true) > least].mean()
            wrong = called & (np.abs(true) < UNCHANGED)
            scores["false_calls"] = wrong.sum() / max(called.sum(), 1)
    if zscores is not None:
        scores["z_95"] = np.quantile(np.abs(zscores), 0.95)
    if np.ptp(true) > 0:
        scores["slope"] = np.polyfit(true, lfc, 1)[0]
        directions = [sign for sign in (1, -1) if (sign * true > least).any()]
        scores["auc"] = np.mean([roc_auc_score(s * true > least, s * lfc) for s in directions])
    return scores
