"""Print the resources that a run would request, by rule, from a dry run."""

from _dry_run import planned
from planning import plan_of, requested

print(plan_of([requested(*job) for job in planned(snakemake)]), flush=True)
