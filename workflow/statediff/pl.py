"""Figures for notebooks, from an AnnData with the results of `statediff.tl` or of the workflow.

`gene_regions` needs a table that only `statediff.tl.expression` writes into the AnnData.

Every function draws the last analysis recorded in the AnnData, or the analysis of the given
conditions, and returns a matplotlib Figure. `save` writes it to a file; `show` displays it
(notebooks also display the figure that a cell returns).
"""

import json

import numpy as np

from statediff import InputError
from statediff.messages import listed
from statediff.provenance import abundance_fields, expression_fields

__all__ = [
    "abundance_change",
    "abundance_direction",
    "abundance_volcano",
    "abundance_volcanos",
    "cell_type",
    "composition",
    "condition",
    "direction_bars",
    "expression_levels",
    "expression_volcano",
    "fold_change_dots",
    "fold_changes",
    "gene_regions",
    "smoothed_expression",
]

# Number of genes shown by default.
MOST_GENES = 20
ROLES = ("reference", "compared")


def abundance_change(adata, *, reference=None, compared=None, basis="X_umap", size=None,
                     save=None, show=False):  # fmt: skip
    """Embedding coloured by the log fold change of abundance.

    Parameters
    ----------
    adata : anndata.AnnData
    reference, compared : str, optional
        Conditions of the analysis; by default those of the last one.
    basis : str
        Key of obsm with the coordinates.
    size : float, optional
        Area of a point in square points.
    save : path, optional
        File to write; matplotlib chooses the format by the ending.
    show : bool
        Whether to display the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the AnnData does not contain the results.

    Examples
    --------
    >>> sd.pl.abundance_change(adata, basis="X_umap")
    """
    from statediff.plots import embedding_values
    from statediff.plots.style import short

    run = _Abundance(adata, reference, compared)
    xy, axis_names = _coordinates(adata, basis)
    names = " / ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"Log fold change of cell density\n{names} (natural log)"
    figure = embedding_values(xy, run["lfc"], label=label, axis_names=axis_names, size=size)
    return _finished(figure, save, show)


def abundance_direction(adata, *, reference=None, compared=None, basis="X_umap", size=None,
                        save=None, show=False):  # fmt: skip
    """Embedding of the cells with a significant decrease or increase of abundance.

    Parameters and results are those of `abundance_change`.
    """
    from statediff.plots import embedding_directions

    run = _Abundance(adata, reference, compared)
    xy, axis_names = _coordinates(adata, basis)
    figure = embedding_directions(
        xy, run["lfc"], run["lfc_direction"], conditions=run.conditions, axis_names=axis_names,
        size=size,
    )  # fmt: skip
    return _finished(figure, save, show)


def abundance_volcano(adata, *, reference=None, compared=None, size=None, save=None,
                      show=False):  # fmt: skip
    """Volcano plot of cells: log fold change of abundance against its significance.

    Parameters and results are those of `abundance_change`.
    """
    from statediff.plots import abundance_volcano as volcano

    run = _Abundance(adata, reference, compared)
    figure = volcano(
        run["lfc"], direction=run["lfc_direction"], conditions=run.conditions, size=size,
        **run.significance(),
    )  # fmt: skip
    return _finished(figure, save, show)


def abundance_volcanos(adata, cell_type, *, reference=None, compared=None, save=None,
                       show=False):  # fmt: skip
    """Volcano plots of the cells of each type.

    Parameters
    ----------
    adata, reference, compared, save, show
        As for `abundance_change`.
    cell_type : str
        Column of obs.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import abundance_volcanos as volcanos

    run = _Abundance(adata, reference, compared)
    figure = volcanos(
        run["lfc"], direction=run["lfc_direction"], types=_types(adata, cell_type),
        conditions=run.conditions, **run.significance(),
    )  # fmt: skip
    return _finished(figure, save, show)


def direction_bars(adata, cell_type, *, reference=None, compared=None, order="table", save=None,
                   show=False):  # fmt: skip
    """Share of the cells of each type in states that became more or less frequent.

    Parameters
    ----------
    adata, cell_type, reference, compared, save, show
        As for `abundance_volcanos`.
    order : {"table", "cells", "up", "down"}
        Order from top to bottom: as the categories, or by decreasing number of cells or share.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import direction_bars as bars
    from statediff.tables import direction_table

    run = _Abundance(adata, reference, compared)
    table = direction_table(run["lfc_direction"], _types(adata, cell_type))
    return _finished(bars(table, conditions=run.conditions, order=order), save, show)


