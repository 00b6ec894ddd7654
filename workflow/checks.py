"""What a dry run says about a user's file; of a run the first jobs say it."""

import sys
import warnings
from pathlib import Path

from statediff import DataWarning, InputError
from statediff.contrast import condition_masks, find_cells, group_masks
from statediff.observations import FrameObservations, find_groups, read_column
from statediff.settings import COMPONENTS, INTEGRATED
from statediff.source import open_source

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))

from statediff.inputs import check_names, coordinates, find_counts, find_matrix, read_obsm

__all__ = ["faults_of_data"]


def faults_of_data(config, contrasts):
    """Faults of the file of a data set: its form, layer, coordinates, columns, levels and samples.

    Parameters
    ----------
    config : dict
        From `statediff.settings.checked`, with `dataset.source.path`.
    contrasts : dict
        From `statediff.settings.contrasts_of`.

    Returns
    -------
    list of str
    """
    dataset, faults = config["dataset"], []

    def attempt(check, *arguments):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)
                check(*arguments)
        except InputError as error:
            faults.append(str(error))

    def check_contrast(obs, contrast, option):
        find_cells(obs, contrast, option)
        if contrast["groups"] is not None:
            evaluated, members = condition_masks(obs, contrast, option)
            groups = find_groups(obs, contrast["groups"], f"{option}.groups", evaluated)
            group_masks(groups, members, contrast, option)

    def check_file():
        with open_source(dataset["source"]["path"], dataset["modality"]) as source:
            attempt(check_names, source.obs, source.var)
            if preprocess := dataset["preprocess"]:
                attempt(find_counts, source, preprocess["counts"], "dataset.preprocess.counts")
            else:
                attempt(find_matrix, source, dataset["layer"], "dataset.layer")
            made = (COMPONENTS, INTEGRATED) if preprocess else ()
            for option, key in coordinates(config).items():
                if key not in made:
                    attempt(read_obsm, source, key, option)
            obs = FrameObservations(source.obs)
            if dataset["cell_type"] is not None:
                attempt(read_column, obs, dataset["cell_type"], "dataset.cell_type")
            for name, contrast in contrasts.items():
                attempt(check_contrast, obs, contrast, f"contrasts.{name}")

    attempt(check_file)
    return faults
