"""The resources that a run would request, by rule."""

import re

import pandas as pd

__all__ = ["plan_of", "requested"]


def requested(name, text):
    """What one job asks for.

    Parameters
    ----------
    name : str
        Of its rule.
    text : str
        What a dry run prints about it.

    Returns
    -------
    dict
        `rule`, `threads`, `memory` (GB) and `minutes`.
    """

    def number(key, otherwise=0):
        found = re.search(rf"\b{key}[=:] ?(\d+)", text)
        return int(found[1]) if found else otherwise

    return {
        "rule": name,
        "threads": number("threads", 1),
        "memory": number("mem_mb") / 1000.0,
        "minutes": number("runtime"),
    }


def plan_of(jobs):
    """What jobs ask for: a line a rule, in the order of their first jobs, and the sum of all.

    Parameters
    ----------
    jobs : list of dict
        From `requested`.

    Returns
    -------
    str
    """
    if not jobs:
        return "\nNothing to be done.\n"
    jobs = pd.DataFrame(jobs)
    jobs["core hours"] = jobs["threads"] * jobs["minutes"] / 60.0
    rules = jobs.groupby("rule", sort=False).agg(
        jobs=("rule", "size"),
        threads=("threads", "max"),
        memory=("memory", "max"),
        minutes=("minutes", "max"),
        hours=("core hours", "sum"),
    )
    total = {
        "jobs": len(jobs), "threads": jobs["threads"].max(), "memory": jobs["memory"].max(),
        "minutes": jobs["minutes"].max(), "hours": jobs["core hours"].sum(),
    }  # fmt: skip
    rules.loc["sum, or largest"] = total
    names = {"memory": "memory (GB)", "minutes": "limit (min)", "hours": "limit (core h)"}
    whole = rules.astype({"jobs": int, "threads": int, "minutes": int}).rename(columns=names)
    text = whole.to_string(float_format="{:.1f}".format)
    return f"\nWhat each job asks for: threads, memory, and at most this time\n\n{text}\n"
