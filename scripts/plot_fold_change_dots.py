"""Dot plot of fold changes of genes over cell types."""

import numpy as np
import pandas as pd
from _figure import conditions, run
from _genes import fold_changes, measured, shown_types
from statediff.plots import fold_change_dots


def draw(job):
    change = fold_changes(job)
    values, types = measured(job, change.index), shown_types(job)
    share = {
        name: np.asarray((values[types == name] > 0).mean(axis=0)).ravel()
        for name in change.columns
    }
    share = pd.DataFrame(share, index=change.index)
    return fold_change_dots(change, share, conditions=conditions(job))


run(draw, snakemake)
