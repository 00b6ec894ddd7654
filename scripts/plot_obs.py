"""Embedding by a column of obs."""

from _figure import coordinates, obs_column, run
from statediff.plots import embedding_categories, embedding_numbers


def draw(job):
    xy, axis_names = coordinates(job)
    column, size = job.params.column, job.params.point_size
    values, levels = obs_column(job, column)
    if levels is None:
        figure = embedding_numbers(xy, values, label=column, axis_names=axis_names, size=size)
    else:
        order, colors = levels
        figure = embedding_categories(
            xy,
            values,
            name=column,
            axis_names=axis_names,
            order=order,
            colors=colors,
            size=size,
        )
    return figure


run(draw, snakemake)
