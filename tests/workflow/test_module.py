"""The workflow as a module of other Snakefiles: from a clone or git, changed, twice in one."""

import copy
import json
import os
import re
import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
import yaml
from support import CONFIG, ROOT, run_snakemake, serving, tiny

RESULTS = "results/small/young_vs_old"
GITFILE = 'gitfile("{repository}", path="workflow/Snakefile", tag="v1")'
GITHUB = 'github("owner/statediff", path="workflow/Snakefile", tag="v1")'
GITLAB = 'gitlab("owner/statediff", path="workflow/Snakefile", branch="main")'
IMPORT = """
module {name}:
    snakefile: {source}
    config: config["{name}"]
    {where}

use rule * from {name} as {name}_*
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository of the project as it is now, but for its age and version, with a tag."""
    if shutil.which("git") is None:
        pytest.skip("no git")
    folder = tmp_path_factory.mktemp("repository")
    for name in ("workflow", "scripts", "envs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", folder)
    # What the report says of warnings.
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs/warnings.md", folder / "docs")
    version = folder / "workflow/statediff/__init__.py"
    version.write_text(re.sub('(__version__ = ").*"', r'\1from git"', version.read_text()))
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    old = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "@1600000000 +0000")
    own = os.environ | old | {"GIT_CONFIG_GLOBAL": os.devnull}
    for command in ("init -q -b main", "add .", "commit -q -m all", "tag v1"):
        subprocess.run(["git", *who, *command.split()], cwd=folder, env=own, check=True)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def hosted(request, monkeypatch, cache):
    """Snakemake's cache, and the repository instead of one at GitHub or GitLab."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    if "repository" in request.fixturenames:
        folder = request.getfixturevalue("repository")
        hosts = ("github.com", "gitlab.com")
        monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(hosts)))
        for i, host in enumerate(hosts):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{i}", f"url.file://{folder}.insteadOf")
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{i}", f"https://{host}/owner/statediff")


def write(directory, text, **sections):
    """A Snakefile that imports, and its configuration."""
    (directory / "config.yaml").write_text(yaml.safe_dump(sections))
    (directory / "Snakefile").write_text(f'configfile: "config.yaml"\n{text}')


def run(directory, *arguments, **options):
    cores = ["--cores", "all", *arguments]
    return run_snakemake(directory, *cores, snakefile=directory / "Snakefile", **options)


def made(done):
    return sorted(re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M))


def planned(done):
    """How many jobs of each rule a dry run, or a plan, tells of."""
    rows = re.findall(r"^(\w+) +(\d+)(?: +[\d.]+){4}$", done.stdout, re.M)
    if not rows:
        table = done.stdout.split("Job stats:")[1].split("\n\n")[0]
        rows = re.findall(r"^(\w+) +(\d+)$", table, re.M)
    return {name: int(jobs) for name, jobs in rows if name not in ("all", "total")}


def results_in(report):
    """The files in a report, with their captions."""
    return json.loads(re.search(r"^ *var results = (\{.*\});$", report.read_text(), re.M).group(1))


def test_the_example_from_a_clone(small_copy, small_config):
    """Nothing but the changed rule and the report is made again in the folder of a plain run."""
    (small_copy / "statediff").symlink_to(ROOT, target_is_directory=True)
    example = (ROOT / "docs/module/Snakefile").read_text()
    assert example in (ROOT / "docs/module.md").read_text()
    write(small_copy, "", statediff=yaml.safe_load(small_config.read_text()), other="of mine")
    (small_copy / "Snakefile").write_text(example)
    before = (small_copy / "results/small/figures/cell_type.png").read_bytes()
    done = run(small_copy, "sd_all", "sd_report")
    pages = [f"sd_{name}_page" for name in ("contrast", "gene", "methods", "provenance")]
    assert made(done) == sorted(["sd_all", "sd_plot_cell_type", *pages, "sd_report"])
    assert (small_copy / "results/small/figures/cell_type.png").read_bytes() != before
    results = results_in(small_copy / "results/small/report.html")
    assert "Old" in results[f"{RESULTS}/figures/expression_volcano.png"]["caption"]
    assert {f"{RESULTS}/methods.html", "results/small/figures/cell_type.png"} <= results.keys()


def test_scripts_find_the_library_of_a_tag(small_copy, small_config, repository):
    text = IMPORT.format(name="sd", source=GITFILE.format(repository=repository), where="")
    page = (ROOT / "docs/module.md").read_text()
    (hooks,) = re.findall("```python\n(onstart:.*?)```", page, re.S)
    assert "print_comparison()" in hooks
    text += hooks.replace("statediff.", "sd.")
    write(small_copy, text, sd=yaml.safe_load(small_config.read_text()))
    tables = small_copy / RESULTS / "tables"
    before = pd.read_parquet(tables / "genes.parquet")
    lost = [tables / "genes.parquet", small_copy / RESULTS / "figures/composition.png"]
    lost += [small_copy / RESULTS / "summary.json", small_copy / "results/small/logs/command.txt"]
    for path in lost:
        path.unlink()
    done = run(small_copy)
    again = ("adata", "all", "contrast_table", "gene_table", "plot_composition", "summary")
    assert set(made(done)) == {f"sd_{name}" for name in again}
    pd.testing.assert_frame_equal(pd.read_parquet(tables / "genes.parquet"), before)
    summary = json.loads((small_copy / RESULTS / "summary.json").read_text())
    assert summary["versions"]["statediff"] == "from git"
    assert lost[-1].is_file()
    assert "young_vs_old: Old against Young" in done.stdout
    assert "up to date" in run(small_copy, "-n").stdout


def test_two_data_sets_from_hosts(tmp_path, repository):
    """Each import has its own contrasts, chunks of genes and folders."""
    one, two = (copy.deepcopy(CONFIG) for _ in range(2))
    two["contrasts"]["b_vs_a"] = {"column": "group", "reference": "b", "compared": "a"}
    two["expression"] = {"gene_chunks": 3}
    tiny().write_h5ad(tmp_path / "data.h5ad")
    places = (GITHUB, 'prefix: "first"'), (GITLAB, 'pathvars: results="second"')
    text = "rule mine:\n    output: touch('mine.txt')\n"
    for name, (source, where) in zip(("one", "two"), places):
        text += IMPORT.format(name=name, source=source, where=where)
    write(tmp_path, text, one=one, two=two)
    assert planned(run(tmp_path, "-n")) == {"mine": 1}
    jobs = planned(run(tmp_path, "one_plan", "two_plan"))
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one))
    plain = planned(run_snakemake(tmp_path, "-n", configfile=tmp_path / "one.yaml"))
    assert {f"one_{rule}": number for rule, number in plain.items()}.items() <= jobs.items()
    # A figure that compares two contrasts is of the second alone.
    expected = {f"{name}_{rule}" for name in ("one", "two") for rule in plain}
    assert jobs.keys() == expected | {"two_plot_contrast_comparison"}
    assert jobs["two_expression_predict"] == 3 * jobs["one_expression_predict"] == 6
    run(tmp_path, "one_cell_types", "two_cell_types")
    tables = [
        pd.read_parquet(tmp_path / folder / "tiny/data/cell_types.parquet")
        for folder in ("first/results", "second")
    ]
    pd.testing.assert_frame_equal(*tables)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([f'"{ROOT}/Snakefile"', GITHUB], "found two copies of statediff in one workflow"),
        ([GITFILE.replace("workflow/", "")], "expected workflow/Snakefile"),
        ([GITHUB.replace("workflow/", "")], "expected workflow/Snakefile"),
        (['"{url}/workflow/Snakefile"'], "expected one on this machine, or in a git repository"),
    ],
)
def test_sources_that_cannot_be(tmp_path, repository, sources, message):
    handler = partial(SimpleHTTPRequestHandler, directory=str(ROOT))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        tiny().write_h5ad(tmp_path / "data.h5ad")
        text = "".join(
            IMPORT.format(name=f"sd{i}", source=source, where="")
            for i, source in enumerate(sources)
        )
        text = text.replace("{url}", url).replace("{repository}", str(repository))
        write(tmp_path, text, **{f"sd{i}": CONFIG for i in range(len(sources))})
        done = run(tmp_path, "-n", check=False)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout
