"""What the runs of a data set say, against what is known, and beside other methods.

Every function returns rows of `method`, `subject` (a contrast, gene, cell type or mock condition),
`metric` and `value`.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from calibration import competitors
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from real import coordinates, held_out
from real.data import Cells, true_lfc
from real.runs import COMPONENTS, LAYERS, Results

__all__ = ["ACROSS", "MEASURES", "compare_components", "compare_layers", "compare_predictions"]

LEVEL = 0.05
OURS = {
    "with_sample": "statediff, samples",
    "without_sample": "statediff, no samples",
    "with_pairs": "statediff, pairs",
}
# Cells of either condition from which the mean expression of a type is compared.
FEWEST = 50
# Odds that changed by more than this ratio are to be found.
CHANGED = 1.5
MONOCYTES = ["CD14+ Monocytes", "FCGR3A+ Monocytes"]
LYMPHOCYTES = ["B cells", "CD4 T cells", "CD8 T cells"]
EXPRESSION = {
    "pseudobulk DESeq2": competitors.pseudobulk_deseq2,
    "pseudobulk edgeR": competitors.pseudobulk_edger,
    "DESeq2 per type": competitors.pseudobulk_deseq2_by_type,
    "edgeR per type": competitors.pseudobulk_edger_by_type,
    "Wilcoxon per type": competitors.wilcoxon_by_type,
}
PAIRABLE = [name for name in EXPRESSION if not name.startswith("Wilcoxon")]
# Cells in which a gene has to be found for p-values below 0.05 to be possible in most of them.
FOUND = 10
# Fast enough for every null.
EXPRESSION_OF_NULLS = ("pseudobulk edgeR", "edgeR per type", "Wilcoxon per type")
# Numbers of a summary that tell how smooth the models were, and what the blocks could tell.
CHOSEN = ("ls", "length", "freedom", "rank", "components", "amplitude", "information", "blocks",
          "evidence", "separation", "overdispersion", "extent")  # fmt: skip


def row(method, subject, metric, value):
    return {"method": method, "subject": subject, "metric": metric, "value": float(value)}


def whole(real, results, usage):
    """Calls with samples and without, known genes, cell types, and cost of the run."""
    rows = [row("statediff", "whole run", *taken) for taken in (usage or {}).items()]
    types = results.adata.obs["cell_type"].astype(str).to_numpy()
    for name, method in OURS.items():
        if results.has(name, "stages/fdr.h5"):
            genes = results.genes(name)
            rows += gene_calls(method, genes["pvalue"], genes["called"])
            rows += known_genes(method, real, genes["pvalue"], genes["called"])
        if results.has(name, "stages/abundance.h5"):
            cells = results.cells(name)
            rows += cell_calls(method, cells["lfc"], cells["direction"], types)
        if results.has(name, "summary.json"):
            rows += chosen(method, results.summary(name))
        if results.has(name, "stages/fdr.h5", "tables/gene_groups.tsv"):
            rows += group_calls(method, results, name)
            rows += fold_changes_of_types(method, real, results, name)
    cells = Cells.of(results.adata, "condition", real.reference, real.compared, "sample")
    names = results.adata.var_names
    rows += other_genes(real, cells, EXPRESSION, names)
    if real.pairs:
        pairs = pd.factorize(results.adata.obs[real.pairs])[0]
        paired = {f"{name}, paired": EXPRESSION[name] for name in PAIRABLE}
        rows += other_genes(real, replace(cells, pairs=pairs), paired, names)
    lfc, _, qvalue = competitors.milo(cells)
    rows += cell_calls("Milo", lfc, np.sign(lfc) * (qvalue < LEVEL), types)
    return rows + shares_of_types(cells.labels, types)


def gene_calls(method, pvalues, called, subject="genes", among=slice(None)):
    """Genes called, and the share of small p-values among some of the genes."""
    rows = [row(method, subject, "called", np.sum(called))]
    return rows + [
        row(method, subject, f"p < {level:g}", np.mean(np.asarray(pvalues)[among] < level))
        for level in (0.05, 0.01, 0.001)
    ]


def known_genes(method, real, pvalues, called):
    """Rank by p-value of each known gene, and whether it is called."""
    ranks = pvalues.rank(method="min")
    return [
        row(method, gene, metric, values[gene])
        for genes in real.known.values()
        for gene in genes
        if gene in pvalues.index
        for metric, values in (("rank", ranks), ("called", called))
    ]


def cell_calls(method, lfc, direction, types):
    """Cells called; in each type the mean log fold change and the share called up and down."""
    lfc, direction = np.asarray(lfc), np.asarray(direction)
    rows = [row(method, "cells", "called", np.sum(direction != 0))]
    rows += [row(method, "cells", "share called", np.mean(direction != 0))]
    for name in np.unique(types):
        of = types == name
        rows += [row(method, name, "mean lfc", lfc[of].mean())]
        rows += [row(method, name, "share up", np.mean(direction[of] > 0))]
        rows += [row(method, name, "share down", np.mean(direction[of] < 0))]
    return rows


def shares_of_types(labels, types):
    """Log ratio of a type's share of the cells in the two conditions, half a cell added to each."""
    rows = []
    for name in np.unique(types):
        shares = [((types == name) & of).sum() + 0.5 for of in (labels, ~labels)] / np.array(
            [labels.sum(), (~labels).sum()]
        )
        rows.append(row("share of the cells", name, "mean lfc", np.log(shares[0] / shares[1])))
    return rows


