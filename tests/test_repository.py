"""The files around the code: pins, environments, documentation of the configuration."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import statediff
import yaml
from support import CONFIG, ROOT, run_snakemake, tiny

sys.path.insert(0, str(ROOT / "envs"))
sys.path.insert(0, str(ROOT / "docs"))
import keys
import lock

FIGURES = ROOT / "workflow/figures.yaml"
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


def tracked():
    """Files of the project; those git would add, where it is a checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize(("name", "source"), lock.CONDA.items())
def test_conda_environments_are_the_pins(name, source):
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert environment == lock.conda_environment(source)


def test_every_dependency_is_pinned_exactly():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for source, extras in lock.LOCKS.items():
        lines = lock.pins(source)
        assert all(re.fullmatch(r"[a-z0-9.-]+==[^ ;]+( ; .+)?", line) for line in lines), source
        names = [line.split("==")[0] for line in lines]
        assert len(set(names)) == len(names), f"{source} pins a package twice"
        wanted = list(project["dependencies"])
        for extra in extras:
            wanted += project["optional-dependencies"][extra]
        for requirement in wanted:
            name = re.match(r"[\w-]+", requirement).group().lower()
            assert name in names or name == "statediff", f"{name} is not in {source}"


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == statediff.__version__
    assert f"## {statediff.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_package_has_hashes():
    for source in lock.LOCKS:
        packages = re.split(r"\n(?=\S)", (ROOT / f"envs/{source}.txt").read_text())
        assert len(packages) == len(lock.pins(source))
        assert all(re.search(r"\\\n +--hash=sha256:[0-9a-f]{64}", one) for one in packages), source
    for path in ("Makefile", "Dockerfile"):
        text = (ROOT / path).read_text().replace("\\\n", " ")
        for line in re.findall(r"^.*pip install.*-r envs/.*$", text, re.M):
            assert "--require-hashes" in line, path


def test_the_notice_names_every_package_and_its_licence():
    told = re.findall(
        r"^\| ([\w.-]+) \| ([\w.]+) \| .+ \|$", (ROOT / "NOTICE.md").read_text(), re.M
    )
    pinned_here = {line for line in lock.pins("requirements") if " ;" not in line}
    assert pinned_here <= {f"{name}=={version}" for name, version in told}
    for name in ("mellon", "harmonypy", "igraph"):
        assert re.search(rf"Copyleft\.\*\*.*\b{name} \(GPL", (ROOT / "NOTICE.md").read_text())


def test_the_image_has_the_pins_and_what_a_run_needs():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = (ROOT / "Dockerfile").read_text()
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim@sha256:[0-9a-f]{64}$", recipe, re.M)
    assert python == lock.PYTHON
    assert project["requires-python"] == f">={python}"
    pins = f"envs/{lock.CONDA['cpu']}.txt"
    assert re.findall(r"^COPY (\S+) envs/\nRUN pip install .*-r (\S+)$", recipe, re.M) == [
        (pins, pins)
    ]
    everything, *kept = (ROOT / ".dockerignore").read_text().split()
    assert everything == "*"
    kept = {name.removeprefix("!") for name in kept if name.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    imported = re.search(r"^FILES = (.*)$", (ROOT / "workflow/Snakefile").read_text(), re.M)
    assert set(ast.literal_eval(imported.group(1))) | {"config", "profiles", "NOTICE.md"} == kept


def test_the_catalogue_finds_what_it_asks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage.keys() == {"software-stack-deployment", "report"}
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    ways = {"conda": "conda:", "apptainer": "container:", "apptainer+conda": "container:"}
    assert usage["software-stack-deployment"] == {
        way: bool(re.search(rf"^ *{directive}$", rules, re.M)) for way, directive in ways.items()
    }
    assert (ROOT / "workflow/Snakefile").is_file()
    assert (ROOT / "config/README.md").is_file()


def pinned(source):
    return dict(line.split("==", 1) for line in lock.pins(source))


def test_the_locks_agree():
    common = pinned("requirements")
    for source in lock.LOCKS:
        assert common.items() <= pinned(source).items()


def test_the_benchmark_pins_what_it_adds():
    lines = (ROOT / "tests/benchmarks/calibration/requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[^ ;]+", line) for line in lines)
    assert not {line.split("==")[0] for line in lines} & pinned("requirements-dev").keys()


