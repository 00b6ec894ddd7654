"""The package on its own: what a wheel holds, and how few packages a notebook needs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import ROOT

UV = Path(sys.prefix) / "bin/uv"
# An analysis with cell states and components that are given, as in a notebook.
ANALYSIS = """
import sys, time
begin = time.perf_counter()
import statediff as sd
assert time.perf_counter() - begin < 1.0
assert not {"jax", "matplotlib", "pandas", "scipy"} & set(sys.modules)
import anndata, numpy as np, pandas as pd
rng = np.random.default_rng(0)
obs = pd.DataFrame({"age": np.repeat(["young", "old"], 150), "animal": np.tile(list("abcdef"), 50)})
obs["animal"] = obs["animal"] + obs["age"]
states = rng.normal(size=(300, 3))
counts = rng.poisson(np.exp(states[:, :1] + rng.normal(size=40)) + 0.5)
adata = anndata.AnnData(np.log1p(1e4 * counts / counts.sum(1, keepdims=True)), obs=obs,
                        obsm={"DM_EigenVectors": states, "X_pca": states})
cells = sd.tl.abundance(adata, "age", "young", "old", sample="animal")
genes = sd.tl.expression(adata, "age", "young", "old", sample="animal", threads=1)
assert len(cells) == 300 and len(genes) == 40 and genes["qvalue"].min() > 0.01
assert not {"matplotlib", "scanpy", "snakemake"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # A build writes into the folder of the sources.
    sources = folder / "sources"
    shutil.copytree(ROOT / "workflow/statediff", sources / "workflow/statediff")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    done = subprocess.run(
        [UV, "build", "--quiet", "--wheel", "--out-dir", folder, sources],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if "Failed to fetch" in done.stderr:
        pytest.skip(f"no package index: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_a_wheel_holds_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"statediff/tl.py", "statediff/pl/__init__.py", "statediff/py.typed",
            "statediff/plots/explore.html"} <= set(names)  # fmt: skip
    assert {name.split("/")[0].split("-")[0] for name in names} == {"statediff"}


def test_a_notebook_needs_few_packages(wheel, tmp_path):
    pins = tmp_path / "pins.txt"
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    pins.write_text("\n".join(line.removesuffix(" \\") for line in lines if line[:1] != " "))
    python = tmp_path / "venv/bin/python"
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        [UV, "pip", "install", "--quiet", "--python", python, "--constraint", pins, wheel],
    ):
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if "Failed to fetch" in done.stderr:
            pytest.skip(f"no package index: {done.stderr.splitlines()[0]}")
        assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [UV, "pip", "list", "--python", python, "--format", "freeze"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    names = {line.split("==")[0] for line in listed.stdout.splitlines()}
    assert not {"snakemake", "scanpy", "matplotlib", "palantir"} & names
    assert len(names) < 40, names
    done = subprocess.run(
        [python, "-W", "ignore", "-c", ANALYSIS],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
