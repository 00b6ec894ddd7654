"""Blocks of cells in which the conditions of a contrast are compared, and the cells' weights."""

from _job import run
from statediff.contrast_blocks import blocks_of_contrast
from statediff.store import read_arrays, write_arrays


def main(job):
    cells = read_arrays(job.input.cells)
    coordinates = read_arrays(job.input.coordinates, "coordinates")[0]["coordinates"]
    option, how = f"contrasts.{job.wildcards.contrast}", (job.params.blocks, job.params.harmony)
    arrays, attributes = blocks_of_contrast(coordinates, *cells, how[0], option, how[1])
    write_arrays(job.output[0], arrays, **attributes)


if __name__ == "__main__":
    run(main, snakemake)
