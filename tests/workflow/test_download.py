"""The download rule against a real HTTP server on this machine."""

import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import yaml
from bad_server import BadServer
from support import CONFIG, ROOT, serving, tiny

FILE = "results/tiny/data/downloaded.h5ad"


@pytest.fixture
def content(tmp_path):
    tiny().write_h5ad(tmp_path / "made.h5ad")
    return (tmp_path / "made.h5ad").read_bytes()


@pytest.fixture
def server(content):
    with serving(BadServer(content)) as server:
        yield server


@pytest.fixture
def configure(server, content, tmp_path):
    """Write a configuration with this source; returns its path."""

    def write(**source):
        if "record" not in source:
            source = {
                "url": f"{server.address}/data.h5ad",
                "md5": hashlib.md5(content).hexdigest(),
                "bytes": len(content),
            } | source
        config = CONFIG | {"dataset": CONFIG["dataset"] | {"source": {"zenodo": source}}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "config.yaml"

    return write


@pytest.fixture
def download(configure, tmp_path, snakemake_run):
    def run(*arguments, **source):
        configfile = configure(**source)
        return snakemake_run(tmp_path, FILE, *arguments, configfile=configfile, check=False)

    return run


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "results/downloads").iterdir())


def test_a_good_copy_is_asked_for_once_and_survives_what_removes_the_output(
    server, content, download, tmp_path
):
    done = download()
    assert done.returncode == 0, done.stdout
    assert (tmp_path / FILE).read_bytes() == content
    assert kept(tmp_path) == [f"{hashlib.md5(content).hexdigest()}.h5ad"]
    assert len(server.asked) == 1
    # Another address of the same file: nothing to do. Forced: the output is removed and made anew.
    done = download(mirror="https://example.org/x")
    assert "Nothing to be done" in done.stdout, done.stdout
    done = download("store", "--forceall")
    assert done.returncode == 0, done.stdout
    assert "rule download:" in done.stdout
    assert (tmp_path / FILE).read_bytes() == content
    assert (tmp_path / "results/tiny/data/store.h5ad").is_file()
    assert len(server.asked) == 1


def test_a_second_data_set_of_the_file_leaves_the_first_one_as_it_is(tmp_path, snakemake_run):
    # Beyond 1 MB Snakemake goes by times, below by content.
    large = tiny()
    large.obsm["DM"] = np.random.default_rng(0).normal(size=(60, 3000))
    large.write_h5ad(tmp_path / "made.h5ad")
    content = (tmp_path / "made.h5ad").read_bytes()
    assert len(content) > 1_000_000
    source = {"md5": hashlib.md5(content).hexdigest(), "bytes": len(content)}
    with serving(BadServer(content)) as server:
        source["url"] = f"{server.address}/data.h5ad"
        for name in ("first", "second"):
            dataset = CONFIG["dataset"] | {"name": name, "source": {"zenodo": source}}
            configfile = tmp_path / f"{name}.yaml"
            configfile.write_text(yaml.safe_dump(CONFIG | {"dataset": dataset}))
            snakemake_run(tmp_path, "store", configfile=configfile)
        assert len(server.asked) == 1
    links = [tmp_path / f"results/{name}/data/downloaded.h5ad" for name in ("first", "second")]
    assert links[0].samefile(links[1])
    assert not any(os.path.isabs(os.readlink(link)) for link in links)
    done = snakemake_run(tmp_path, "store", "-n", configfile=tmp_path / "first.yaml")
    assert "Nothing to be done" in done.stdout, done.stdout


def test_a_bad_file_is_named_and_not_kept(server, download, tmp_path):
    done = download(md5="0" * 32)
    assert done.returncode != 0
    assert f"Error (download): {server.address}/data.h5ad: found md5" in done.stdout
    assert "Correct dataset.source.zenodo, or" in done.stdout
    assert not (tmp_path / FILE).exists()
    assert kept(tmp_path) == [f"{'0' * 32}.h5ad.lock"]


def test_a_record_is_enough(server, content, download, tmp_path):
    name = "../../a; rm -rf ~ %0d <é>.h5ad"
    file = {
        "key": name,
        "size": len(content),
        "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
    }
    body = json.dumps({"id": 15587768, "files": [file]}).encode()
    server.paths["/records/15587768"] = (200, {"Content-Type": "application/json"}, body)
    done = download(record=15587768, file=name, api_url=f"{server.address}/records")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / FILE).read_bytes() == content
    assert server.asked[-1][1].startswith("/records/15587768/files/..%2F..%2Fa%3B%20rm%20-rf%20~")
    # The file and what was said of it are kept: the server may be down from now on.
    server.asked.clear()
    done = download("--forceall", record=15587768, file=name, api_url=f"{server.address}/records")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / FILE).read_bytes() == content
    assert server.asked == []


def test_an_unsafe_address_stops_before_the_first_job(download):
    done = download(mirror="http://example.org/x")
    assert done.returncode != 0
    assert "dataset.source.zenodo.mirror: 'http://example.org/x' is not safe" in done.stdout
    assert "rule download:" not in done.stdout


def test_a_killed_job_is_continued(server, content, download, configure, tmp_path):
    server.pace, server.limit = 0.01, len(content) // 2
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", FILE]
    command += ["--directory", tmp_path, "--configfile", configure()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as run:
        part = tmp_path / "results/downloads" / f"{hashlib.md5(content).hexdigest()}.h5ad.part"
        record = part.with_name(f"{part.name}.json")
        while not (record.exists() and json.loads(record.read_text())["segments"][0][2]):
            assert run.poll() is None
            time.sleep(0.01)
        below = psutil.Process(run.pid).children(recursive=True)
        job = [process for process in below if process.cmdline()[-1].endswith("download.py")]
        assert job, [process.cmdline() for process in below]
        for process in job:
            process.kill()
        run.communicate()
    assert run.returncode != 0
    assert part.exists()
    assert not (tmp_path / FILE).exists()
    server.pace, server.limit = 0, None
    done = download()
    assert done.returncode == 0, done.stdout
    assert (tmp_path / FILE).read_bytes() == content
    assert not server.ranges_asked()[-1].startswith("bytes=0-")
    assert os.listdir(part.parent) == [part.name.removesuffix(".part")]
