"""Figures of genes."""

import numpy as np

from statediff import InputError
from statediff.pl._results import (
    MOST_GENES,
    Expression,
    colors_of,
    columns_of,
    coordinates,
    finished,
    fold_changes_of,
    labels_of,
    measured,
    types_of,
)

# Titles of the sets of genes whose terms `statediff.tl.enrichment` finds.
SETS = {
    "all": "Called genes",
    "up": "Called genes that rise",
    "down": "Called genes that fall",
    "ranked_up": "All genes, ranked: at the end of those that rise",
    "ranked_down": "All genes, ranked: at the end of those that fall",
}


def expression_volcano(adata, *, reference=None, compared=None, labelled=15, size=None, ax=None,
                       save=None, show=False):  # fmt: skip
    """Volcano plot of genes: mean log fold change against p-value (or distance, if it ranks them).

    Parameters
    ----------
    adata, reference, compared, size, ax, save, show
        As for `abundance_change`.
    labelled : int
        Number of genes that are labelled.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd

    from statediff.plots import expression_volcano as volcano
    from statediff.plots.style import drawn_on

    run = Expression(adata, reference, compared)
    columns = {name: run[name] for name in ("mean_lfc", "is_de", run.ranking)}
    with drawn_on(ax):
        figure = volcano(
            pd.DataFrame(columns, index=labels_of(adata)), conditions=run.conditions,
            fdr_threshold=run.threshold, ranking=run.ranking, shown=run.ranking,
            labelled=labelled, size=size,
        )  # fmt: skip
    return finished(figure, save, show)


def expression_ma(adata, *, layer=None, reference=None, compared=None, labelled=15, size=None,
                  ax=None, save=None, show=False):  # fmt: skip
    """Fold change of the genes against their mean expression over the cells of both conditions.

    Parameters
    ----------
    adata, reference, compared, size, ax, save, show
        As for `abundance_change`.
    layer : str, optional
        Layer of expression; X by default.
    labelled : int
        Number of genes that are named.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd

    from statediff.comparison import expression_of
    from statediff.expression_layer import find_normalisation
    from statediff.normalisation import mean_counts
    from statediff.plots import expression_ma as ma
    from statediff.plots.style import drawn_on
    from statediff.tables import named_change

    run = Expression(adata, reference, compared)
    matrix, _ = expression_of(adata, layer)
    normalisation, _ = find_normalisation(matrix, None)
    means = mean_counts(matrix, normalisation, np.isin(run.labels(), run.conditions))
    role = "adjusted_lfc" if run.has("adjusted_lfc") else "mean_lfc"
    columns = {"mean_expression": np.log2(1 + means), "lfc": run[role], "is_de": run["is_de"]}
    genes = pd.DataFrame(columns, index=labels_of(adata)).iloc[run.order()]
    change = named_change(role, run.conditions)
    with drawn_on(ax):
        figure = ma(genes, conditions=run.conditions, change=change, labelled=labelled, size=size)
    return finished(figure, save, show)


def significance(adata, *, reference=None, compared=None, save=None, show=False):
    """Histogram of the p-values of the genes, q-values by rank, and p-values against uniform ones.

    Parameters, but for `basis` and `ax`, and results are those of `abundance_change`.
    """
    from statediff.plots import pvalue_calibration

    run = Expression(adata, reference, compared)
    if not run.has("qvalue"):
        raise InputError("found no q-values; expected an analysis whose genes have p-values")
    figure = pvalue_calibration(
        run["pvalue"], run["qvalue"], threshold=run.threshold,
        is_de=np.asarray(run["is_de"], dtype=bool),
    )  # fmt: skip
    return finished(figure, save, show)


def contrast_comparison(adata, *, labelled=5, size=None, save=None, show=False):
    """Fold changes of the genes in two analyses against each other, a panel for each two.

    Parameters
    ----------
    adata, size, save, show
        As for `abundance_change`; of an AnnData with two analyses of expression or more.
    labelled : int
        Number of genes that are named in a panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd

    from statediff.plots import contrast_comparison as comparison

    last, tables = Expression(adata, None, None), {}
    pairs = dict.fromkeys((info["condition1"], info["condition2"]) for info in last.analyses)
    if len(pairs) < 2:
        raise InputError('uns["kompot_de"]: found one analysis; expected two or more')
    runs = {pair: Expression(adata, *pair) for pair in pairs}
    adjusted = all(run.has("adjusted_lfc") for run in runs.values())
    for (reference, compared), run in runs.items():
        rank = np.empty(adata.n_vars, dtype=int)
        rank[run.order()] = np.arange(adata.n_vars)
        lfc = run["adjusted_lfc" if adjusted else "mean_lfc"]
        columns = {"lfc": lfc, "is_de": np.asarray(run["is_de"], dtype=bool), "rank": rank}
        tables[f"{compared} / {reference}"] = pd.DataFrame(columns, index=labels_of(adata))
    change = "Adjusted log₂ fold change" if adjusted else "Mean log fold change"
    figure = comparison(tables, change=change, labelled=labelled, size=size)
    return finished(figure, save, show)


def enrichment(terms, *, fdr_threshold=0.05, top=10, categories=(), save=None, show=False):
    """Enriched terms of the called genes, and of both ends of the ranking.

    Parameters
    ----------
    terms : pandas.DataFrame
        From `statediff.tl.enrichment`.
    fdr_threshold : float
        Terms with a smaller false discovery rate are shown.
    top : int
        Largest number of terms of a panel.
    categories : sequence of str
        Names of the files that were used, for the title.
    save, show
        As for `abundance_change`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import enrichment as panels

    shown = {name: title for name, title in SETS.items() if (terms["gene_set"] == name).any()}
    figure = panels(
        terms, titles=shown, fdr_threshold=fdr_threshold, top=top, categories=categories
    )
    return finished(figure, save, show)


