"""Provenance to be stored in a result; it names neither a user nor a machine."""

import json
from datetime import UTC, datetime
from pathlib import Path

import h5py
from shareable import without_folders
from statediff.provenance import machine


def record(job, fdr=None):
    """Time, command, machine, files read, and the whole configuration.

    Parameters
    ----------
    job
        With the input `store` and the parameter `command`, the file that has the command line.
    fdr : dict, optional
        Attributes of the false discovery rates, which name a file of null distances.
    """
    with h5py.File(job.input.store, "r") as store:
        files = {"dataset.source": json.loads(store.attrs["source"])}
    if fdr and "external" in fdr:
        files["fdr.external.distances"] = json.loads(fdr["external"])
    command = Path(job.params.command)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command.read_text(encoding="utf-8") if command.is_file() else None,
        "machine": machine(),
        "inputs": [{"key": key} | file for key, file in files.items()],
        "config": without_folders(job.config),
    }
