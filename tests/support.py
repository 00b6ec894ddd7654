"""Where things are, running Snakemake as a user would and servers, and a data set of 60 cells."""

import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import started
from scipy import sparse

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("STATEDIFF_SHARED", ROOT.parent / "shared"))


def run_snakemake(directory, *arguments, snakefile=ROOT / "Snakefile", configfile=None, check=True):
    """Run the workflow in a directory; returns the completed process, output in `stdout`.

    The output names every job as Snakemake does, without the short lines that users see.
    """
    command = [sys.executable, "-m", "snakemake", "-s", str(snakefile), "--quiet", "host"]
    command += ["--directory", str(directory), *map(str, arguments)]
    if configfile is not None:
        files = configfile if isinstance(configfile, list) else [configfile]
        command += ["--configfile", *map(str, files)]
    done = started.run(command, directory)
    if check and done.returncode:
        raise AssertionError(
            f"snakemake {' '.join(map(str, arguments))} failed:\n{done.stdout[-4000:]}"
        )
    return done


@contextmanager
def serving(server):
    """Run a server in a thread of its own until the end of the block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


CONFIG = {
    "dataset": {
        "name": "tiny",
        "source": {"path": "data.h5ad"},
        "layer": "logged",
        "cell_type": "cell_type",
        "cell_states": {"key": "DM"},
        "embedding": {"key": "X_umap"},
    },
    # The calibrated tests need more cells.
    "conventions": "kompot-0.8",
    "contrasts": {"a_vs_b": {"column": "group", "reference": "a", "compared": "b"}},
}


def tiny():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"group": ["a"] * 30 + ["b"] * 22 + ["c"] * 8, "cell_type": ["x", "y"] * 30},
        index=[f"cell{i}" for i in range(60)],
    )
    counts = sparse.csr_matrix(rng.poisson(1.0, (60, 20)).astype(np.float32))
    return anndata.AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(index=[f"gene{i}" for i in range(20)]),
        layers={"logged": np.log1p(counts)},
        obsm={"DM": rng.normal(size=(60, 3)), "X_umap": rng.normal(size=(60, 2))},
    )