def chosen(method, summary):
    """Numbers of a summary that tell how smooth the models were, and what blocks could tell."""
    return [
        row(method, section, key, value)
        for section in ("abundance", "expression", "blocks")
        for key, value in flat(summary.get(section) or {})
        if any(part in key for part in CHOSEN)
    ]


def flat(section, before=""):
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield before + key, value


def group_calls(method, results, name):
    _, called = results.groups(name)
    return [row(method, group, "genes called", called[group].sum()) for group in called]


def fold_changes_of_types(method, real, results, name):
    """Smooth fold changes of types against differences of their mean expression.

    Over called genes × types with 50 cells or more of either condition: slope of the regression of
    the former on the latter, and correlation.
    """
    smooth, _ = results.groups(name)
    obs, plain, rows = results.adata.obs, {}, []
    for group in smooth:
        cells = [
            ((obs["cell_type"] == group) & (obs["condition"] == level)).to_numpy()
            for level in (real.reference, real.compared)
        ]
        if min(of.sum() for of in cells) >= FEWEST:
            means = [np.asarray(results.expression[of].mean(axis=0)).ravel() for of in cells]
            plain[group] = means[1] - means[0]
    plain = pd.DataFrame(plain, index=smooth.index)
    called = results.genes(name)["called"].to_numpy()
    x, y = plain[called].to_numpy().ravel(), smooth.loc[called, plain.columns].to_numpy().ravel()
    if len(x) > 2:
        rows.append(row(method, "types", "slope of fold changes", np.polyfit(x, y, 1)[0]))
        rows.append(row(method, "types", "correlation of fold changes", np.corrcoef(x, y)[0, 1]))
    # Means over the types of each kind, as the change is expected in all of them.
    for gene in real.known.get("most in monocytes", []):
        for source, table in ((method, smooth), ("mean expression", plain)):
            if {*MONOCYTES, *LYMPHOCYTES} <= {*table} and gene in table.index:
                more = table.loc[gene, MONOCYTES].mean() - table.loc[gene, LYMPHOCYTES].mean()
                rows.append(row(source, gene, "monocytes minus lymphocytes", more))
    return rows


def other_genes(real, cells, methods, names):
    rows = []
    for name, method in methods.items():
        pvalues, adjusted, _ = method(cells)
        called = pd.Series(adjusted < LEVEL, index=names)
        rows += gene_calls(name, pvalues, called)
        rows += known_genes(name, real, pd.Series(pvalues, index=names), called)
    return rows


def nulls(real, results, usage):
    """Calls where no gene and no cell changes: each contrast is a subject."""
    rows = []
    for name, one in results.contrasts.items():
        sample = one.get("sample")
        cells = Cells.of(results.adata, one["column"], one["reference"], one["compared"], sample)
        found = np.asarray((cells.counts > 0).sum(axis=0)).ravel() >= FOUND
        found = pd.Series(found, index=results.adata.var_names)
        rows += null_calls("statediff", results, name, found)
        for other in EXPRESSION_OF_NULLS:
            # Rank sums know of no samples, the others of nothing else.
            if (sample is None) == other.startswith("Wilcoxon"):
                pvalues, adjusted, _ = EXPRESSION[other](cells)
                rows += gene_calls(other, pvalues, adjusted < LEVEL, name, found.to_numpy())
        if sample:
            _, _, qvalue = competitors.milo(cells)
            rows.append(row("Milo", name, "cells called", np.mean(qvalue < LEVEL)))
    return rows


def null_calls(method, results, name, found):
    rows = []
    if results.has(name, "stages/fdr.h5"):
        genes = results.genes(name)
        rows += gene_calls(method, genes["pvalue"], genes["called"], name, found[genes.index])
    if results.has(name, "stages/abundance.h5"):
        called = results.cells(name)["direction"] != 0
        rows.append(row(method, name, "cells called", np.mean(called)))
    if results.has(name, "tables/gene_groups.tsv"):
        _, called = results.groups(name)
        rows.append(row(method, name, "groups × genes called", called.to_numpy().sum()))
    return rows


