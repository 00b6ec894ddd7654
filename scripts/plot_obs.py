"""Embedding by a column of obs."""

from _figure import coordinates, own_colors, save
from _job import run
from anndata.io import read_elem
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from statediff.plots import embedding_categories, embedding_numbers
from statediff.store import open_h5ad


def main(job):
    xy, axis_names = coordinates(job)
    column = job.params.column
    with open_h5ad(job.input.store) as store:
        values = read_elem(store["obs"])[column]
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        figure = embedding_numbers(
            xy, values, label=column, axis_names=axis_names, size=job.params.point_size
        )
    else:
        known = values.astype("category").cat.remove_unused_categories()
        # Cells without a value have no name, and are drawn in grey.
        labels = known.astype(str).where(known.notna(), "")
        order = [str(name) for name in known.cat.categories]
        figure = embedding_categories(
            xy,
            labels,
            name=column,
            axis_names=axis_names,
            order=order,
            colors=own_colors(job.input.store, column, order),
            size=job.params.point_size,
        )
    save(job, figure)


run(main, snakemake)
