"""Files and configurations that the workflow is run on, and what it leaves."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import yaml
from scipy import sparse
from speed.measure import measure
from statediff.fields import DIRECTIONS
from statediff.store import read_arrays, read_names

from real.data import (
    LEVELS,
    ROOT,
    SETS,
    Cells,
    draw_labels,
    halve,
    level,
    plant_bump,
    plant_type,
    thin,
)

__all__ = ["COMPONENTS", "LAYERS", "RUNS", "Results", "Run", "contrast"]

HALVES = 10
# Of these halves, the groups are tested too.
GROUPED_HALVES = 4
THINNED = 2
BUMPS = 20
SHUFFLED = 12
RATIOS = {"half": 0.5, "quarter": 0.25}
# Where a larger type loses cells, it is the share of the others that changes most.
LARGEST_TYPE = 0.35
COMPONENTS = (10, 20, 40)
LAYERS = ("natural_log", "log2")
DATA = "data.h5ad"


@dataclass(frozen=True)
class Run:
    """A file, a configuration, and what is made of them.

    Attributes
    ----------
    adata : callable
        Makes the file; `anndata.AnnData`.
    contrasts : callable
        The contrasts of the configuration, from the file; dict.
    targets : tuple of str
    dataset, fdr : dict
        What differs from the configuration of raw counts.
    """

    adata: Callable
    contrasts: Callable
    targets: tuple = ("fdr", "abundance")
    dataset: dict = field(default_factory=dict)
    fdr: dict = field(default_factory=dict)

    def prepare(self, folder):
        """Write the file, where there is none yet, and the configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / DATA).exists():
            self.adata().write_h5ad(folder / f"part_{DATA}")
            (folder / f"part_{DATA}").rename(folder / DATA)
        contrasts = self.contrasts(anndata.read_h5ad(folder / DATA))
        config = {"dataset": configured() | self.dataset, "contrasts": contrasts}
        config |= {"fdr": self.fdr} if self.fdr else {}
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def run(self, folder, cores, timed=False):
        """Run the workflow in a folder that is prepared.

        Parameters
        ----------
        folder : pathlib.Path
        cores : int
        timed : bool
            Watch time and memory too, which takes time itself.

        Returns
        -------
        succeeded : bool
            Where a job failed, those that do not need it were run all the same.
        usage : speed.measure.Usage or None
        output : str
        """
        targets = list(self.targets)
        if any(one.get("groups") for one in Results(folder).contrasts.values()):
            targets.append("groups")
        command = [sys.executable, "-m", "snakemake", *targets, "--keep-going", "--nolock"]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
        command += ["--configfile", str(folder / "config.yaml"), "--cores", str(cores)]
        if timed:
            try:
                return True, *measure(command)
            except RuntimeError as error:
                return False, None, str(error)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return not done.returncode, None, done.stdout


def configured():
    """The data set of a configuration that starts from raw counts, with all defaults."""
    return {
        "name": "real",
        "source": {"path": DATA},
        "preprocess": {},
        "cell_type": "cell_type",
        "cell_states": {"compute": {}},
        "embedding": {"compute": {}},
    }


def contrast(column, reference=LEVELS[0], compared=LEVELS[1], **design):
    """Entry of a contrast, with those of `sample`, `pair` and `groups` that are given."""
    entry = {"column": column, "reference": reference, "compared": compared}
    return entry | {key: value for key, value in design.items() if value is not None}