def planted(real, results, usage):
    """Estimated against true log fold changes; calls where the labels are random."""
    rows = []
    everyone = Cells.of(results.adata, "condition", real.reference, real.compared)
    for name in results.contrasts:
        obs = results.adata.obs
        log_odds, labels = obs[f"log_odds_{name}"].to_numpy(), (obs[name] == "compared").to_numpy()
        cells = everyone.relabelled(labels, pd.factorize(obs[f"{name}_sample"])[0])
        found, scores = {}, {}
        if results.has(name, "stages/abundance.h5"):
            ours = results.cells(name)
            found["statediff"] = ours["lfc"].to_numpy(), ours["direction"] != 0
            scores["statediff, by z-score"] = ours["zscore"].abs()
        lfc, _, qvalue = competitors.milo(cells)
        found["Milo"] = lfc, qvalue < LEVEL
        if log_odds.any():
            found["50 neighbours"] = competitors.neighbours(cells)[0], None
            scores |= {method: np.abs(lfc) for method, (lfc, _) in found.items()}
            for method, (lfc, _) in found.items():
                rows.append(row(method, name, "slope", np.polyfit(true_lfc(log_odds), lfc, 1)[0]))
            changed = np.abs(log_odds) > np.log(CHANGED)
            for method, score in scores.items():
                rows.append(row(method, name, "AUC", roc_auc_score(changed, score)))
        for method, (_, called) in found.items():
            if called is not None:
                rows.append(row(method, name, "share called", np.mean(called)))
    return rows


# By the beginning of the name of a run; runs that are only compared with others have none.
MEASURES = {"whole": whole, "nulls": nulls, "planted": planted, "depth": nulls}


def compare_components(real, folder):
    """Correlations of the answers with 10, 20 and 40 components.

    Of genes that are called with either number."""
    runs = {number: Results(folder / f"components_{number}") for number in COMPONENTS}
    found, name, rows = {}, "with_sample", []
    for number, results in runs.items():
        needed = ("stages/abundance.h5", "stages/fdr.h5", "tables/gene_groups.tsv")
        if results.has(name, *needed):
            found[number] = results.cells(name), results.genes(name), results.groups(name)[0]
    for one, other in combinations(found, 2):
        (cells, genes, types), (cells_2, genes_2, types_2) = found[one], found[other]
        called, subject = (genes["called"] | genes_2["called"]).to_numpy(), f"{one}, {other}"
        pairs = {
            "abundance": (cells["lfc"], cells_2["lfc"]),
            "mean fold change": (genes["mean_lfc"][called], genes_2["mean_lfc"][called]),
            "fold change of types": (types[called], types_2[called]),
        }
        for metric, (x, y) in pairs.items():
            if np.size(x) > 2:
                x, y = np.ravel(x), np.ravel(y)
                value = np.corrcoef(x, y)[0, 1] if np.ptp(x) > 0 < np.ptp(y) else np.nan
                rows.append(row("statediff", subject, metric, value))
    return rows + [
        row("statediff", f"{number}", "genes called", genes["called"].sum())
        for number, (_, genes, _) in found.items()
    ]


def compare_layers(real, folder):
    """The same log expression in two units: p-values, ranks and fold changes."""
    runs, name = [Results(folder / f"layer_{layer}") for layer in LAYERS], "with_sample"
    if not all(results.has(name, "stages/fdr.h5") for results in runs):
        return []
    natural, log2 = (results.genes(name) for results in runs)
    logs = [-np.log10(np.maximum(genes["pvalue"], 1e-300)) for genes in (natural, log2)]
    agreement = {
        "largest difference of log10 p": (logs[0] - logs[1]).abs().max(),
        "rank correlation of p": spearmanr(*logs).statistic,
        "rank correlation of distances": (
            spearmanr(natural["distance"], log2["distance"]).statistic
        ),
        "genes called, natural log": natural["called"].sum(),
        "genes called, log2": log2["called"].sum(),
        "genes called by one only": (natural["called"] != log2["called"]).sum(),
        "largest relative difference of fold changes": (
            (natural["mean_lfc"] / np.log(2) - log2["mean_lfc"]).abs().max()
            / log2["mean_lfc"].abs().max()
        ),
    }  # fmt: skip
    return [row("statediff", "layers", metric, value) for metric, value in agreement.items()]


def compare_predictions(real, folder):
    """Log predictive densities of held-out cells, and the evidence of metrics and components."""
    results, name = Results(folder / "whole"), "with_sample"
    if not results.has(name, "stages/cells.h5"):
        return []
    rows = [
        row(way, "held-out cells", f"log predictive density of {what}", value)
        for way, found in held_out.compare(results.results, name).items()
        for what, value in found.items()
    ]
    for found in coordinates.evidence(results.results, name):
        subject = f"{found['metric']}, {found['components']}"
        rows.append(row("statediff", subject, "evidence", found["evidence"]))
        rows.append(row("statediff", subject, "length scale / extent", found["multiple"]))
    return rows


# Comparisons between the runs of a data set, and within one.
ACROSS = {
    "components": compare_components,
    "layers": compare_layers,
    "predictions": compare_predictions,
}