def smoothed_expression(adata, gene, *, reference=None, compared=None, basis="X_umap", size=None,
                        ax=None, save=None, show=False):  # fmt: skip
    """Embedding coloured by the smoothed fold change of a gene.

    Parameters
    ----------
    adata, reference, compared, basis, size, ax, save, show
        As for `abundance_change`.
    gene : str
        Name in var_names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import embedding_values
    from statediff.plots.style import drawn_on, short

    run = Expression(adata, reference, compared)
    xy, axis_names = coordinates(adata, basis)
    change = (run["phi"] @ run.difference(columns_of(adata, run, [gene])))[:, 0]
    names = " − ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"{gene}: {names}\n(units of the layer)"
    with drawn_on(ax):
        figure = embedding_values(xy, change, label=label, axis_names=axis_names, size=size)
    return finished(figure, save, show)


def fold_changes(adata, cell_type, *, genes=None, reference=None, compared=None, percentile=98.0,
                 save=None, show=False):  # fmt: skip
    """Heatmap of the mean fold changes of genes over the cells of each type.

    Parameters
    ----------
    adata, cell_type, reference, compared, save, show
        As for `abundance_volcanos`.
    genes : sequence of str, optional
        Names in var_names; by default those with the strongest evidence of change.
    percentile : float
        Percentile of the absolute values at which the colours saturate.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import gene_heatmap
    from statediff.plots.style import short

    run = Expression(adata, reference, compared)
    names = " − ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"Mean log fold change\n{names}\n(units of the layer)"
    change, types = fold_changes_of(adata, run, genes, cell_type), types_of(adata, cell_type)
    masks = [run.labels() == name for name in run.conditions]
    figure = gene_heatmap(
        change, label=label, significant=run.changed(change.index, change.columns),
        cells=[min((types[mask] == name).sum() for mask in masks) for name in change.columns],
        percentile=percentile,
    )  # fmt: skip
    return finished(figure, save, show)


def fold_change_dots(adata, cell_type, *, genes=None, layer=None, reference=None, compared=None,
                     save=None, show=False):  # fmt: skip
    """Dot plot of the fold changes of genes over cell types.

    Parameters
    ----------
    adata, cell_type, genes, reference, compared, save, show
        As for `fold_changes`.
    layer : str, optional
        Layer of expression (X by default). The size of a dot is the share of cells with values
        above 0.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd

    from statediff.plots import fold_change_dots as dots

    run = Expression(adata, reference, compared)
    change = fold_changes_of(adata, run, genes, cell_type)
    values, types = measured(adata, change.index, layer), types_of(adata, cell_type)
    share = {name: (values[types == name] > 0).mean(axis=0) for name in change.columns}
    share = pd.DataFrame(share, index=change.index)
    figure = dots(
        change, share, conditions=run.conditions,
        significant=run.changed(change.index, change.columns),
    )  # fmt: skip
    return finished(figure, save, show)


def expression_levels(adata, cell_type, *, genes=None, layer=None, reference=None, compared=None,
                      percentile=98.0, save=None, show=False):  # fmt: skip
    """Heatmap of the measured expression of genes over cell types and conditions.

    Parameters
    ----------
    adata, cell_type, genes, layer, reference, compared, save, show
        As for `fold_change_dots`.
    percentile : float
        As for `fold_changes`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import gene_heatmap
    from statediff.tables import standardised_levels

    run = Expression(adata, reference, compared)
    chosen = adata.var_names[columns_of(adata, run, genes)]
    masks = {name: run.labels() == name for name in run.conditions}
    types = types_of(adata, cell_type)
    scores = standardised_levels(measured(adata, chosen, layer), chosen, types, masks)
    inside = [(types[mask] == name).sum() for name in types.categories for mask in masks.values()]
    figure = gene_heatmap(
        scores, label="Mean expression\n(z-score of the gene)", conditions=run.conditions,
        cells=inside, percentile=percentile, **colors_of(adata, run.column, run.conditions),
    )  # fmt: skip
    return finished(figure, save, show)


def gene_regions(adata, *, genes=None, reference=None, compared=None, percentile=98.0, save=None,
                 show=False):  # fmt: skip
    """Where the called genes change: genes over cell types.

    Parameters
    ----------
    adata, reference, compared, save, show
        As for `abundance_change`; of an analysis with `cell_type`.
    genes : sequence of str, optional
        Names in var_names; by default the top-ranked genes of each pattern.
    percentile : float
        As for `fold_changes`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from collections import Counter

    import pandas as pd

    from statediff.localisation import of_each_pattern
    from statediff.plots import gene_regions as regions

    run = Expression(adata, reference, compared)
    table = run.regions()
    if table is None:
        raise InputError(
            "found no table of regions by cell type in uns; sd.tl.expression (with cell_type) "
            "and the workflow (with dataset.cell_type) write it"
        )
    pattern = pd.Series(run.pattern(), adata.var_names, dtype=object)
    if genes is None:
        ranked = run.order()
        chosen = ranked[of_each_pattern(pattern.to_numpy()[ranked], MOST_GENES)]
    else:
        chosen = columns_of(adata, run, genes)
    types = table["cell_type"].astype("category").cat.categories
    called = pattern.to_numpy()[np.asarray(run["is_de"], dtype=bool)]
    figure = regions(
        table, pattern.iloc[chosen], types, conditions=run.conditions, totals=Counter(called),
        percentile=percentile,
    )  # fmt: skip
    return finished(figure, save, show)