class Results:
    """What a run left, by contrast; a contrast that failed has nothing."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.results = self.folder / "results/real"

    @cached_property
    def contrasts(self):
        return yaml.safe_load((self.folder / "config.yaml").read_text())["contrasts"]

    @cached_property
    def adata(self):
        """The file that the workflow was given."""
        return anndata.read_h5ad(self.folder / DATA)

    @cached_property
    def gene_names(self):
        with h5py.File(self.results / "data/store.h5ad", "r") as store:
            return read_names(store["var"])

    @cached_property
    def expression(self):
        """The layer that was analysed, cells × genes."""
        return sparse.csr_matrix(anndata.read_h5ad(self.results / "data/store.h5ad").X)

    def has(self, name, *files):
        return all((self.results / name / file).exists() for file in files)

    def genes(self, name):
        """Test and mean fold change of the genes of a contrast, by gene.

        Returns
        -------
        pandas.DataFrame
            `pvalue`, `called`, `mean_lfc`, `distance` (Mahalanobis).
        """
        names = {"pvalue": "pvalue", "is_de": "called", "mean_lfc": "mean_lfc",
                 "mahalanobis": "distance"}  # fmt: skip
        arrays, _ = read_arrays(self.results / name / "stages/fdr.h5", *names)
        return pd.DataFrame(arrays, index=self.gene_names).rename(columns=names)

    def cells(self, name):
        """Log fold changes, z-scores and calls of the cells of a contrast, in the file's order.

        Returns
        -------
        pandas.DataFrame
            `lfc`, `zscore`, `direction` (−1, 0 or 1).
        """
        arrays, _ = read_arrays(
            self.results / name / "stages/abundance.h5", "lfc", "lfc_zscore", "lfc_direction"
        )
        direction = arrays["lfc_direction"].astype(int) - DIRECTIONS.index("neutral")
        found = {"lfc": arrays["lfc"], "zscore": arrays["lfc_zscore"], "direction": direction}
        return pd.DataFrame(found)

    def groups(self, name):
        """Genes × groups: mean fold changes, and calls."""
        table = pd.read_csv(self.results / name / "tables/gene_groups.tsv", sep="\t")
        lfc, called = (
            table.pivot(index="gene", columns="group", values=column).reindex(self.gene_names)
            for column in ("mean_lfc", "is_de")
        )
        return lfc, called.fillna(False).astype(bool)

    def summary(self, name):
        return json.loads((self.results / name / "summary.json").read_text())


def whole(real):
    """The data set as it is, to the tables and the AnnData, with samples and without."""

    def contrasts(adata):
        levels = ("condition", real.reference, real.compared)
        made = {
            "with_sample": contrast(*levels, sample="sample", groups="cell_type"),
            "without_sample": contrast(*levels, groups="cell_type"),
        }
        if real.pairs is not None:
            made["with_pairs"] = contrast(*levels, pair=real.pairs, groups="cell_type")
        return made

    return Run(lambda: real.adata, contrasts, targets=("results",))


def components(real, number):
    """With another number of diffusion components."""

    def contrasts(adata):
        levels = ("condition", real.reference, real.compared)
        return {"with_sample": contrast(*levels, sample="sample", groups="cell_type")}

    compute = {"n_components": number}
    return Run(lambda: real.adata, contrasts, dataset={"cell_states": {"compute": compute}})


def layers(real, layer):
    """Another unit of the same log expression: the file has both, and no counts."""

    def adata():
        made = real.adata.copy()
        cells = Cells.of(made, "condition", real.reference, real.compared)
        counts = cells.counts.astype(np.float64)
        factor = 1e4 / np.asarray(counts.sum(axis=1)).ravel()
        natural = sparse.csr_matrix(sparse.diags(factor) @ counts).log1p()
        made.layers["natural_log"] = natural.astype(np.float32)
        made.layers["log2"] = (natural / np.log(2)).astype(np.float32)
        made.X = made.layers["natural_log"]
        made.obsm["X_pca"] = cells.pcs
        return made

    def contrasts(adata):
        levels = ("condition", real.reference, real.compared)
        return {"with_sample": contrast(*levels, sample="sample")}

    dataset = {"preprocess": None, "layer": layer, "embedding": {"key": "X_pca"}}
    dataset["cell_states"] = {"compute": {"from": "X_pca"}}
    return Run(adata, contrasts, dataset=dataset)


def nulls(real):
    """Cells of one condition, in random halves, and samples in balanced splits."""

    def adata():
        made, generator = real.controls.copy(), np.random.default_rng(1)
        samples = made.obs["sample"].astype(str).to_numpy()
        for i in range(HALVES):
            half = halve(samples, generator)
            made.obs[f"half_{i}"] = level(half)
        names = np.unique(samples)
        if len(names) == 4:
            for i, others in enumerate(names[1:]):
                made.obs[f"split_{i}"] = level(np.isin(samples, [names[0], others]))
        return made

    def contrasts(adata):
        made = {}
        for i in range(HALVES):
            groups = "cell_type" if i < GROUPED_HALVES else None
            made[f"half_{i}"] = contrast(f"half_{i}")
            # Both halves of a sample: a pair.
            made[f"half_{i}_sample"] = contrast(f"half_{i}", pair="sample", groups=groups)
        for column in filter(lambda name: name.startswith("split_"), adata.obs):
            made[column] = contrast(column, sample="sample", groups="cell_type")
        return made

    return Run(adata, contrasts)


def depth(real, draw):
    """A random half of the cells of one condition with half of their counts."""

    def adata():
        made, generator = real.controls.copy(), np.random.default_rng(100 + draw)
        samples = made.obs["sample"].astype(str).to_numpy()
        half = halve(samples, generator)
        made.X = thin(made.X, half, 0.5, generator)
        made.obs["thinned"] = level(half)
        return made

    def contrasts(adata):
        return {
            "thinned": contrast("thinned"),
            "thinned_sample": contrast("thinned", pair="sample"),
        }

    return Run(adata, contrasts)


def planted(real):
    """All cells, with labels drawn at random: changes of abundance that are known, or none."""

    def adata():
        made, generator = real.adata.copy(), np.random.default_rng(7)
        cells = Cells.of(made, "condition", real.reference, real.compared)
        log_odds = {}
        for i in range(BUMPS):
            # No method's own coordinates are preferred.
            coordinates = cells.pcs if i % 2 else cells.states
            log_odds[f"bump_{i}"] = plant_bump(coordinates, generator)
        types = made.obs["cell_type"].astype(str)
        shares = types.value_counts(normalize=True).sort_index()
        for number, name in enumerate(shares.index[shares <= LARGEST_TYPE]):
            for ratio, value in RATIOS.items():
                log_odds[f"{ratio}_{number}"] = plant_type(types, name, value)
        log_odds |= {f"shuffled_{i}": np.zeros(made.n_obs) for i in range(SHUFFLED)}
        for name, values in log_odds.items():
            made.obs[f"log_odds_{name}"] = values
            made.obs[name] = level(draw_labels(values, generator))
            # Methods that need samples get random ones, three a condition.
            dealt = generator.integers(3, size=made.n_obs).astype(str)
            made.obs[f"{name}_sample"] = made.obs[name] + "_" + dealt
        return made

    def contrasts(adata):
        found = [name for name in adata.obs if f"log_odds_{name}" in adata.obs]
        return {name: contrast(name) for name in found}

    return Run(adata, contrasts, targets=("abundance",))


def runs_of(real):
    """All runs of a data set, by name; the first is the one that is timed."""
    runs = {"whole": whole(real), "nulls": nulls(real), "planted": planted(real)}
    runs |= {f"components_{number}": components(real, number) for number in COMPONENTS}
    runs |= {f"layer_{layer}": layers(real, layer) for layer in LAYERS}
    runs |= {f"depth_{draw}": depth(real, draw) for draw in range(THINNED)}
    return runs


# By data set and name.
RUNS = {name: runs_of(real) for name, real in SETS.items()}
