"""What is kept of a command line and of settings: no folders and no names of a user."""

import socket

import pytest
from shareable import command_line, without_folders


@pytest.fixture(autouse=True)
def alice(monkeypatch, tmp_path):
    """A user in her folder, which has a file."""
    monkeypatch.setenv("LOGNAME", "alice")
    monkeypatch.setattr(socket, "gethostname", lambda: "node7.lab.org")
    home = tmp_path / "alice"
    home.mkdir()
    (home / "my run.yaml").write_text("")
    monkeypatch.chdir(home)
    return home


@pytest.mark.parametrize(
    ("arguments", "shared"),
    [
        (["report", "--cores", "2"], "report --cores 2"),
        (["--configfile", "config/my.yaml", "./b.yaml"], "--configfile config/my.yaml ./b.yaml"),
        (["--configfile", "{home}/my run.yaml"], "--configfile '…/my run.yaml'"),
        (["--configfile={home}/my run.yaml"], "'--configfile=…/my run.yaml'"),
        (
            ["--directory", "{home}", "-d{home}", "--directory={home}"],
            "--directory … -d… --directory=…",
        ),
        (
            ["../alice/x", "a/../../alice", "~/x", "~alice/x", "file:///home/alice"],
            "… … … … …",
        ),
        (
            ["--config", "dataset={source: {path: /home/Alice Smith/a.h5ad}, name: x}"],
            "--config 'dataset={source: {path: …}, name: x}'",
        ),
        (["--config", 'a={"b":"/home/alice","c":"d/e"}'], '--config \'a={"b":"…","c":"d/e"}\''),
        (["--config", "url=https://zenodo.org/api/x"], "--config url=https://zenodo.org/api/x"),
        (["slurm_account=alice", "nodes=node7", "malice"], "slurm_account=… nodes=… malice"),
        (["--mail", "a.smith@lab.org"], "--mail …"),
    ],
)
def test_command_line(alice, arguments, shared):
    arguments = [argument.replace("{home}", str(alice)) for argument in arguments]
    assert command_line(arguments) == f"snakemake {shared}"


def test_settings_keep_all_but_folders(alice):
    settings = {
        "source": {"path": f"{alice}/my run.yaml"},
        "gmt": ["sets/a.gmt", "../alice/my run.yaml"],
        "levels": ["T/NK", "~5 weeks", "a..b", None, 3, True, 0.5],
        "url": "https://zenodo.org/api/records",
    }
    shared = settings | {
        "source": {"path": "…/my run.yaml"},
        "gmt": ["sets/a.gmt", "…/my run.yaml"],
    }
    assert without_folders(settings) == shared
