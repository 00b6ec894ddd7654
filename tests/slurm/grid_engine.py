"""Stand-ins for Grid Engine's commands, which run jobs on this machine: the name decides which.

Jobs are files in the folder `GRID_ENGINE`: their options, their process, and how they ended. The
first job named `GRID_ENGINE_KILLS` is killed as soon as it runs, and jobs named `GRID_ENGINE_FAILS`
fail.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("qsub", "qstat", "qacct", "qdel")
JOBS = Path(os.environ.get("GRID_ENGINE", "."))
# Options without a value.
FLAGS = ("-terse", "-cwd", "-V")


def install(folder):
    """Put the commands into a folder, for the front of PATH."""
    for name in COMMANDS:
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" {name} "$@"\n')
        command.chmod(0o755)


def jobs():
    """Options of the jobs, by number."""
    found = sorted(JOBS.glob("*.options"), key=lambda path: int(path.stem))
    return {int(path.stem): json.loads(path.read_text()) for path in found}


def ended(job):
    """Exit status of a job, None before its end."""
    path = JOBS / f"{job}.ended"
    return int(path.read_text()) if path.exists() else None


def write(job, kind, text):
    part = JOBS / f"{job}.{kind}.part"
    part.write_text(str(text))
    part.rename(JOBS / f"{job}.{kind}")


def qsub(*words):
    *words, script = words
    options, words = {"script": script, "limits": {}}, [word for word in words if word not in FLAGS]
    while words:
        name = words.pop(0)
        if name == "-pe":
            options["pe"] = words.pop(0)
            options["slots"] = int(words.pop(0))
        elif name == "-l":
            options["limits"].update([words.pop(0).split("=")])
        else:
            options[name] = words.pop(0)
    known = jobs()
    job = len(known) + 1
    kills = os.environ.get("GRID_ENGINE_KILLS") == options["-N"]
    first = options["-N"] not in [other["-N"] for other in known.values()]
    write(job, "options", json.dumps(options))
    how = "kill" if kills and first else "run"
    if os.environ.get("GRID_ENGINE_FAILS") == options["-N"]:
        how = "fail"
    runner = [sys.executable, "-S", __file__, "run", str(job), how]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.Popen(runner, start_new_session=True, stderr=subprocess.DEVNULL, **quiet)
    print(job)


def run(job, how):
    options = jobs()[int(job)]
    memory = int(options["limits"]["h_vmem"].removesuffix("M")) * options["slots"] << 20
    with open(Path(options["-o"]) / f"{options['-N']}.o{job}", "w") as output:
        command = ["false"] if how == "fail" else [options["-S"], options["script"]]
        started = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
        )  # fmt: skip
        write(job, "process", started.pid)
        if how == "kill":
            time.sleep(0.5)
            os.killpg(started.pid, signal.SIGKILL)
        status = started.wait()
    write(job, "ended", 128 - status if status < 0 else status)


def qstat(*_):
    print("job-ID  prior   name       user         state submit/start at     queue   slots")
    print("-" * 80)
    for job, options in jobs().items():
        if ended(job) is None:
            state = options.get("state", "r")
            print(f"{job:7} 0.55500 {options['-N'][:10]:10} user {state:5} 11/30/2026 12:00:00")


def qacct(_, job):
    status = ended(job)
    if status is None:
        sys.exit(f"error: job id {job} not found")
    failed = "100 : assumedly after job" if status > 128 else "0"
    print(f"{'=' * 62}\njobnumber    {job}\nfailed       {failed}\nexit_status  {status}")


def qdel(*numbers):
    for job in numbers:
        process = JOBS / f"{job}.process"
        if process.exists() and ended(job) is None:
            os.killpg(int(process.read_text()), signal.SIGKILL)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
