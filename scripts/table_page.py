"""Write a table as a page with sorting and search that works offline."""

import json

import pandas as pd
import yaml
from _job import run
from statediff.disk import atomic
from table_view import gene_links, render_table


def main(job):
    config, files = job.params, job.input
    columns = read_yaml(files.columns)[config.table]
    links = gene_links(read_yaml(files.links) if files.get("links") else [], config.get("species"))
    with open(files.template, encoding="utf-8") as file:
        template = file.read()
    info = None
    if files.get("info"):
        with open(files.info, encoding="utf-8") as file:
            info = json.load(file)
    title = ": ".join([config.table.capitalize().replace("_", " "), *job.wildcards])
    table = pd.read_parquet(files.table)
    page = render_table(template, table, columns, title, config.get("digits"), links, info)
    with atomic(job.output[0]) as part:
        part.write_text(page, encoding="utf-8")


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


if __name__ == "__main__":
    run(main, snakemake)
