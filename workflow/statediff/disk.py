"""Files that appear complete or not at all, and full disks.

A disk that fills up costs a job, but the message names the folder, and nothing is left behind.
"""

import errno
import glob
import io
import os
import secrets
import shutil
import socket
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from statediff import InputError

__all__ = ["atomic", "create_h5", "full_disk_behind", "is_full", "no_space"]

#: A full disk, a quota that is used up, and a limit of this process.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What is written to find out whether a disk is full.
PROBE = 1 << 20
# Characters of a name that its temporary names begin with: 255 bytes are allowed.
SHOWN = 40


@contextmanager
def atomic(path):
    """Give a temporary path beside `path`, renamed to it only if all went well.

    A killed job or a full disk leaves nothing under the final name. Each writer has a temporary
    name of its own: a job that outlives a killed run and its successor do not mix. A file that is
    replaced keeps its mode.

    Raises
    ------
    InputError
        If the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        part = path.with_name(f"{_stem(path)}{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            yield part
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            with suppress(FileNotFoundError):
                shutil.copymode(path, part)
            os.replace(part, path)
        except Exception as error:
            if cause := full_disk_behind(error):
                raise no_space(path.parent, cause) from error
            # Some libraries do not say why a file can't be written.
            if isinstance(error, OSError) and error.errno is None and is_full(path.parent):
                raise no_space(path.parent, error) from error
            raise
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise no_space(path.parent, error) from error
        raise


@contextmanager
def create_h5(path):
    """Write an HDF5 file, atomically; gives the open file."""
    with atomic(path) as part, _Disk(part, "w+") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file
        finally:
            if disk.fault is not None:
                raise disk.fault


def no_space(folder, error):
    """The error for a disk that is full.

    Parameters
    ----------
    folder : path
    error : OSError

    Returns
    -------
    InputError
    """
    reason = error.strerror or "No space left on device"
    return InputError(
        f"{folder}: no space left ({reason}); free some space and run again, or work on another "
        "disk (--directory)"
    )


def full_disk_behind(error):
    """The fault of a full disk that led to an error.

    A library that closes its file after such a fault may end with an error of another kind.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    OSError or None
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


def is_full(folder):
    """Whether a file in a folder can't grow.

    Returns
    -------
    bool
    """
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            rest = memoryview(bytes(PROBE))
            while rest:
                rest = rest[probe.write(rest) :]
    except OSError as error:
        return error.errno in FULL
    return False


class _Disk(io.FileIO):
    """A file for HDF5, which crashes where it fails to write what it holds in its cache.

    After the first error, all writes are reported as successful, and reading is no longer possible.
    """

    fault = None

    def write(self, values):
        rest = memoryview(values).cast("B")
        size = len(rest)
        try:
            while rest and self.fault is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.fault = error
        return size

    def readinto(self, values):
        if self.fault is not None:
            raise self.fault
        return super().readinto(values)

    def truncate(self, size=None):
        try:
            return size if self.fault is not None else super().truncate(size)
        except OSError as error:
            self.fault = error
            return size


def _stem(path):
    """What the temporary names of a file on this machine begin with."""
    return f".{path.name[:SHOWN]}.{socket.gethostname()}."


def _remove_abandoned(path):
    """Remove what killed writers of a file left: those on this machine whose process is gone."""
    stem = _stem(path)
    for part in path.parent.glob(f"{glob.escape(stem)}*.part"):
        process = part.name.removeprefix(stem).partition(".")[0]
        if process.isdecimal() and not _lives(int(process)):
            with suppress(OSError):
                part.unlink()


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True
