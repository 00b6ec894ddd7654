"""Embedding by a column of obs."""

from _figure import chosen_cells, coordinates, obs_column, run
from statediff.plots import embedding_categories, embedding_numbers


def draw(job):
    xy, axis_names = coordinates(job)
    column = job.params.column
    options = {"axis_names": axis_names, "shown": chosen_cells(job), "size": job.params.point_size}
    values, levels = obs_column(job, column)
    if levels is None:
        figure = embedding_numbers(xy, values, label=column, **options)
    else:
        order, colors = levels
        figure = embedding_categories(
            xy, values, name=column, order=order, colors=colors, **options
        )
    return figure


if __name__ == "__main__":
    run(draw, snakemake)
