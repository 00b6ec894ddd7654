# What jobs ask for: environment, device, threads, memory and time, by the size of the data.

import functools

from sizes import MAX_BLOCKS, size_of_download, size_of_file, size_of_simulation
from statediff.store import BLOCK_VALUES

# What a download is thought to have before anyone said so.
UNKNOWN_BYTES = 3_000_000_000
ON_GPU, PARTITION = config["gp"]["device"] == "gpu", config["gp"]["partition"]
if PARTITION and not ON_GPU:
    raise WorkflowError(
        f"gp.partition: found {PARTITION} without gp.device: gpu; it names the partition of the jobs "
        "that compute on a GPU: set gp.device to gpu, or leave gp.partition out"
    )
ENVIRONMENT = f"../../envs/{'cuda' if ON_GPU else 'cpu'}.yaml"
# What a cluster is asked for by the jobs that compute on a GPU, beside memory and time.
GPU = {"gpu": 1} if ON_GPU else {}
GPU |= {"slurm_partition": PARTITION} if PARTITION else {}
# Growth of what cells and genes take: a smaller tolerance makes about twice as many functions.
RANK = 2.5 if config["gp"]["tol"] < 1e-6 else 1


@functools.cache
def size():
    """Cells, genes and stored values of the data set, known or estimated before any job."""
    # What preprocessing makes is no larger than the counts.
    layer = PREPROCESS["counts"] if PREPROCESS else DATASET["layer"]
    if "path" in SOURCE:
        return size_of_file(SOURCE["path"], layer)
    if "simulate" in SOURCE:
        return size_of_simulation(SOURCE["simulate"])
    downloaded = Path(located("<data>/downloaded.h5ad"))
    if downloaded.is_file():
        return size_of_file(downloaded, layer)
    return size_of_download(SOURCE["zenodo"].get("bytes") or UNKNOWN_BYTES)


def memory(base, cell=0, gene=0, block=0, sums=0, contrast=0):
    """Memory of a job: MB to begin with, kB a cell, kB a gene, bytes a value of a block of the
    expression matrix, bytes a gene in a block of cells, MB a contrast. After each failure more."""

    def needed(wildcards, attempt):
        of_blocks = block * min(size().values, BLOCK_VALUES)
        of_sums = sums * size().genes * min(size().cells / FDR["block_cells"], MAX_BLOCKS)
        kilobytes = cell * size().cells + gene * size().genes
        megabytes = base + contrast * len(CONTRASTS) + kilobytes / 1e3
        return int(attempt * (megabytes + (of_blocks + of_sums) / 1e6))

    return needed


def minutes(base, cell=0, value=0):
    """Time limit of a job: minutes to begin with, more for every million of cells and of stored
    values. After each failure more."""

    def needed(wildcards, attempt):
        return int(attempt * (base + (cell * size().cells + value * size().values) / 1e6))

    return needed


def workers(wildcards):
    """Threads of the dense stages: small data leave the other cores to other jobs."""
    return 1 if size().values < 1e7 else 4


def density_workers(wildcards):
    """Threads of the densities, which know nothing of the genes."""
    return 1 if size().cells < 50_000 else 4
