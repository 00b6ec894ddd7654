"""Wall time, CPU time and peak memory of a command and all it starts."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass

import psutil

INTERVAL = 0.1


@dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes
    ----------
    seconds, cpu_seconds : float
        Wall time; processor time of the command and all processes it waited for.
    peak_mb : float
        Largest memory of all its processes together (PSS: shared pages counted once), as seen
        every tenth of a second.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(command, **options):
    """Run a command; its output is shown only if it fails.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    peak, done = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, done))
    watcher.start()
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if status:
        raise RuntimeError(f"{' '.join(map(str, command))}: failed\n{output}")
    return Usage(seconds, used.ru_utime + used.ru_stime, peak[0] / 1e6), output


def _watch(pid, peak, done):
    while not done.wait(INTERVAL):
        try:
            root = psutil.Process(pid)
            peak[0] = max(peak[0], sum(map(_memory, [root, *root.children(recursive=True)])))
        except psutil.NoSuchProcess:
            return


def _memory(process):
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
