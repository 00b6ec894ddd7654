"""Snakemake without the seconds that its start takes: processes that have imported it fork.

A run by one of them has its own arguments, environment, folder and cores, as has a process that
is started for it, reads the Snakefile and imports statediff anew, and ends as a process ends.
"""

import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading

# What a run imports beside statediff until its first job.
PACKAGES = (
    "snakemake.cli", "snakemake.report.html_reporter", "snakemake.assets", "snakemake.profiles",
    "snakemake_executor_plugin_slurm", "smart_open", "requests", "jsonschema", "jinja2", "yte",
    "docutils.parsers.rst.directives.images", "dpath", "h5py", "scipy.sparse",
)  # fmt: skip
# Of a message: arguments and environment.
LENGTH = 1 << 17


def of_python(environment):
    """What Python itself reads, and when it starts only."""
    return {name: value for name, value in environment.items() if name.startswith("PYTHON")}


class Starter:
    """A process that has imported Snakemake, as seen by the tests; it ends when they end."""

    def __init__(self):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.lock = threading.Lock()
        self.environment = of_python(os.environ)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def run(self, command, directory):
        """Run this command line, `python -m snakemake ...`, in a directory."""
        asked = [command, str(directory), dict(os.environ), list(os.sched_getaffinity(0))]
        reader, writer = os.pipe()
        with self.lock, open(reader) as output:
            socket.send_fds(self.socket, [json.dumps(asked).encode()], [writer])
            os.close(writer)
            said = output.read()
            return subprocess.CompletedProcess(command, int(self.socket.recv(16)), said)


STARTERS = []


def run(command, directory):
    """Run a command line that begins with `python -m snakemake`; output and errors in `stdout`."""
    if sys.platform == "linux":
        # Two in turn, since the order of a set is another in each: a run that depends on it
        # differs from the one before.
        STARTERS[:] = STARTERS[::-1] if len(STARTERS) == 2 else [Starter(), *STARTERS]
        if STARTERS[0].environment == of_python(os.environ):
            return STARTERS[0].run(command, directory)
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory
    )


def serve(connection):
    """Fork for every command line that comes; returns where one is to be run."""
    while True:
        message, descriptors, *_ = socket.recv_fds(connection, LENGTH, 1)
        if not message:
            os._exit(0)
        if (child := os.fork()) == 0:
            connection.close()
            return json.loads(message), descriptors[0]
        os.close(descriptors[0])
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    for name in PACKAGES:
        importlib.import_module(name)
    (command, directory, environment, cores), output = serve(socket.socket(fileno=int(sys.argv[1])))
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.sched_setaffinity(0, cores)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = os.getcwd()
    # Noted when Snakemake was imported.
    sys.modules["snakemake.workflow"].Workflow._rundir = os.getcwd()
    sys.orig_argv[:] = command
    sys.argv[:] = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)
