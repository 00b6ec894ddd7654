# Resources of jobs: environment, device, threads, memory and time, by the size of the data.

import functools

from sizes import (
    MAX_BLOCKS,
    levels_of_column,
    samples_of_simulation,
    size_of_download,
    size_of_file,
    size_of_simulation,
)
from statediff.store import BLOCK_VALUES

# Bytes per gene and block of cells in the residual test, with all partitions; and for each sample.
SUMS, SUMS_SAMPLE = 350, 26
# Assumed size of a data set that is not downloaded yet.
UNKNOWN_BYTES, UNKNOWN_SAMPLES = 3_000_000_000, 24
# Bytes per value of a CSC matrix while it is converted to rows.
OF_COLUMNS = 32
ON_GPU = config["gp"]["device"] == "gpu"
ENVIRONMENT = f"../../envs/{'cuda' if ON_GPU else 'cpu'}.yaml"
# Resources that GPU jobs request from a cluster, in addition to memory and time.
GPU = {"gpu": 1} if ON_GPU else {}
# Rank of the basis relative to small data with the defaults, by which memory and time per cell and
# gene grow: a smaller tolerance or length scale increases the rank, by how much depends on the data.
MOST_FUNCTIONS = max(1, config["gp"]["max_rank"] / 150)
FUNCTIONS = 2.5 if (config["gp"]["tol"] or 1) < 1e-6 else 1
# With a learnt length scale, the rank depends on how expression varies along the states.
FUNCTIONS *= max(1, 10 / (config["gp"]["ls_factor"] or 5)) ** 1.3
FUNCTIONS = min(FUNCTIONS, MOST_FUNCTIONS)


def file_at_hand():
    """The source of the data set; None if it does not exist yet."""
    if "path" in SOURCE:
        return SOURCE["path"]
    downloaded = Path(located("<data>/downloaded.h5ad"))
    return downloaded if downloaded.is_file() else None


@functools.cache
def size():
    """Size of the data set, known or estimated before any job."""
    # The preprocessed file is not larger than the counts.
    layer = PREPROCESS["counts"] if PREPROCESS else DATASET["layer"]
    if "simulate" in SOURCE:
        return size_of_simulation(SOURCE["simulate"])
    if path := file_at_hand():
        return size_of_file(path, layer, DATASET["modality"])
    return size_of_download(SOURCE["zenodo"].get("bytes") or UNKNOWN_BYTES)


@functools.cache
def samples_in(column):
    """Samples in an obs column of the data set, known or estimated before any job."""
    if "simulate" in SOURCE:
        return samples_of_simulation(SOURCE["simulate"])
    if path := file_at_hand():
        return levels_of_column(path, column, DATASET["modality"])
    return UNKNOWN_SAMPLES


def samples_of(wildcards):
    """Largest number of samples of the contrast."""
    contrast = CONTRASTS[wildcards.contrast]
    columns = sample_columns(contrast)
    # With pairs alone, a sample is a donor in one of two conditions.
    return len(columns) * samples_in(columns[0]) if columns else 0


def functions(attempt):
    """Rank to expect at this attempt: the largest possible one at the third."""
    steps = min(attempt - 1, 2) / 2
    return max(attempt * FUNCTIONS, FUNCTIONS * (MOST_FUNCTIONS / FUNCTIONS) ** steps)


def memory(
    base,
    cell=0,
    gene=0,
    block=0,
    sums=0,
    contrast=0,
    gene_sample=0,
    sums_sample=0,
    ranked=False,
    source=False,
):
    """Memory of a job: MB to begin with, kB a cell, kB a gene, bytes a value of a block of the
    expression matrix, bytes a gene in a block of cells, MB a contrast; the same of genes and of
    sums for each sample; whether cells and genes take more the more functions there are, and
    whether it reads the source. It increases after each failure."""

    def needed(wildcards, attempt):
        of_blocks = block * min(size().values, BLOCK_VALUES)
        of_blocks += OF_COLUMNS * size().held if source else 0
        samples = samples_of(wildcards) if gene_sample or sums_sample else 0
        of_sums = (sums + sums_sample * samples) * size().genes
        of_sums *= min(size().cells / FDR["block_cells"], MAX_BLOCKS)
        kilobytes = cell * size().cells + (gene + gene_sample * samples) * size().genes
        megabytes = base + contrast * len(CONTRASTS) + (of_blocks + of_sums) / 1e6
        growth = functions(attempt) if ranked else attempt
        return int(attempt * megabytes + growth * kilobytes / 1e3)

    return needed


def minutes(base, cell=0, value=0):
    """Time limit of a job: minutes to begin with, more for every million of cells and of stored
    values. It increases after each failure."""

    def needed(wildcards, attempt):
        return int(attempt * (base + (cell * size().cells + value * size().values) / 1e6))

    return needed


def workers(wildcards):
    """Threads of the dense stages: with small data, the other cores are left to other jobs."""
    return 1 if size().values < 1e7 else 4


def density_workers(wildcards):
    """Threads of the densities, which do not depend on the genes."""
    return 1 if size().cells < 50_000 else 4