def composition(adata, cell_type, *, reference=None, compared=None, save=None,
                show=False):  # fmt: skip
    """Share of each cell type in both conditions, and in their samples if there are samples.

    Parameters and results are those of `abundance_volcanos`.
    """
    import pandas as pd

    from statediff.plots import composition as bars

    run = _Abundance(adata, reference, compared)
    types, labels = pd.Series(_types(adata, cell_type)), run.labels()

    def counted(cells):
        return types[cells].value_counts(sort=False)

    masks = [labels == name for name in run.conditions]
    counts = pd.DataFrame({i: counted(cells) for i, cells in enumerate(masks)})
    counts.columns = run.conditions
    samples = None
    if run.sample is not None:
        of_cell = adata.obs[run.sample].astype(str).to_numpy()
        samples = [
            pd.DataFrame({s: counted(cells & (of_cell == s)) for s in np.unique(of_cell[cells])})
            for cells in masks
        ]
    drawn = counts.sum(axis=1) > 0
    colors = _colors(adata, run.column, run.conditions)
    figure = bars(counts[drawn], conditions=run.conditions, samples=samples, **colors)
    return _finished(figure, save, show)


def condition(adata, *, reference=None, compared=None, basis="X_umap", size=None, save=None,
              show=False):  # fmt: skip
    """Embedding coloured by condition; cells of neither condition are grey.

    Parameters and results are those of `abundance_change`.
    """
    from statediff.plots import embedding_categories

    run = _Abundance(adata, reference, compared)
    xy, axis_names = _coordinates(adata, basis)
    labels = run.labels()
    figure = embedding_categories(
        xy, np.where(np.isin(labels, run.conditions), labels, ""), name=run.column,
        axis_names=axis_names, order=list(run.conditions), size=size,
        **_colors(adata, run.column, run.conditions),
    )  # fmt: skip
    return _finished(figure, save, show)


def cell_type(adata, cell_type, *, basis="X_umap", size=None, save=None, show=False):
    """Embedding coloured by cell type.

    Parameters
    ----------
    adata, basis, size, save, show
        As for `abundance_change`.
    cell_type : str
        Column of obs.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import embedding_categories

    xy, axis_names = _coordinates(adata, basis)
    types = _types(adata, cell_type)
    figure = embedding_categories(
        xy, types.astype(str), name=cell_type, axis_names=axis_names, on_data=True, size=size,
        order=list(types.categories), **_colors(adata, cell_type, types.categories),
    )  # fmt: skip
    return _finished(figure, save, show)


def expression_volcano(adata, *, reference=None, compared=None, labelled=15, size=None, save=None,
                       show=False):  # fmt: skip
    """Volcano plot of genes: mean log fold change against p-value (or distance, if it ranks them).

    Parameters
    ----------
    adata, reference, compared, size, save, show
        As for `abundance_change`.
    labelled : int
        Number of genes that are labelled.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import pandas as pd

    from statediff.plots import expression_volcano as volcano

    run = _Expression(adata, reference, compared)
    columns = {name: run[name] for name in ("mean_lfc", "is_de", run.ranking)}
    figure = volcano(
        pd.DataFrame(columns, index=_labels(adata)), conditions=run.conditions,
        fdr_threshold=run.threshold, ranking=run.ranking, shown=run.ranking, labelled=labelled,
        size=size,
    )  # fmt: skip
    return _finished(figure, save, show)


