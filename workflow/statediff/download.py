"""Robust download of a large file: resumed, in parallel, verified before it gets its name.

Data that have arrived are kept in `<name>.part`, and their extent in `<name>.part.json`, so that a
download continues after an interrupted connection, a killed process or a full disk.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

import urllib3
from tqdm import tqdm

from statediff import InputError, web
from statediff.disk import FULL
from statediff.web import TRIES, UNREADABLE, ServerFault
from statediff.zenodo import OTHERWISE

__all__ = ["fetch"]

BLOCK = 1 << 20
# Larger files come in ranges of this many bytes.
SEGMENT = 64 << 20
CONNECTIONS = 4
# Fresh starts, because the server does not resume or its file changed.
STARTS = 6
# Seconds between two looks at what has arrived, and bytes hashed at each.
TICK = 0.2
HASHED = 64 << 20
# Files that are of no more use beside a complete one.
BESIDE = (".part", ".part.json", ".part.json.new", ".lock")
# Bytes per second that a server sends at least, on average from so many seconds on.
SLOWEST, PATIENCE = 1000, 600.0
PAGE = (
    "found a web page (a login, a notice, a wrong address?), expected the file; open the address "
    "in a browser"
)


class _Broken(Exception):
    """The connection ended before the answer did."""


class _Stopped(Exception):
    """Another connection has failed."""


class _Changed(Exception):
    """What has arrived is of no use any more."""


@dataclass
class _Segment:
    """A range of the file, `start` to `stop`, filled up to `at`."""

    start: int
    stop: int
    at: int


def fetch(urls, path, size, md5, terminal=None):
    """Download a file, unless a verified copy exists.

    Parameters
    ----------
    urls : list of str
        Addresses of the same file, tried in this order.
    path : path
        Where the file goes; nothing is there before size and md5 are right.
    size : int
        Bytes.
    md5 : str
        Hexadecimal.
    terminal : file, optional
        For a progress bar. Lines for a log go to standard output in any case.

    Raises
    ------
    InputError
        What happened at each address and what to do, or that the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f"{path.name}.lock")):
        if _has_md5(path, md5):
            if path.stat().st_size != size:
                raise InputError(
                    f"dataset.source.zenodo.bytes: found {size:,}, expected "
                    f"{path.stat().st_size:,}, the size of {path}, which has the right md5"
                )
            print(f"{path}: already downloaded, with the correct md5", flush=True)
        else:
            path.unlink(missing_ok=True)
            _fetch_from_any(urls, path, size, md5, terminal)
        for suffix in BESIDE:
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _fetch_from_any(urls, path, size, md5, terminal):
    faults = []
    for url in urls:
        transfer = _Transfer(url, path, size, md5)
        transfer.check_disk()
        try:
            with _Progress(size, terminal) as progress:
                return transfer.run(progress)
        except ServerFault as fault:
            faults.append(str(fault))
            if url != urls[-1]:
                print(f"{fault}\nTrying the next address", flush=True)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise InputError(
                f"{url}: the disk is full ({path.parent}: {error.strerror}); free some space and "
                f"run again: the download continues where it stopped (partial file: "
                f"{transfer.part})"
            ) from error
    raise InputError("\n".join([*faults, OTHERWISE]))


