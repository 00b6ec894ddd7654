"""Find the cells of each group of a contrast, and which groups are underrepresented."""

from _job import run
from statediff.contrast import condition_masks, group_masks
from statediff.observations import StoredObservations, find_groups
from statediff.store import open_h5ad, write_arrays


def main(job):
    contrast, option = job.params.contrast, f"contrasts.{job.wildcards.contrast}"
    with open_h5ad(job.input[0]) as store:
        obs = StoredObservations(store)
        evaluated, members = condition_masks(obs, contrast, option)
        groups = find_groups(obs, contrast["groups"], f"{option}.groups", evaluated)
    write_arrays(job.output[0], group_masks(groups, members, contrast, option))


if __name__ == "__main__":
    run(main, snakemake)
