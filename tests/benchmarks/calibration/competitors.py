"""What is commonly used instead.

Packages beyond those of the workflow are imported where they are used: they are pinned in
requirements.txt, and only the benchmark needs them.
"""

import contextlib
import io

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import false_discovery_control, mannwhitneyu
from sklearn.neighbors import kneighbors_graph

__all__ = ["ABUNDANCE", "EXPRESSION"]

MIN_CELLS = 10
CONDITIONS = ("reference", "compared")


def wilcoxon(dataset):
    """Rank sums over all cells; Benjamini-Hochberg."""
    return _answer(_rank_sums(dataset, np.ones(len(dataset.labels), dtype=bool)))


def wilcoxon_by_type(dataset):
    """Rank sums within each true cell type; the smallest p-value, by Šidák; Benjamini-Hochberg."""
    pvalues = []
    for code in np.unique(dataset.cell_types):
        cells = dataset.cell_types == code
        in_condition = np.bincount(dataset.labels[cells], minlength=2)
        if in_condition.min() >= MIN_CELLS:
            pvalues.append(_rank_sums(dataset, cells))
    with np.errstate(divide="ignore"):
        return _answer(-np.expm1(len(pvalues) * np.log1p(-np.min(pvalues, axis=0))))


def pseudobulk_deseq2(dataset):
    """Counts summed over the cells of each sample; PyDESeq2 with its own filters."""
    return _as_tested(*_test_deseq2(*_pseudobulk(dataset)))


def pseudobulk_edger(dataset):
    """Counts summed over the cells of each sample; quasi-likelihood F test of edgePython."""
    return _as_tested(*_test_edger(*_pseudobulk(dataset)))


def pseudobulk_deseq2_by_type(dataset):
    """PyDESeq2 within each cell type; the smallest p-value, by Šidák; Benjamini-Hochberg."""
    return _by_type(dataset, _test_deseq2)


def pseudobulk_edger_by_type(dataset):
    """edgePython within each cell type; the smallest p-value, by Šidák; Benjamini-Hochberg."""
    return _by_type(dataset, _test_edger)


def pseudobulk_edger_by_cluster(dataset):
    """The same within each Leiden cluster."""
    return _by_type(dataset, _test_edger, clusters(dataset))


def clusters(dataset):
    """Leiden clusters of the principal components, with the defaults of scanpy."""
    import scanpy as sc
    from anndata import AnnData

    adata = AnnData(obsm={"pcs": dataset.pcs}, shape=(len(dataset.pcs), 0))
    sc.pp.neighbors(adata, use_rep="pcs", random_state=0)
    sc.tl.leiden(adata, flavor="igraph", n_iterations=2, directed=False, random_state=0)
    return adata.obs["leiden"].astype(int).to_numpy()


def neighbours(dataset, k=50):
    """Log odds of the compared condition among the 50 nearest cells, against its share in all."""
    graph = kneighbors_graph(dataset.states, k)
    compared = graph @ dataset.labels.astype(float)
    overall = dataset.labels.mean()
    lfc = np.log((compared + 0.5) / (k - compared + 0.5)) - np.log(overall / (1 - overall))
    return lfc, None, None


