"""Figures of the models of single genes, and of how well they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statediff.pl._results import (
    Expression,
    colors_of,
    coordinates,
    finished,
    measured,
    panels_of,
    types_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.figure import Figure


def sample_expression(adata: AnnData, cell_type: str, *, genes: Sequence[str] | None = None,
                      reference: str | None = None, compared: str | None = None,
                      save: str | PathLike | None = None,
                      show: bool = False) -> Figure:  # fmt: skip
    """Expression of genes in each sample and cell type (pseudobulk), a panel for each gene.

    Parameters
    ----------
    adata, cell_type, reference, compared, save, show
        As for `abundance_volcanos`.
    genes : sequence of str, optional
        Names in var_names; by default four of the top-ranked genes, of each pattern of change.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the AnnData does not contain the results, or other values than those of the analysed
        layer were tested (raw counts, where the layer is not a function of them).

    Examples
    --------
    >>> sd.pl.sample_expression(adata, "cell_type", genes=["CD34"])
    """
    from scipy import sparse

    from statediff.comparison import expression_of
    from statediff.linear import infer_transform
    from statediff.normalisation import counts_per_10000, sample_rows
    from statediff.plots import sample_expression as pseudobulks
    from statediff.tables import sample_table

    run, types = Expression(adata, reference, compared), types_of(adata, cell_type)
    run.require("size_factor")
    names = adata.var_names[panels_of(adata, run, genes)]
    transform = infer_transform(sample_rows(expression_of(adata, run.layer)[0])[1])
    values = sparse.csr_matrix(measured(adata, names, run.layer))
    values = counts_per_10000(values, transform, run["size_factor"])
    codes, of_sample = run.samples()
    pairs, column = None, run.info["pair_col"]
    if column is not None:
        donors = adata.obs[column].astype(str).to_numpy()
        pairs = np.array([donors[codes == code][0] for code in range(len(of_sample))])
    table = sample_table(values, list(names), types, codes, of_sample, pairs)
    figure = pseudobulks(
        table, [name for name in types.categories if (table["cell_type"] == name).any()],
        conditions=run.conditions, significant=run.changed(names, types.categories),
        **colors_of(adata, run.column, run.conditions),
    )  # fmt: skip
    return finished(figure, save, show)


def gene_panels(adata: AnnData, *, genes: Sequence[str] | None = None,
                reference: str | None = None, compared: str | None = None, basis: str = "X_umap",
                size: float | None = None, save: str | PathLike | None = None,
                show: bool = False) -> Figure:  # fmt: skip
    """Smoothed expression, fold change and its uncertainty on the embedding, a row for each gene.

    The standard deviation of the change includes the variance between the samples, for which the
    genes that are shown are fitted again in each sample.

    Parameters
    ----------
    adata, reference, compared, basis, size, save, show
        As for `abundance_change`.
    genes : sequence of str, optional
        As for `sample_expression`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the AnnData does not contain the results.

    Examples
    --------
    >>> sd.pl.gene_panels(adata, genes=["CD34", "GATA1"], basis="X_umap")
    """
    from statediff.plots import gene_panels as panels

    run = Expression(adata, reference, compared)
    xy, axis_names = coordinates(adata, basis)
    columns = panels_of(adata, run, genes)
    before, after, _, spread = run.curves(columns)
    rows = {
        name: (before[:, i], after[:, i], spread[:, i])
        for i, name in enumerate(adata.var_names[columns])
    }
    figure = panels(xy, rows, conditions=run.conditions, axis_names=axis_names, size=size)
    return finished(figure, save, show)


def expression_along(adata: AnnData, *, genes: Sequence[str] | None = None,
                     component: int | None = None, reference: str | None = None,
                     compared: str | None = None, size: float | None = None,
                     save: str | PathLike | None = None, show: bool = False) -> Figure:  # fmt: skip
    """Measured and smoothed expression along a component of the cell states, a panel for each gene.

    Parameters
    ----------
    adata, reference, compared, size, save, show
        As for `abundance_change`.
    genes : sequence of str, optional
        As for `sample_expression`.
    component : int, optional
        Number of the component of the cell states, counted from 1; by default the first that
        varies.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the AnnData does not contain the results, or there is no such component.

    Examples
    --------
    >>> sd.pl.expression_along(adata, genes=["CD34"], component=2)
    """
    from statediff.comparison import coordinates_of
    from statediff.plots import expression_along as along
    from statediff.states import chosen_component

    run = Expression(adata, reference, compared)
    key = run.info["obsm_key"]
    states = coordinates_of(adata, key, "states")
    number = chosen_component(states, component, "component", key)
    columns = panels_of(adata, run, genes)
    names = adata.var_names[columns]
    before, after, stds, _ = run.curves(columns)
    values = measured(adata, names, run.layer)
    panels = {
        name: (values[:, i], np.column_stack([before[:, i], after[:, i]]), stds[:, i])
        for i, name in enumerate(names)
    }
    figure = along(
        states[:, number - 1], panels, run.members(), name=f"{key}, component {number}",
        conditions=run.conditions, size=size, **colors_of(adata, run.column, run.conditions),
    )  # fmt: skip
    return finished(figure, save, show)


def fit(adata: AnnData, *, reference: str | None = None, compared: str | None = None,
        save: str | PathLike | None = None, show: bool = False) -> Figure:  # fmt: skip
    """How smooth the models are: length scale, degrees of freedom, signal-to-noise ratios.

    Parameters
    ----------
    adata, reference, compared, save, show
        As for `abundance_change`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the AnnData does not contain the results.

    Examples
    --------
    >>> sd.pl.fit(adata)
    """
    from statediff.plots import fit_overview

    run = Expression(adata, reference, compared)
    colors = colors_of(adata, run.column, run.conditions)
    figure = fit_overview(**run.fit(), conditions=run.conditions, **colors)
    return finished(figure, save, show)