class _Transfer:
    """Download of a file from one address."""

    def __init__(self, url, path, size, md5):
        self.url, self.path, self.size, self.md5 = url, path, size, md5
        self.part = path.with_name(f"{path.name}.part")
        self.record = path.with_name(f"{path.name}.part.json")
        self.in_ranges = size > SEGMENT
        self.is_page = False
        self.stop = threading.Event()

    def check_disk(self):
        there = self.part.stat().st_blocks * 512 if self.part.exists() else 0
        needed, free = self.size - there, shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise InputError(
                f"{self.url}: not enough space: needs {needed:,} bytes in {self.path.parent}, "
                f"found {free:,}; free some space, or work on another disk (--directory)"
            )

    def run(self, progress):
        for _ in range(STARTS):
            try:
                if (digest := self._go_on(progress)) == self.md5:
                    return
                if self.resumed:
                    raise _Changed("the partial file of an earlier download is damaged")
                break
            except _Changed as change:
                print(f"{self.url}: {change}; starting over", flush=True)
                self._discard()
        else:
            raise ServerFault(
                f"{self.url}: started {STARTS} times, and the connection broke off or the file "
                "changed each time; this server does not resume"
            )
        fault = self._wrong_md5(digest)
        self._discard()
        raise fault

    def _go_on(self, progress):
        """Fetch what is missing; returns the md5 of the whole, which gets its name if right."""
        self.stop.clear()
        self.resumed = self._load()
        missing = deque(s for s in self.segments if s.at < s.stop)
        session = web.Session(self._pause)
        answer = self._open(session, missing[0]) if missing else None
        if not self.resumed:
            self.part.unlink(missing_ok=True)
        self.file = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666)
        self.digest, self.hashed = hashlib.md5(usedforsecurity=False), 0
        try:
            if missing:
                self._fill_all(missing, session, answer, progress)
            self._hash(self.size)
            os.fsync(self.file)
            if self.digest.hexdigest() == self.md5:
                self._publish()
        finally:
            os.close(self.file)
        return self.digest.hexdigest()

    def _publish(self):
        """Give the part its name; where there are no locks, it may be another process's by now."""
        if _is_open_as(self.file, self.part):
            os.replace(self.part, self.path)
            _sync(self.path.parent)
        elif not _has_md5(self.path, self.md5):
            raise InputError(
                f"{self.url}: {self.part} was changed by another process, which downloads the same "
                "file (on a file system without locks); run again when it has finished"
            )

    def _fill_all(self, missing, session, answer, progress):
        """Fill the missing segments in their order, over a few connections."""
        connections = min(CONNECTIONS, len(missing))
        others = [web.Session(self._pause) for _ in range(connections - 1)]
        first = missing.popleft()

        def work(session, segment=None, answer=None):
            with session:
                while not self.stop.is_set() and (segment := segment or _next(missing)):
                    self._fill(segment, session, answer)
                    segment = answer = None

        self._save()
        try:
            with ThreadPoolExecutor(connections) as pool:
                running = {pool.submit(work, session, first, answer)}
                running |= {pool.submit(work, session) for session in others}
                try:
                    while running:
                        done, running = wait(running, TICK, FIRST_EXCEPTION)
                        self._hash(HASHED)
                        self._save()
                        progress.show(sum(s.at - s.start for s in self.segments))
                        for job in done:
                            job.result()
                finally:
                    self.stop.set()
        finally:
            self._save()

    def _fill(self, segment, session, answer):
        """Fill one segment, asking again after each break-off."""
        failures = 0
        while segment.at < segment.stop and not self.stop.is_set():
            before, cause = segment.at, "the answer was too short"
            try:
                with answer or self._open(session, segment) as answer:
                    self._write(answer, segment)
            except _Broken as broken:
                cause = broken
            answer = None
            failures = 0 if segment.at > before else failures + 1
            if failures == TRIES:
                raise ServerFault(
                    f"{self.url}: broke off {TRIES} times in a row ({cause}); run again later: "
                    f"the download continues at {sum(s.at - s.start for s in self.segments):,} of "
                    f"{self.size:,} bytes"
                )
            if failures:
                self.stop.wait(web.BACKOFF * 2 ** (failures - 1))

    def _pause(self, seconds):
        """Wait before a request is repeated, which may be for hours, unless all has failed."""
        if self.stop.wait(seconds):
            raise _Stopped

    def _write(self, answer, segment):
        start, begin = time.monotonic(), segment.at
        for block in _blocks(answer):
            waited = time.monotonic() - start
            if waited > PATIENCE and segment.at - begin < SLOWEST * waited:
                raise ServerFault(
                    f"{self.url}: sent {segment.at - begin:,} bytes in {waited:,.0f} s; run again "
                    "later: the download continues where it stopped"
                )
            if self.stop.is_set():
                return
            if segment.at + len(block) > segment.stop:
                if answer.status_code == 206:
                    raise ServerFault(f"{self.url}: sent more than the range it was asked for")
                raise self._wrong_size(f"more than {self.size:,}")
            while block:
                written = os.pwrite(self.file, block, segment.at)
                segment.at += written
                block = block[written:]
        # The end of a chunked answer is certain; that of others may be a break-off.
        if answer.status_code == 200 and answer.raw.chunked and segment.at < segment.stop:
            raise self._wrong_size(f"{segment.at:,}")

    def _open(self, session, segment):
        """Ask for what a segment still misses."""
        headers = {"Range": f"bytes={segment.at}-{segment.stop - 1}"}
        # Only strong ETags may be used in a condition.
        if self.etag is not None and self.etag.startswith('"'):
            headers["If-Range"] = self.etag
        answer = session.get(self.url, headers=headers)
        try:
            self._accept(answer, segment)
        except Exception:
            answer.close()
            raise
        return answer

    def _accept(self, answer, segment):
        """See that an answer is the part of the file that was asked for."""
        status, etag = answer.status_code, answer.headers.get("ETag")
        if status not in (200, 206, 416):
            raise web.status_fault(self.url, status)
        start, total = _range(answer)
        self.is_page = "text/html" in answer.headers.get("Content-Type", "").lower()
        if total is None and self.is_page:
            raise ServerFault(f"{self.url}: {PAGE}")
        if total not in (None, self.size):
            raise self._wrong_size(f"{total:,}")
        if self.etag is not None and etag != self.etag:
            raise _Changed("the file has changed there")
        if status == 200 and (len(self.segments) > 1 or segment.at > 0):
            self.in_ranges = False
            raise _Changed("the server does not send ranges")
        if status != 200 and start != segment.at:
            raise _Changed("the server sent another range than it was asked for")
        self.etag = etag

    def _hash(self, limit):
        """Hash so many more bytes, as far as the file is there without a gap.

        What was just written is read back, from the system's cache: that serves any order of
        arrival, and what an earlier process left.
        """
        there = next((s.at for s in self.segments if s.at < s.stop), self.size)
        end = min(there, self.hashed + limit)
        while self.hashed < end:
            block = os.pread(self.file, min(BLOCK, end - self.hashed), self.hashed)
            if not block:
                raise _Changed(f"{self.part} was cut short")
            self.digest.update(block)
            self.hashed += len(block)

    def _load(self):
        """Plan the segments, or go on from those of an earlier process; whether it left any."""
        step = SEGMENT if self.in_ranges else self.size
        starts = range(0, self.size, step)
        self.etag = None
        self.segments = [_Segment(s, min(s + step, self.size), s) for s in starts]
        try:
            left = json.loads(self.record.read_text(encoding="utf-8"))
            segments = [_Segment(*numbers) for numbers in left["segments"]]
            end = max((s.at for s in segments if s.at > s.start), default=0)
            if left["file"] != [self.size, self.md5] or end > self.part.stat().st_size:
                return False
            # Servers name the same version differently; the md5 shows whether it was the same.
            self.etag = left["etag"] if left["url"] == self.url else None
        except (FileNotFoundError, *UNREADABLE):
            return False
        self.segments = segments
        return True

    def _save(self):
        segments = [astuple(segment) for segment in self.segments]
        left = {
            "file": [self.size, self.md5],
            "url": self.url,
            "etag": self.etag,
            "segments": segments,
        }
        new = self.record.with_name(f"{self.record.name}.new")
        new.write_text(json.dumps(left), encoding="utf-8")
        # Without locks, another process may have been faster.
        with suppress(FileNotFoundError):
            os.replace(new, self.record)

    def _discard(self):
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def _wrong_size(self, found):
        if self.is_page:
            return ServerFault(f"{self.url}: {PAGE}")
        return ServerFault(f"{self.url}: found {found} bytes, expected {self.size:,}")

    def _wrong_md5(self, found):
        with open(self.part, "rb") as part:
            beginning = part.read(512).lstrip().lower()
        if self.is_page or beginning.startswith((b"<!doctype html", b"<html")):
            return ServerFault(f"{self.url}: {PAGE}")
        return ServerFault(
            f"{self.url}: found md5 {found}, expected {self.md5}; the download was discarded, "
            "run again"
        )