def milo(dataset, k=30):
    """Milo by milopy: a cell gets the mean over the neighbourhoods that it is in.

    milopy 0.3 tests with edgePython, a port of edgeR 4: its log fold changes were those of R's
    edgeR 3.40 on the same counts, its p-values correlated with them by 0.97 (logarithms).

    Cells of no neighbourhood have no change. Spatial FDR: Benjamini-Hochberg with each
    neighbourhood weighted by the inverse distance of its index cell's k-th neighbour (Dann et al.
    2022, Nature Biotechnology), which milopy leaves out.
    """
    from anndata import AnnData
    from milopy.core import count_cells, make_nhoods, test_nhoods

    codes, names, condition = _samples(dataset)
    obs = pd.DataFrame({"sample": np.array(names)[np.searchsorted(codes, dataset.samples)]})
    obs.index = obs.index.astype(str)
    adata = AnnData(obs=obs, obsm={"X_pca": dataset.pcs}, shape=(len(obs), 0))
    graph = kneighbors_graph(dataset.pcs, k, mode="distance")
    adata.obsp["distances"] = graph
    adata.obsp["connectivities"] = ((graph + graph.T) > 0).astype(float).tocsr()
    make_nhoods(adata, k=k, d=dataset.pcs.shape[1], random_state=0)
    count_cells(adata, "sample")
    design = _adjusted_for(dataset, np.unique(dataset.samples, return_index=True)[1])
    design.index, design["compared"] = names, (condition == "compared").astype(float)
    with contextlib.redirect_stdout(io.StringIO()):
        test_nhoods(adata, "~" + " + ".join(design.columns), design)
    table = adata.uns["nhood_test_results"]
    radius = graph.max(axis=1).toarray().ravel()[adata.uns["nhood_indices"]]
    fdr = _weighted_fdr(table["PValue"].to_numpy(), 1.0 / radius)
    members = sparse.csr_matrix(adata.obsm["nhoods"])
    held = np.asarray(members.sum(axis=1)).ravel()
    lfc = members @ (np.log(2.0) * table["logFC"].to_numpy()) / np.maximum(held, 1)
    return lfc, None, np.where(held > 0, members @ fdr / np.maximum(held, 1), 1.0)


EXPRESSION = {
    "wilcoxon": wilcoxon,
    "wilcoxon_by_type": wilcoxon_by_type,
    "pseudobulk_deseq2": pseudobulk_deseq2,
    "pseudobulk_edger": pseudobulk_edger,
    "pseudobulk_edger_by_type": pseudobulk_edger_by_type,
    "pseudobulk_edger_by_cluster": pseudobulk_edger_by_cluster,
}
ABUNDANCE = {"neighbours": neighbours, "milo": milo}


def _answer(pvalues):
    return pvalues, false_discovery_control(pvalues), -np.log(np.maximum(pvalues, 1e-300))


def _rank_sums(dataset, cells):
    """Two-sided p-values of all genes among some cells; 1 for genes that do not vary."""
    groups = [
        dataset.expression[cells & chosen].toarray().astype(float)
        for chosen in (dataset.labels, ~dataset.labels)
    ]
    with np.errstate(all="ignore"):
        pvalues = mannwhitneyu(*groups, axis=0, method="asymptotic").pvalue
    return np.nan_to_num(pvalues, nan=1.0)


def _samples(dataset):
    """Codes, names and conditions of the samples."""
    codes, first = np.unique(dataset.samples, return_index=True)
    condition = np.where(dataset.labels[first], "compared", "reference")
    return codes, [f"sample{code}" for code in codes], condition


def _pseudobulk(dataset, cells=None, min_cells=1):
    """Counts summed over the cells of each sample, and a table of the samples.

    Parameters
    ----------
    dataset : calibration.data.Dataset
        With `pairs`, the number of the donor of each cell, and `covariates` (cells, q) if there
        are any.
    cells : ndarray of bool, shape (cells,), optional
    min_cells : int
        Samples with fewer of these cells are left out.

    Returns
    -------
    counts : pandas.DataFrame, shape (samples, genes)
    metadata : pandas.DataFrame
        `pair` and `covariate0`, …, where there are any; last `condition`, reference or compared.
    """
    cells = np.ones(len(dataset.labels), dtype=bool) if cells is None else cells
    codes, first, sizes = np.unique(dataset.samples[cells], return_index=True, return_counts=True)
    codes, first = codes[sizes >= min_cells], np.flatnonzero(cells)[first[sizes >= min_cells]]
    names = [f"sample{code}" for code in codes]
    summed = sparse.csr_matrix((np.equal.outer(codes, dataset.samples) & cells).astype(float))
    counts = pd.DataFrame((summed @ dataset.counts).toarray().astype(int), index=names)
    metadata = _adjusted_for(dataset, first)
    metadata["condition"] = np.where(dataset.labels[first], "compared", "reference")
    metadata.index = names
    return counts, metadata