def smoothed_expression(adata, gene, *, reference=None, compared=None, basis="X_umap", size=None,
                        save=None, show=False):  # fmt: skip
    """Embedding coloured by the smoothed fold change of a gene.

    Parameters
    ----------
    adata, reference, compared, basis, size, save, show
        As for `abundance_change`.
    gene : str
        Name in var_names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import embedding_values
    from statediff.plots.style import short

    run = _Expression(adata, reference, compared)
    xy, axis_names = _coordinates(adata, basis)
    change = (run["phi"] @ run.difference(_genes(adata, run, [gene])))[:, 0]
    names = " − ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"{gene}: {names}\n(units of the layer)"
    figure = embedding_values(xy, change, label=label, axis_names=axis_names, size=size)
    return _finished(figure, save, show)


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

    run = _Expression(adata, reference, compared)
    names = " − ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"Mean log fold change\n{names}\n(units of the layer)"
    change, types = _fold_changes(adata, run, genes, cell_type), _types(adata, cell_type)
    masks = [run.labels() == name for name in run.conditions]
    figure = gene_heatmap(
        change, label=label, significant=run.changed(change.index, change.columns),
        cells=[min((types[mask] == name).sum() for mask in masks) for name in change.columns],
        percentile=percentile,
    )  # fmt: skip
    return _finished(figure, save, show)


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

    run = _Expression(adata, reference, compared)
    change = _fold_changes(adata, run, genes, cell_type)
    values, types = _measured(adata, change.index, layer), _types(adata, cell_type)
    share = {name: (values[types == name] > 0).mean(axis=0) for name in change.columns}
    share = pd.DataFrame(share, index=change.index)
    figure = dots(
        change, share, conditions=run.conditions,
        significant=run.changed(change.index, change.columns),
    )  # fmt: skip
    return _finished(figure, save, show)


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

    run = _Expression(adata, reference, compared)
    chosen = adata.var_names[_genes(adata, run, genes)]
    masks = {name: run.labels() == name for name in run.conditions}
    types, measured = _types(adata, cell_type), _measured(adata, chosen, layer)
    scores = standardised_levels(measured, chosen, types, masks)
    inside = [(types[mask] == name).sum() for name in types.categories for mask in masks.values()]
    figure = gene_heatmap(
        scores, label="Mean expression\n(z-score of the gene)", conditions=run.conditions,
        cells=inside, percentile=percentile, **_colors(adata, run.column, run.conditions),
    )  # fmt: skip
    return _finished(figure, save, show)


def gene_regions(adata, *, genes=None, reference=None, compared=None, percentile=98.0, save=None,
                 show=False):  # fmt: skip
    """Where the called genes change: genes over cell types.

    Parameters
    ----------
    adata, reference, compared, save, show
        As for `abundance_change`; the AnnData must have results of `statediff.tl.expression` with
        `cell_type`.
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

    run = _Expression(adata, reference, compared)
    table = run.regions()
    if table is None:
        raise InputError(
            "found no table of regions by cell type in uns; sd.tl.expression writes it with "
            "cell_type"
        )
    pattern = pd.Series(run["pattern"], adata.var_names, dtype=object)
    pattern = pattern.where(pattern.notna(), None)
    if genes is None:
        ranked = run.order()
        chosen = ranked[of_each_pattern(pattern.to_numpy()[ranked], MOST_GENES)]
    else:
        chosen = _genes(adata, run, genes)
    types = table["cell_type"].astype("category").cat.categories
    called = pattern.to_numpy()[np.asarray(run["is_de"], dtype=bool)]
    figure = regions(
        table, pattern.iloc[chosen], types, conditions=run.conditions, totals=Counter(called),
        percentile=percentile,
    )  # fmt: skip
    return _finished(figure, save, show)


class _Run:
    """The results of an analysis in an AnnData, by role."""

    def __init__(self, adata, reference, compared):
        self._adata = adata
        record = adata.uns.get(self.key)
        if record is None:
            raise InputError(
                f"uns[{self.key!r}]: found nothing; sd.tl.{self.function}, or the workflow, "
                "writes it"
            )
        runs = [entry["params"] for entry in json.loads(record["run_history"])]
        for self.info in reversed(runs):
            found = self.info["condition1"], self.info["condition2"]
            if (reference or found[0], compared or found[1]) == found:
                break
        else:
            pairs = "; ".join(f"{run['condition1']}, {run['condition2']}" for run in runs)
            raise InputError(
                f"reference and compared: found {reference!r} and {compared!r}; expected the "
                f"conditions of an analysis in uns[{self.key!r}]: {pairs}"
            )
        self.conditions = found
        self.column, self.sample = self.info["groupby"], self.info["sample_col"]
        self._fields = self.fields_of(*found, self.sample is not None)

    def _has(self, role):
        slot, name, *_ = self._fields.get(role, ("obs", ""))
        return name in getattr(self._adata, slot)

    def __getitem__(self, role):
        slot, name, *_ = self._fields[role]
        return np.asarray(getattr(self._adata, slot)[name])

    def labels(self):
        """Condition of each cell, as text."""
        return self._adata.obs[self.column].astype(str).to_numpy()


