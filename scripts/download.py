"""Download the data set, unless a verified copy exists."""

import os
from pathlib import Path

import _job
from statediff.disk import atomic
from statediff.download import fetch
from statediff.zenodo import zenodo_file


def main(job):
    # Not from the params: another address of the same file is no reason to do anything again.
    source = job.config["dataset"]["source"]["zenodo"]
    folder = Path(job.params.kept)
    if "record" in source:
        url, size, md5 = zenodo_file(source["api_url"], source["record"], source["file"], folder)
    else:
        url, size, md5 = (source[key] for key in ("url", "bytes", "md5"))
    kept = folder / f"{md5}.h5ad"
    urls = [url] if source["mirror"] is None else [url, source["mirror"]]
    fetch(urls, kept, size, md5, _job.TERMINAL)
    with atomic(job.output[0]) as part:
        part.unlink(missing_ok=True)
        # Snakemake sets the time of each output. That of a symbolic link is its own; with a hard
        # link the next data set of this file would make the results of the others look old.
        part.symlink_to(os.path.relpath(kept.resolve(), part.parent.resolve()))


_job.run(main, snakemake)
