"""The download rule against a real HTTP server on this machine."""

import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from support import CONFIG, tiny


@pytest.fixture
def server(tmp_path):
    """Folder that a local server hands out, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def download(server, tmp_path, snakemake_run):
    def run(**changes):
        folder, address = server
        tiny().write_h5ad(folder / "data.h5ad")
        content = (folder / "data.h5ad").read_bytes()
        source = {
            "url": f"{address}/data.h5ad",
            "md5": hashlib.md5(content).hexdigest(),
            "bytes": len(content),
        } | {key: value(address) if callable(value) else value for key, value in changes.items()}
        config = CONFIG | {"dataset": CONFIG["dataset"] | {"source": {"zenodo": source}}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        done = snakemake_run(tmp_path, "store", configfile=tmp_path / "config.yaml", check=False)
        return done, content, tmp_path / "results/tiny/data/downloaded.h5ad"

    return run


def test_a_good_file_arrives_whole(download):
    done, content, path = download()
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"md5": "0" * 32}, "expected 00000000000000000000000000000000"),
        ({"bytes": 12}, "dataset.source.zenodo.bytes: the file at http://127.0.0.1"),
        ({"url": lambda address: f"{address}/missing.h5ad"}, "404"),
    ],
)
def test_a_bad_file_is_named_and_not_kept(download, changes, message):
    done, _, path = download(**changes)
    assert done.returncode != 0
    assert "Error (download): dataset.source.zenodo." in done.stdout
    assert message in done.stdout
    assert not list(path.parent.glob("*downloaded*"))