class _Abundance(_Run):
    key, function = "kompot_da", "abundance"
    fields_of = staticmethod(abundance_fields)

    def significance(self):
        """−log10 of the statistic by which cells are called, its name, and the thresholds."""
        thresholds, tested = self.info["threshold"], self._has("qvalue")
        tiny = np.finfo(float).tiny
        return {
            "significance": -np.log10(np.maximum(self["qvalue"], tiny))
            if tested
            else self["neg_log10_lfc_ptp"],
            "measure": "q-value" if tested else "posterior tail probability",
            "lfc_threshold": thresholds["lfc_threshold"],
            "threshold": thresholds["fdr_threshold" if tested else "ptp_threshold"],
        }


class _Expression(_Run):
    key, function = "kompot_de", "expression"

    def __init__(self, adata, reference, compared):
        super().__init__(adata, reference, compared)
        self.threshold = self.info["fdr"]["threshold"]
        self.ranking = "pvalue" if self._has("qvalue") else "mahalanobis"

    @staticmethod
    def fields_of(reference, compared, has_samples):
        calibrated = expression_fields(reference, compared, has_samples, True)
        return expression_fields(reference, compared, has_samples) | calibrated

    def order(self):
        """Columns of the genes, those with the strongest evidence of change first."""
        from statediff.significance import rank_genes

        names = [name for name in ("pvalue", "standardised", "mahalanobis") if self._has(name)]
        return rank_genes({name: self[name] for name in names}, self.ranking)

    def regions(self):
        """Cell types in which each called gene changes; None if this is unknown."""
        from statediff.comparison import stem_of

        table = self._adata.uns.get(f"{stem_of(self.conditions)}_gene_regions")
        return None if table is None or "cell_type" not in table else table

    def changed(self, genes, types):
        """Whether genes change significantly in some cells of types; None if it is unknown."""
        import pandas as pd

        table = self.regions()
        if table is None:
            return None
        known = pd.crosstab(table["gene"].astype(str), table["cell_type"].astype(str)) > 0
        return known.reindex(index=list(genes), columns=list(types), fill_value=False)

    def difference(self, genes):
        """Difference of the coefficients of some genes, shape (r, genes)."""
        reference, compared = (self[f"coefficients_{role}"][genes] for role in ROLES)
        return (compared - reference).T


def _coordinates(adata, basis):
    """Two coordinates of each cell, and their names."""
    from statediff.comparison import coordinates_of

    name = basis.removeprefix("X_").upper()
    return coordinates_of(adata, basis, "basis")[:, :2], [f"{name} {i}" for i in (1, 2)]


def _types(adata, column):
    if column not in adata.obs:
        raise InputError(f"cell_type: no obs column {column!r}; there are: {listed(adata.obs)}")
    return adata.obs[column].astype("category").cat.remove_unused_categories().array


def _labels(adata):
    return adata.var_names.to_numpy(dtype=object)


def _genes(adata, run, genes):
    """Columns of some genes, or of those with the strongest evidence of change."""
    from statediff.comparison import genes_of

    if genes is None:
        return run.order()[:MOST_GENES]
    return genes_of(adata, genes)


def _fold_changes(adata, run, genes, cell_type):
    """Mean log fold change of genes over the cells of each type."""
    from statediff.tables import fold_changes_by_type

    columns = _genes(adata, run, genes)
    return fold_changes_by_type(
        run["phi"], run.difference(columns), adata.var_names[columns], _types(adata, cell_type)
    )


def _measured(adata, genes, layer):
    """Measured expression of genes at all cells, dense."""
    part = adata[:, list(genes)]
    values = part.X if layer is None else part.layers[layer]
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)


def _colors(adata, column, shown):
    """Colours of the data set for some levels of a column, as an argument; empty without any."""
    colors, levels = adata.uns.get(f"{column}_colors"), adata.obs[column].astype("category").cat
    if colors is None or len(colors) != len(levels.categories):
        return {}
    palette = dict(zip(map(str, levels.categories), colors, strict=True))
    known = all(name in palette for name in shown)
    return {"colors": [palette[name] for name in shown]} if known else {}


def _finished(figure, save, show):
    """Write the figure to a file, and display it, if requested."""
    from statediff.plots.style import style

    if save is not None:
        with style():
            figure.savefig(save, dpi=300)
    if show:
        from IPython.display import display

        display(figure)
    return figure
