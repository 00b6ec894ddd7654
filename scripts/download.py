"""Download the data set and check its size and md5 before it gets its name."""

import hashlib

import requests
from _job import run
from requests.adapters import HTTPAdapter
from statediff import InputError
from statediff.store import atomic
from tqdm import tqdm
from urllib3.util import Retry

BLOCK = 1 << 20


def main(job):
    source = job.params.source
    with atomic(job.output[0]) as part:
        digest, size = fetch(source["url"], source["bytes"], part)
        for key, found in (("bytes", size), ("md5", digest)):
            if found != source[key]:
                raise InputError(
                    f"dataset.source.zenodo.{key}: the file at {source['url']} has {found}, "
                    f"expected {source[key]}; the download was discarded"
                )


def fetch(url, expected, path):
    """Stream a URL to a file; returns its md5 and size."""
    md5, size = hashlib.md5(usedforsecurity=False), 0
    with requests.Session() as session:
        retries = Retry(5, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504))
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retries))
        try:
            with session.get(url, stream=True, timeout=60) as answer:
                answer.raise_for_status()
                bar = tqdm(total=expected, unit="B", unit_scale=True, mininterval=10)
                with open(path, "wb") as file, bar:
                    for block in answer.iter_content(BLOCK):
                        file.write(block)
                        md5.update(block)
                        size += len(block)
                        bar.update(len(block))
        except requests.RequestException as error:
            raise InputError(f"dataset.source.zenodo.url: {url}: {error}") from error
    return md5.hexdigest(), size


run(main, snakemake)
