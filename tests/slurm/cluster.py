"""A Slurm cluster of two nodes on this machine, from Debian's packages."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

# The only path at which all Slurm commands look for the configuration, also within jobs.
CONFIGURATION = Path("/etc/slurm/slurm.conf")
MARK = "# Of the tests of statediff: may be deleted when they do not run.\n"
DAEMONS = ("munged", "slurmctld", "slurmd")
# More memory and cores than this machine may have: requests of jobs are not enforced here.
SETTINGS = """ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory,CR_LLN
MinJobAge=3600
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=32000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=32000
PartitionName=both Nodes=n1,n2 Default=YES MaxTime=INFINITE
"""


@contextmanager
def two_nodes(folder):
    """Start the daemons with their files in a folder, and stop them; skip if another Slurm runs."""
    if os.geteuid() != 0:
        pytest.skip("no Slurm: starting its daemons takes root")
    if absent := [name for name in DAEMONS if shutil.which(name) is None]:
        pytest.skip(f"no Slurm: {', '.join(absent)} not found (Debian: slurm-wlm, munge)")
    if CONFIGURATION.exists() and not CONFIGURATION.read_text().startswith(MARK):
        pytest.skip(f"{CONFIGURATION} is of another Slurm, which is left alone")
    if nodes("%N"):
        pytest.skip("a Slurm runs here already, and is left alone")
    started = []
    try:
        configure(folder)
        start(folder, started)
        yield
        subprocess.run(["scancel", "--user", "root"], check=True)
        assert wait_for(lambda: not jobs("%i", "pending,running,completing"))
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(60)
        CONFIGURATION.unlink(missing_ok=True)


def nodes(what):
    """A field of sinfo for each node; empty if no controller answers."""
    command = ["sinfo", "--noheader", "--Node", "--format", what]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def jobs(what, states="all"):
    """A field of squeue for each job in some states."""
    command = ["squeue", "--noheader", "--states", states, "--format", what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def configure(folder):
    """Write Slurm's configuration, and the key of munge."""
    sockets = [socket.socket() for _ in range(3)]
    for bound in sockets:
        bound.bind(("127.0.0.1", 0))
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    host = socket.gethostname().split(".")[0]
    CONFIGURATION.write_text(MARK + SETTINGS.format(folder=folder, host=host, ports=ports))
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)


def start(folder, started):
    """Start the daemons, adding them to a list, and wait until both nodes are idle."""
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log",
             "seed-file": "seed"}  # fmt: skip
    munged = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
    for name, command in {
        "munged": ["munged", "--foreground", "--force", *munged],
        "slurmctld": ["slurmctld", "-D"],
        "n1": ["slurmd", "-D", "-N", "n1"],
        "n2": ["slurmd", "-D", "-N", "n2"],
    }.items():
        with (folder / f"{name}.output").open("w") as output:
            started.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
        wait_for(lambda: (folder / "munge.socket").exists() or started[0].poll() is not None)
    if not wait_for(lambda: nodes("%t") == ["idle"] * 2):
        said = "".join(path.read_text()[-2000:] for path in folder.glob("*.output"))
        raise AssertionError(f"Slurm does not start:\n{said}")


def wait_for(happened, seconds=60):
    """Result of a function as soon as it is true, or after this time."""
    end = time.monotonic() + seconds
    while not (now := happened()) and time.monotonic() < end:
        time.sleep(0.1)
    return now
