"""Print the resources that a run would request, by rule, from a dry run."""

import re

import pandas as pd
from _dry_run import planned


def main(job):
    jobs = [asked(name, text) for name, text in planned(job)]
    print(table(pd.DataFrame(jobs)) if jobs else "\nNothing to be done.\n", flush=True)


def asked(name, text):
    """What one job asks for."""

    def number(key, otherwise=0):
        found = re.search(rf"\b{key}[=:] ?(\d+)", text)
        return int(found[1]) if found else otherwise

    return {
        "rule": name,
        "threads": number("threads", 1),
        "memory": number("mem_mb") / 1000.0,
        "minutes": number("runtime"),
    }


def table(jobs):
    """A line a rule, in the order of their first jobs, and the sum of all."""
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


main(snakemake)
