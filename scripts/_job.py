"""What every script does around its work: find the library, log, end with one clear line."""

import os
import sys
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from statediff import DataWarning, InputError

# Where the user looks on, while the job's output goes to its log.
TERMINAL = os.fdopen(os.dup(2), "w", buffering=1)


def run(main, job):
    """Run `main(job)` with its output in the rule's log file.

    Errors the user can mend, and warnings about the data, are shown on the terminal too, without
    a traceback. Exits with status 1 after any error.
    """
    log = open(job.log[0], "w", buffering=1)  # noqa: SIM115 - open until the process ends
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)

    def show(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, DataWarning):
            TERMINAL.write(f"\nWarning ({job.rule}): {message}\n")
        log.write(warnings.formatwarning(message, category, filename, lineno, line))

    warnings.showwarning = show
    os.environ["NPROC"] = str(job.threads)  # read by JAX's CPU client
    start = time.perf_counter()
    try:
        if device := job.params.get("device"):
            from statediff.device import place  # starts JAX, which other jobs do without

            place(device)
        main(job)
    except InputError as error:
        log.write(f"Error: {error}\n")
        TERMINAL.write(f"\nError ({job.rule}): {error}\n")
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        TERMINAL.write(f"\nError ({job.rule}): {what}\nThe traceback is in {job.log[0]}\n")
        sys.exit(1)
    print(f"{job.rule}: {time.perf_counter() - start:.1f} s{peak_memory()}", flush=True)


def peak_memory():
    """Peak memory of this process, exact, where the system tells (Linux)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return ""
    return f", peak {int(status.split('VmHWM:')[1].split()[0]) / 1024:.0f} MB"
