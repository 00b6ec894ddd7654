"""Write NOTICE.md: the licences of the packages that an environment or image holds.

Run by `make notice` after `make lock` and a new `make setup`: the licences are what the installed
packages say of themselves.
"""

import re
from importlib import metadata
from pathlib import Path

from lock import pins

ROOT = Path(__file__).resolve().parents[1]
# Short names of licences that packages give in other words.
NAMES = {
    "apache license 2.0": "Apache-2.0", "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0", "apache license, version 2.0": "Apache-2.0",
    "bsd license": "BSD", "bsd": "BSD", "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause", "new bsd": "BSD-3-Clause", "mit license": "MIT",
    "isc license (iscl)": "ISC", "gplv3": "GPL-3.0", "gnu gplv3": "GPL-3.0",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu general public license (gpl)": "GPL", "gnu general public license v2 (gplv2)": "GPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}  # fmt: skip
HEAD = """# Licences

statediff itself is under the licence in [LICENSE](LICENSE) (BSD-3-Clause). It contains no code of
other projects. An environment installed from [envs/requirements.txt](envs/requirements.txt),
and an image that is built from the [Dockerfile](Dockerfile), contain the packages below, each under
its own licence.

**Copyleft.** {copyleft}. You can use them without conditions. If you distribute an image or an
environment that contains them, you have to distribute it under these licences: with their texts,
and with the source code or an offer of it.

The licences are those in the metadata of the packages (`make notice`).

| package | version | licence |
|---|---|---|
"""


def licence(package):
    """Licence of an installed package, in a few words."""
    found = metadata.metadata(package)
    if expression := found.get("License-Expression"):
        return expression
    classified = [
        line.rsplit(" :: ", 1)[1]
        for line in found.get_all("Classifier", [])
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    text = (found.get("License") or "").strip()
    # Some give the whole text.
    short = text if "\n" not in text and len(text) < 50 else text.splitlines()[0].strip()
    names = classified or ([short] if short else ["not given"])
    return ", ".join(NAMES.get(name.lower(), name) for name in names)


def packages():
    """Name, version and licence of each pinned package of this platform."""
    for line in pins("requirements"):
        name, version = re.match(r"([\w.-]+)==([^ ;]+)", line).groups()
        try:
            yield name, version, licence(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform


def main():
    found = list(packages())
    copyleft = [f"{name} ({terms})" for name, _, terms in found if re.search(r"\b[AL]?GPL", terms)]
    text = HEAD.format(copyleft=", ".join(copyleft))
    text += "".join(f"| {name} | {version} | {terms} |\n" for name, version, terms in found)
    (ROOT / "NOTICE.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