def _adjusted_for(dataset, cells):
    """Pair and covariates of some cells."""
    table = pd.DataFrame(index=range(len(cells)))
    if getattr(dataset, "pairs", None) is not None:
        table["pair"] = [f"pair{code}" for code in dataset.pairs[cells]]
    if getattr(dataset, "covariates", None) is not None:
        for number, values in enumerate(dataset.covariates[cells].T):
            table[f"covariate{number}"] = values
    return table


def _test_deseq2(counts, metadata):
    """p-values and adjusted ones, NaN where PyDESeq2 gives none."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    design = "~" + " + ".join(metadata.columns)
    one_process = {"inference": DefaultInference(n_cpus=1), "quiet": True}
    with contextlib.redirect_stdout(io.StringIO()):
        fit = DeseqDataSet(counts=counts, metadata=metadata, design=design, **one_process)
        fit.deseq2()
        test = DeseqStats(fit, contrast=["condition", "compared", "reference"], **one_process)
        test.summary()
    return test.results_df["pvalue"].to_numpy(), test.results_df["padj"].to_numpy()


def _test_edger(counts, metadata):
    """p-values and adjusted ones, NaN for genes that edgeR's filter leaves out."""
    import edgepython

    # The condition last: the last coefficient is tested.
    effects = metadata.assign(condition=metadata["condition"].eq("compared").astype(float))
    effects = pd.get_dummies(effects, drop_first=True)
    effects["condition"] = effects.pop("condition")
    design = np.column_stack([np.ones(len(metadata)), effects.to_numpy(float)])
    values = counts.to_numpy(float).T
    kept = np.asarray(edgepython.filter_by_expr(values, design=design), dtype=bool)
    with contextlib.redirect_stdout(io.StringIO()):
        fitted = edgepython.make_dgelist(counts=values[kept])
        fitted = edgepython.calc_norm_factors(fitted, method="TMM")
        fitted = edgepython.estimate_disp(fitted, design=design)
        fitted = edgepython.glm_ql_fit(fitted, design=design, robust=True)
        test = edgepython.glm_ql_ftest(fitted, coef=design.shape[1] - 1)
        table = edgepython.top_tags(test, n=kept.sum(), sort_by="none")["table"]
    pvalues = np.full(len(kept), np.nan)
    pvalues[kept] = np.asarray(table["PValue"], dtype=float)
    return pvalues, _adjusted(pvalues)


def _by_type(dataset, test, types=None):
    """A test within each cell type that has two samples of either condition."""
    types = dataset.cell_types if types is None else types
    tested = [np.full(dataset.counts.shape[1], np.nan)]
    for code in np.unique(types):
        counts, metadata = _pseudobulk(dataset, types == code, MIN_CELLS)
        if metadata["condition"].value_counts().reindex(CONDITIONS).ge(2).all():
            tested.append(test(counts, metadata)[0])
    tests = np.isfinite(tested).sum(axis=0)
    smallest = np.nanmin([*tested, np.ones(len(tests))], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pvalues = np.where(tests > 0, -np.expm1(tests * np.log1p(-smallest)), np.nan)
    return _as_tested(pvalues, _adjusted(pvalues))


def _adjusted(pvalues):
    """Benjamini-Hochberg over the genes that were tested."""
    adjusted, tested = np.full(len(pvalues), np.nan), np.isfinite(pvalues)
    adjusted[tested] = false_discovery_control(pvalues[tested])
    return adjusted


def _as_tested(pvalues, adjusted):
    """Genes that were not tested get 1."""
    pvalues, adjusted = (np.nan_to_num(values, nan=1.0) for values in (pvalues, adjusted))
    return pvalues, adjusted, -np.log(np.maximum(pvalues, 1e-300))


def _weighted_fdr(pvalues, weights):
    order = np.argsort(pvalues)
    adjusted = pvalues[order] * weights.sum() / np.cumsum(weights[order])
    adjusted = np.minimum.accumulate(adjusted[::-1])[::-1]
    return np.minimum(adjusted, 1.0)[np.argsort(order)]
