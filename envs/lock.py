"""Pin the dependencies of pyproject.toml, and mirror the pins in the conda environments.

Run by `make lock` after a change of the dependencies. One version of each package serves all
supported Pythons and platforms, so that what is tested is what is installed.
"""

import subprocess
from pathlib import Path

import yaml

HERE = Path(__file__).parent
# The extras of each file.
LOCKS = {
    "requirements": ["workflow"],
    "requirements-dev": ["dev"],
    "requirements-cuda": ["workflow", "cuda"],
}
CONDA = {"cpu": "requirements", "cuda": "requirements-cuda"}
PYTHON = "3.11"


def pins(lock):
    """Requirement lines of a lock file, without the hashes of the packages."""
    lines = (HERE / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    return [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]


def conda_environment(lock):
    """Conda environment with the very pins of a lock file."""
    return {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [f"python ={PYTHON}", "pip", {"pip": pins(lock)}],
    }


def main():
    for lock, extras in LOCKS.items():
        command = ["uv", "pip", "compile", "-q", "--universal", "--fork-strategy", "fewest"]
        command += ["--python-version", PYTHON, "--no-emit-index-url", "--no-annotate"]
        command += [
            "--no-header",
            "--generate-hashes",
            "-o",
            str(HERE / f"{lock}.txt"),
            "pyproject.toml",
        ]
        command += [argument for extra in extras for argument in ("--extra", extra)]
        if lock != "requirements":
            command += ["-c", str(HERE / "requirements.txt")]
        subprocess.run(command, check=True, cwd=HERE.parent)
    for name, lock in CONDA.items():
        text = yaml.safe_dump(conda_environment(lock), sort_keys=False, width=200)
        (HERE / f"{name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
