"""Address, size and md5 of a file from Zenodo's record API."""

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from statediff import InputError, web
from statediff.disk import atomic
from statediff.web import UNREADABLE, ServerFault

__all__ = ["OTHERWISE", "zenodo_file"]

# What is kept of an answer.
ANSWER = ("url", "size", "md5")
#: What to do where no address gives the file.
OTHERWISE = (
    "Correct dataset.source.zenodo, or name another address in its key mirror, or download the "
    "file otherwise and name it in dataset.source.path"
)


def zenodo_file(api_url, record, name, folder):
    """Look up a file in a record of Zenodo, by the REST API of InvenioRDM.

    The files of a version never change: what Zenodo answered is kept, and not asked for again.

    Parameters
    ----------
    api_url : str
        Address of the records, such as https://zenodo.org/api/records.
    record : int
    name : str
        Name of the file in the record.
    folder : path
        Where answers are kept, by a hash of what was asked.

    Returns
    -------
    url : str
    size : int
        Bytes.
    md5 : str

    Raises
    ------
    InputError
        If there is no such record or file, or no answer.
    """
    url = f"{api_url.rstrip('/')}/{record}"
    asked = hashlib.sha256(json.dumps([url, name]).encode()).hexdigest()
    answer = Path(folder) / f"{asked}.json"
    with suppress(FileNotFoundError, *UNREADABLE):
        kept = json.loads(answer.read_text(encoding="utf-8"))
        return tuple(kept[key] for key in ANSWER)
    found = _ask_zenodo(url, record, name)
    with atomic(answer) as part:
        part.write_text(json.dumps(dict(zip(ANSWER, found))), encoding="utf-8")
    return found


def _ask_zenodo(url, record, name):
    try:
        found = _json(url)
        files = {file["key"]: (file["size"], file["checksum"]) for file in found["files"]}
        version = found["id"]
    except ServerFault as fault:
        raise InputError(f"{fault}\n{OTHERWISE}") from fault
    except UNREADABLE:
        raise InputError(
            f"{url}: found no record with public files in Zenodo's format; check record "
            "and api_url in dataset.source.zenodo, or give url, md5 and bytes"
        ) from None
    if str(version) != str(record):
        raise InputError(
            f"{url}: this number represents the newest version, now {version!r}; give the number "
            "of one version in dataset.source.zenodo.record, so that the data stay the same"
        )
    # The latter two would be taken for steps in the address.
    if name not in files or name in (".", ".."):
        there = ", ".join(map(repr, list(files)[:10])) or "no file"
        raise InputError(
            f"{url}: found no {name!r} (dataset.source.zenodo.file); the record has {there}"
        )
    size, checksum = files[name]
    if type(size) is not int or size < 1 or not re.fullmatch("md5:[0-9a-f]{32}", str(checksum)):
        raise InputError(
            f"{url}: found the size {size!r} and the checksum {checksum!r} for {name!r}, expected "
            "bytes and md5:…; give url, md5 and bytes in dataset.source.zenodo"
        )
    return f"{url}/files/{quote(name, safe='')}/content", size, checksum.removeprefix("md5:")


def _json(url):
    with web.Session() as session:
        answer = session.get(url, headers={"Accept": "application/json"}, whole=True)
        if not answer.ok:
            raise web.status_fault(url, answer.status_code)
        return answer.json()
