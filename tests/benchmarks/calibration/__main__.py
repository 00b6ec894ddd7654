"""Steps of the benchmark, each a command: data, score, report."""

import importlib
import sys

from statediff.disk import atomic

from calibration.data import load, make, save
from calibration.grid import GRID, tasks
from calibration.scoring import score


def data(name, path):
    """Make a data set of the grid."""
    save(make(GRID[name]), path)


def score_methods(module, name, source, path):
    """Score a module's methods on a data set."""
    dataset = load(source, GRID[name])
    table = score(dataset, importlib.import_module(f"calibration.{module}"), tasks(name))
    table.insert(0, "dataset", name)
    table.insert(1, "separation", dataset.separation)
    with atomic(path) as part:
        table.to_csv(part, sep="\t", index=False, float_format="%.6g")


def report(documents, path, *tables):
    """Gather all scores in one table, and write the document with its figures."""
    from calibration.report import gather, write

    scores = gather(tables)
    with atomic(path) as part:
        scores.to_csv(part, sep="\t", index=False, float_format="%.6g")
    write(scores, documents)


if __name__ == "__main__":
    step, *arguments = sys.argv[1:]
    {"data": data, "score": score_methods, "report": report}[step](*arguments)
