"""What a run was started with, in a form to share: no folders of a user, no names of one."""

import getpass
import re
import shlex
import socket
from pathlib import Path

__all__ = ["command_line", "without_folders"]

# Characters between paths within an argument, such as in the YAML of `--config`.
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
    """Settings in which paths of files that lead out of the working folder are cut to the name."""
    match settings:
        case dict():
            return {key: without_folders(value) for key, value in settings.items()}
        case list():
            return [without_folders(value) for value in settings]
        case str():
            return f"…/{Path(settings).name}" if _leads_out(settings) else settings
    return settings


def _leads_out(path):
    """Whether a text is a path that leads out of the working folder."""
    return re.match(r"/|~[^/]*/|file:", path) is not None or ".." in path.split("/")


def _shortened(part):
    """Part of an argument without folders; the last name of a path may be one too."""
    # An option of one letter may be followed by its value at once.
    option, path = re.fullmatch(r"(-\w(?=[/~])|)(.*)", part, re.S).groups()
    if not _leads_out(path):
        return part
    return option + (f"…/{Path(path).name}" if Path(path).is_file() else "…")


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
