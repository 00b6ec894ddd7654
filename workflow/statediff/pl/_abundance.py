"""Figures of cells: abundance, conditions, cell types."""

import numpy as np

from statediff import InputError
from statediff.pl._results import Abundance, colors_of, coordinates, finished, types_of


def abundance_change(adata, *, reference=None, compared=None, basis="X_umap", size=None,
                     ax=None, save=None, show=False):  # fmt: skip
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
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; a figure of its own by default.
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
    from statediff.plots.style import drawn_on, short

    run = Abundance(adata, reference, compared)
    xy, axis_names = coordinates(adata, basis)
    names = " / ".join(short(name, 25) for name in reversed(run.conditions))
    label = f"log₂ fold change of cell density\n{names}"
    with drawn_on(ax):
        figure = embedding_values(xy, run["lfc"], label=label, axis_names=axis_names, size=size)
    return finished(figure, save, show)


def abundance_direction(adata, *, reference=None, compared=None, basis="X_umap", size=None,
                        save=None, show=False):  # fmt: skip
    """Embedding of the cells with a significant decrease or increase of abundance.

    Parameters, but for `ax`, and results are those of `abundance_change`.
    """
    from statediff.plots import embedding_directions

    run = Abundance(adata, reference, compared)
    xy, axis_names = coordinates(adata, basis)
    figure = embedding_directions(
        xy, run["lfc"], run["lfc_direction"], conditions=run.conditions, axis_names=axis_names,
        size=size,
    )  # fmt: skip
    return finished(figure, save, show)


def abundance_volcano(adata, *, reference=None, compared=None, size=None, ax=None, save=None,
                      show=False):  # fmt: skip
    """Volcano plot of cells: log fold change of abundance against its significance.

    Parameters and results are those of `abundance_change`.
    """
    from statediff.plots import abundance_volcano as volcano
    from statediff.plots.style import drawn_on

    run = Abundance(adata, reference, compared)
    with drawn_on(ax):
        figure = volcano(
            run["lfc"], direction=run["lfc_direction"], conditions=run.conditions, size=size,
            **run.significance(),
        )  # fmt: skip
    return finished(figure, save, show)


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

    run = Abundance(adata, reference, compared)
    figure = volcanos(
        run["lfc"], direction=run["lfc_direction"], types=types_of(adata, cell_type),
        conditions=run.conditions, **run.significance(),
    )  # fmt: skip
    return finished(figure, save, show)


def abundance_swarm(adata, cell_type, *, reference=None, compared=None, ax=None, save=None,
                    show=False):  # fmt: skip
    """Change of abundance within each cell type: a point for each block of similar cells.

    The blocks are those of the last `statediff.tl.expression` (or of the workflow).

    Parameters
    ----------
    adata, cell_type, reference, compared, save, show
        As for `abundance_volcanos`.
    ax : matplotlib.axes.Axes, optional
        As for `abundance_change`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.fields import expression_fields
    from statediff.plots import abundance_swarm as swarm
    from statediff.plots.style import drawn_on
    from statediff.tables import swarm_table

    run, types = Abundance(adata, reference, compared), types_of(adata, cell_type)
    _, blocks, *_ = expression_fields(*run.conditions, run.sample is not None)["block"]
    if blocks not in adata.obs:
        raise InputError(f"no obs column {blocks!r}; sd.tl.expression writes it")
    table = swarm_table(adata.obs[blocks].to_numpy(), types, run["lfc"], run["lfc_direction"])
    shown = [name for name in types.categories if (table["cell_type"] == name).any()]
    threshold = run.significance()["lfc_threshold"]
    with drawn_on(ax):
        figure = swarm(table, shown, conditions=run.conditions, lfc_threshold=threshold)
    return finished(figure, save, show)


def direction_bars(adata, cell_type, *, reference=None, compared=None, order="table", ax=None,
                   save=None, show=False):  # fmt: skip
    """Share of the cells of each type in states that became more or less frequent.

    Parameters
    ----------
    adata, cell_type, reference, compared, save, show
        As for `abundance_volcanos`.
    order : {"table", "cells", "up", "down"}
        Order from top to bottom: as the categories, or by decreasing number of cells or share.
    ax : matplotlib.axes.Axes, optional
        As for `abundance_change`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import direction_bars as bars
    from statediff.plots.style import drawn_on
    from statediff.tables import direction_table

    run = Abundance(adata, reference, compared)
    table = direction_table(run["lfc_direction"], types_of(adata, cell_type))
    with drawn_on(ax):
        figure = bars(table, conditions=run.conditions, order=order)
    return finished(figure, save, show)


def composition(adata, cell_type, *, reference=None, compared=None, ax=None, save=None,
                show=False):  # fmt: skip
    """Share of each cell type in both conditions, and in their samples if there are samples.

    Parameters and results are those of `abundance_swarm`.
    """
    import pandas as pd

    from statediff.plots import composition as bars
    from statediff.plots.style import drawn_on

    run = Abundance(adata, reference, compared)
    types, labels = pd.Series(types_of(adata, cell_type)), run.labels()

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
    colors = colors_of(adata, run.column, run.conditions)
    with drawn_on(ax):
        figure = bars(counts[drawn], conditions=run.conditions, samples=samples, **colors)
    return finished(figure, save, show)


def condition(adata, *, reference=None, compared=None, basis="X_umap", size=None, ax=None,
              save=None, show=False):  # fmt: skip
    """Embedding coloured by condition; cells of neither condition are grey.

    Parameters and results are those of `abundance_change`.
    """
    from statediff.plots import embedding_categories
    from statediff.plots.style import drawn_on

    run = Abundance(adata, reference, compared)
    xy, axis_names = coordinates(adata, basis)
    labels = run.labels()
    with drawn_on(ax):
        figure = embedding_categories(
            xy, np.where(np.isin(labels, run.conditions), labels, ""), name=run.column,
            axis_names=axis_names, order=list(run.conditions), size=size,
            **colors_of(adata, run.column, run.conditions),
        )  # fmt: skip
    return finished(figure, save, show)


def cell_type(adata, cell_type, *, basis="X_umap", size=None, ax=None, save=None, show=False):
    """Embedding coloured by cell type.

    Parameters
    ----------
    adata, basis, size, ax, save, show
        As for `abundance_change`.
    cell_type : str
        Column of obs.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from statediff.plots import embedding_categories
    from statediff.plots.style import drawn_on

    xy, axis_names = coordinates(adata, basis)
    types = types_of(adata, cell_type)
    with drawn_on(ax):
        figure = embedding_categories(
            xy, types.astype(str), name=cell_type, axis_names=axis_names, on_data=True, size=size,
            order=list(types.categories), **colors_of(adata, cell_type, types.categories),
        )  # fmt: skip
    return finished(figure, save, show)