def all_keys(schema, path=()):
    """All keys of the configuration, in their sections."""
    for name, child in schema.get("properties", {}).items():
        yield (*path, name)
        yield from all_keys(child, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from all_keys(schema["additionalProperties"], (*path, "<name>"))


def test_every_key_of_the_configuration_is_documented():
    sections = re.split(r"^## ", (ROOT / "config/README.md").read_text(), flags=re.M)
    text = {section.split()[0]: section for section in sections[1:]}
    for path in all_keys(SCHEMA):
        assert path[0] in text
        if len(path) > 1:
            assert re.search(rf"[`.]{re.escape(path[-1])}[`.]", text[path[0]]), ".".join(path)


def test_the_tables_of_keys_are_those_of_the_schema():
    page = keys.PAGE.read_text()
    assert keys.written(page, SCHEMA) == page, "run `make keys`"
    marked = page.replace("| `ls` | `null` |", "| `ls` | 3 |").replace(
        "| `threshold` |", "| `old` |"
    )
    assert keys.written(marked, SCHEMA).count("| `threshold` | `0.05` |") == 1
    assert "`old`" not in keys.written(marked, SCHEMA)
    assert "| `ls` | `null` |" in keys.written(marked, SCHEMA)


def test_the_demo_configuration_is_complete_and_valid():
    from statediff.settings import checked

    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    full = checked(config, SCHEMA)
    assert full["dataset"]["source"]["simulate"]["cells"] >= 4000
    assert full["dataset"]["source"]["simulate"]["genes"] >= 3000


def test_no_script_is_orphaned_and_none_is_missing():
    rules = "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    used = set(re.findall(r'"\.\./\.\./scripts/(\w+\.py)"', rules))
    there = {p.name for p in (ROOT / "scripts").glob("*.py") if not p.name.startswith("_")}
    used |= {f"plot_{name}.py" for name in yaml.safe_load(FIGURES.read_text())}
    # For the command line.
    assert used | {"gene.py", "init.py"} == there


# Rules that run where they are called, and compute nothing.
INFORMING = {"plan", "tidy", "tidy_now"}
# Writes what each rule has, and asks for at the first and the second attempt.
ASKING = f"""
from snakemake.iocontainers import Wildcards
include: "{ROOT}/Snakefile"
asked = {{}}
of_contrast = Wildcards(fromdict={{"contrast": "a_vs_b"}})
for rule in workflow.rules:
    first, second = (rule.expand_resources(of_contrast, [], attempt) for attempt in (1, 2))
    asked[rule.name] = {{
        "script": bool(rule.script),
        "files": bool(rule.log and rule.benchmark and rule.conda_env),
        **{{key: (first.get(key), second.get(key)) for key in ("mem_mb", "runtime")}},
    }}
Path("asked.json").write_text(json.dumps(asked))
"""
# Between them, these have all rules.
CONFIGURATIONS = (
    {
        "abundance": {"estimator": "densities"},
        "enrichment": {"provider": "local", "gmt": ["data.h5ad"]},
    },
    {
        "abundance": {"estimator": "ratio"},
        "enrichment": {"provider": "string", "species": 10090},
    },
    {
        "dataset": CONFIG["dataset"] | {"results": "from_file"},
        "fdr": {"test": "residual", "blocks_from": "DM"},
    },
)


def test_every_job_has_its_files_and_asks_for_more_after_a_failure(tmp_path):
    tiny().write_h5ad(tmp_path / "data.h5ad")
    (tmp_path / "Snakefile").write_text(ASKING)
    found = []
    for changes in CONFIGURATIONS:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))
        run_snakemake(
            tmp_path, "--list-rules", snakefile=tmp_path / "Snakefile",
            configfile=tmp_path / "config.yaml",
        )  # fmt: skip
        found += json.loads((tmp_path / "asked.json").read_text()).items()
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert set(re.findall(r"^ *rule (\w+):", text, re.M)) <= {name for name, _ in found}
    for name, rule in found:
        if rule["script"] and name not in INFORMING:
            assert rule["files"], f"{name} lacks a log, a benchmark or an environment"
            for key in ("mem_mb", "runtime"):
                first, second = rule[key]
                assert 0 < first < second, f"{name}: {key}"


def test_statediff_knows_nothing_of_snakemake():
    for path in (ROOT / "workflow/statediff").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


def test_no_large_files_and_no_addresses_of_package_indexes():
    hosts = re.compile(
        r"--(extra-)?index" + r"-url|files\.python" + "hosted|pypi" + r"\.org|registry\.npm"
    )
    for path in tracked():
        assert path.stat().st_size < 1_500_000, path
        if path.suffix in (".py", ".md", ".txt", ".yaml", ".toml", ".smk", ""):
            assert not hosts.search(path.read_text()), path


def imported(path, seen):
    """Names of the packages that a file imports when it starts, with what it imports of ours."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            own = [ROOT / "workflow" / Path(*parts).with_suffix(".py"),
                   ROOT / "workflow" / Path(*parts) / "__init__.py",
                   ROOT / "scripts" / f"{module}.py"]  # fmt: skip
            found |= {parts[0], module}
            for file in own:
                if file.is_file() and file not in seen:
                    found |= imported(file, seen | {file})
    return found


def test_scripts_start_with_the_packages_they_use_and_no_others():
    """Each of these takes a second or more, and every job is a process of its own."""
    found = {path.stem: imported(path, set()) for path in (ROOT / "scripts").glob("*.py")}
    using = {
        package: {name for name in found if package in found[name] and not name.startswith("_")}
        for package in ("scanpy", "palantir", "jax", "matplotlib", "anndata", "pandas", "sklearn",
                        "scipy.stats", "scipy.cluster")
    }  # fmt: skip
    # Only where something is to be computed.
    assert using["scanpy"] == using["palantir"] == using["scipy.stats"] == set()
    assert using["scipy.cluster"] == set()
    assert using["sklearn"] == {"simulate"}
    assert using["jax"] == {
        "abundance_ratio", "basis", "condition_density", "expression_fit", "smooth_expression"
    }  # fmt: skip
    figures = {name for name in found if name.startswith("plot_")}
    assert using["matplotlib"] <= figures | {"explore_page", "paper_page", "string_network"}
    assert not using["anndata"] & figures
    numbers = {"abundance_change", "abundance_density", "blocks", "contrast_cells",
               "expression_noise", "expression_predict", "fdr", "group_cells", "group_fdr",
               "group_distances", "label_distances", "localisation", "null_distances",
               "residual_test"}  # fmt: skip
    assert numbers <= found.keys()
    assert not (using["anndata"] | using["pandas"]) & (
        numbers | using["jax"] - {"smooth_expression"}
    )