class _Progress:
    """A bar on a terminal, and a line for every tenth or minute in the log."""

    def __init__(self, size, terminal):
        shown = terminal is not None and terminal.isatty()
        self.bar = tqdm(total=size, unit="B", unit_scale=True, file=terminal, disable=not shown)
        self.size, self.tenth, self.time = size, 0, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def show(self, done):
        if not self.bar.disable:
            # What an earlier process left is no part of the speed.
            self.bar.initial = self.bar.initial or done
            self.bar.n = done
            self.bar.refresh()
        tenth, now = 10 * done // self.size, time.monotonic()
        if tenth != self.tenth or now - self.time > 60:
            print(f"{done / 1e6:,.1f} of {self.size / 1e6:,.1f} MB", flush=True)
            self.tenth, self.time = tenth, now


def _next(segments):
    try:
        return segments.popleft()
    except IndexError:
        return None


def _blocks(answer):
    """Pieces of an answer as they arrive, so that none is lost when it breaks off."""
    try:
        while block := answer.raw.read1(BLOCK, decode_content=False):
            yield block
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _Broken(error) from error


def _range(answer):
    """First byte of an answer, and size of the whole file; None if they are not given."""
    stated = answer.headers.get("Content-Range", "")
    if match := re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", stated):
        return tuple(int(n) if n and n.isdigit() else None for n in match.groups())
    length = answer.headers.get("Content-Length", "")
    return None, int(length) if answer.status_code == 200 and length.isdigit() else None


def _has_md5(path, md5):
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == md5


def _is_open_as(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def _locked(path):
    """Hold a lock: another data set, or a job whose run was killed, may fetch the same file."""
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process downloads {path}; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            print(f"{path}: continuing without a lock ({error.strerror})", flush=True)
        yield


def _sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
