"""Frame of every script: find the library, log, end with one clear line."""

import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from statediff import DataWarning, InputError
from statediff.disk import full_disk_behind, is_full, no_space
from statediff.progress import LOGGER
from statediff.text import printable

# The terminal of the user; the output of the job goes to its log.
TERMINAL = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")


def run(main, job):
    """Run `main(job)` with its output in the rule's log file.

    Errors that the user can fix and warnings about the data are also shown on the terminal, without
    a traceback. Exits with status 1 after any error.
    """
    try:
        _run(main, job)
    except InputError as error:
        end(job, str(error))
    except Exception as error:
        if cause := full_disk_behind(error):
            end(job, str(no_space(full_folder(job, cause), cause)))
        traceback.print_exc()
        end(job, f"{type(error).__name__}: {error}\nThe traceback is in {job.log[0]}")


def _run(main, job):
    log = open(job.log[0], "w", buffering=1, encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def show(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, DataWarning):
            told = f"Warning ({job.rule}): {printable(str(message))}"
            tell(told)
            log.write(f"{told}\n")
        else:
            log.write(warnings.formatwarning(message, category, filename, lineno, line))

    warnings.showwarning = show
    show_progress()
    os.environ["NPROC"] = str(job.threads)  # read by JAX's CPU client
    start = time.perf_counter()
    main(job)
    print(f"{job.rule}: {time.perf_counter() - start:.1f} s{peak_memory()}", flush=True)


def show_progress():
    """Write the progress of long work to the log, where the run's terminal looks for it."""
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(logging.Formatter("progress: %(message)s"))
    LOGGER.addHandler(shown)
    LOGGER.setLevel(logging.INFO)


def end(job, fault):
    """End with an error on the terminal, and in the log if its disk is not full."""
    tell(f"Error ({job.rule}): {fault}")
    with suppress(OSError):
        print(f"Error: {printable(fault)}", file=sys.stderr, flush=True)
    sys.exit(1)


def tell(text):
    with suppress(OSError):
        TERMINAL.write(f"\n{printable(text)}\n")


def full_folder(job, error):
    """Where a disk is full: that of a file, of the log, of temporary files, or another."""
    if error.filename is not None:
        return Path(os.fsdecode(error.filename)).parent
    folders = [Path(job.log[0]).parent, Path(tempfile.gettempdir())]
    return next((folder for folder in folders if is_full(folder)), Path.cwd())


def peak_memory():
    """Exact peak memory of this process, if the system reports it (Linux)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return ""
    return f", peak {int(status.split('VmHWM:')[1].split()[0]) / 1024:.0f} MB"
