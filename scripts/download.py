"""Download the data set; nothing is asked of a server that a good copy already answers."""

import os
import shutil
from pathlib import Path

import _job
from statediff.download import fetch, zenodo_file
from statediff.store import atomic


def main(job):
    # Not from the params: another address of the same file is no reason to do anything again.
    source = job.config["dataset"]["source"]["zenodo"]
    if "record" in source:
        url, size, md5 = zenodo_file(source["api_url"], source["record"], source["file"])
    else:
        url, size, md5 = (source[key] for key in ("url", "bytes", "md5"))
    kept = Path(job.params.kept) / f"{md5}.h5ad"
    urls = [url] if source["mirror"] is None else [url, source["mirror"]]
    fetch(urls, kept, size, md5, _job.TERMINAL)
    with atomic(job.output[0]) as part:
        link(kept, part)


def link(file, name):
    """A second name of a file, or a copy where the file system has no such thing."""
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


_job.run(main, snakemake)
