"""List files that can be regenerated, and remove them if the rule says so."""

import sys
from pathlib import Path

import h5py
from _dry_run import planned
from statediff.fields import expression_fields
from statediff.store import drop_layers


def main(job):
    files = {path: Path(path).lstat().st_size for path in job.params.files}
    layers = {path: dense_layers(path, *of) for path, of in job.params.results.items()}
    layers = {path: found for path, found in layers.items() if found}
    if not (files or layers):
        print("\nThere are no files that can be regenerated: nothing to remove.\n", flush=True)
        return
    lines = [(size, path) for path, size in files.items()]
    lines += [
        (size, f"{path}: layer {name}")
        for path, found in layers.items()
        for name, size in found.items()
    ]
    total = sum(size for size, _ in lines)
    print("\nFiles that can be regenerated")
    print(*(f"{megabytes(size)}  {text}" for size, text in [*lines, (total, "in all")]), sep="\n")
    if not job.params.removing:
        if left := len(planned(job)):
            print(f"\nThis run is not complete and needs some of them (jobs left: {left:,}).")
        print(
            "\nResults are kept; a run with other settings would first regenerate these files."
            f"\nNothing was removed. To remove them: {job.params.removal}\n",
            flush=True,
        )
        return
    try:
        for path in files:
            Path(path).unlink()
        for path, found in layers.items():
            drop_layers(path, found)
    except OSError as error:
        sys.exit(f"\nError ({job.rule}): {error}\nThe same command continues where it stopped.")
    print("\nRemoved.\n", flush=True)


def dense_layers(path, reference, compared, replicates):
    """Layers of an AnnData that the workflow wrote, and can write again, with their bytes."""
    fields = expression_fields(reference, compared, replicates).values()
    with h5py.File(path, "r") as file:
        there = [name for slot, name, *_ in fields if slot == "layers" and f"layers/{name}" in file]
        return {name: file[f"layers/{name}"].id.get_storage_size() for name in there}


def megabytes(size):
    return f"{size / 1e6:>10,.2f} MB"


main(snakemake)
