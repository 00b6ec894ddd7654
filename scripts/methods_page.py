"""Write the methods section of a contrast from its settings and its summary."""

import json

import yaml
from _job import run
from _page import write_page
from markupsafe import Markup
from statediff.design import sample_columns


class Citations:
    """Numbers of papers, in the order in which the text cites them."""

    def __init__(self, papers):
        self.papers, self.cited = papers, []

    def __call__(self, *keys):
        self.cited += [key for key in keys if key not in self.cited]
        return Markup("<sup>{}</sup>").format(",".join(str(self.cited.index(k) + 1) for k in keys))

    def listed(self):
        return [self.papers[key] for key in self.cited]


def main(job):
    settings = job.params.settings
    with open(job.input.summary, encoding="utf-8") as file:
        summary = json.load(file)
    with open(job.input.papers, encoding="utf-8") as file:
        papers = yaml.safe_load(file)
    write_page(
        job,
        summary=summary,
        settings=settings,
        contrast=summary["conditions"],
        sampled=bool(sample_columns(summary["conditions"])),
        settings_text=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        cite=Citations(papers),
    )


if __name__ == "__main__":
    run(main, snakemake)
