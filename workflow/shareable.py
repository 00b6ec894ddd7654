"""What a run was started with, in a form to share: no folders of a user, no names of one."""

import getpass
import re
import shlex
import socket
from pathlib import Path

__all__ = ["command_line", "without_folders"]

# What stands between the paths within an argument, such as `--config` in YAML takes them.
BETWEEN = re.compile(r"([\"',;{}\[\]()=]|:(?!//) *)")
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


def command_line(arguments):
    """Snakemake's command line, without the paths that lead out of the working folder.

    Names of the user and of the machine go too, where they stand as words of their own.

    Parameters
    ----------
    arguments : list of str
        Those after the name of the program.

    Returns
    -------
    str
    """
    names = [name for name in _names() if name not in ("", "root", "localhost")]
    own = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None
    shared = []
    for argument in arguments:
        parts = [_shortened(part) for part in BETWEEN.split(argument)]
        text = ADDRESS.sub("…", "".join(parts))
        shared.append(own.sub("…", text) if own else text)
    return " ".join(["snakemake", *map(_quoted, shared)])


def without_folders(settings):
    """Settings with the names of files in place of paths that lead out of the working folder."""
    match settings:
        case dict():
            return {key: without_folders(value) for key, value in settings.items()}
        case list():
            return [without_folders(value) for value in settings]
        case str():
            return _shortened(settings)
    return settings


def _shortened(text):
    """A path as it is, or if it leads elsewhere only the name of its file."""
    # An option of one letter may be followed by its value at once.
    option, path = re.fullmatch(r"(-\w(?=[/~]))?(.*)", text, re.S).groups()
    leads_out = re.match(r"/|~[^/]*/|file:", path) or ".." in path.split("/")
    if not leads_out:
        return text
    return (option or "") + (f"…/{Path(path).name}" if Path(path).is_file() else "…")


def _quoted(argument):
    """For a shell where it needs that; what was left out needs none."""
    plain = argument.replace("…", "x")
    return argument if shlex.quote(plain) == plain else shlex.quote(argument)


def _names():
    """Of the user and the machine, as far as the system knows them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        user = ""
    host = socket.gethostname()
    return user, host, host.split(".")[0]
