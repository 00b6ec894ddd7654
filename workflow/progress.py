"""Terminal output of Snakemake, shortened to one line for each job that ends.

Snakemake's log file, which the last line of a run names, keeps all messages.
"""

import os
import threading
import time
from contextlib import suppress

from snakemake.logging import DefaultFormatter, get_event, logger
from snakemake_interface_logger_plugins.common import LogEvent
from statediff.text import printable

__all__ = ["PROGRESS", "ShortLines", "as_duration", "progress_in", "shorten"]

# What a terminal need not show of a run.
HIDDEN = {
    LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_INFO,
    LogEvent.GROUP_INFO, LogEvent.SHELLCMD, LogEvent.PROGRESS,
}  # fmt: skip
# The same of messages without an event, by their beginnings.
HIDDEN_TEXT = (
    "Building DAG", "Using shell", "Conda environments: ignored", "Select jobs", "Group jobs",
    "Elapsed time", "Shutting down", "WorkflowError:\nAt least one job did not complete",
)  # fmt: skip
# How Snakemake says that a script has ended with a message of its own.
SCRIPT_ENDED = "returned non-zero exit status 1."
STOPPED = "Exiting because a job execution failed"
#: Seconds without a line after which the jobs at work are named, and so many of them.
SILENCE = 60.0
NAMED = 4
# Beginning of the lines of a log that tell of progress, and bytes at its end to look for them in.
PROGRESS = "progress: "
LOG_END = 4096
# Share of the work after which the time left is estimated.
FIRST_ESTIMATE = 0.05


def shorten(workflow):
    """Shorten what the terminal shows of a run, unless the user asks Snakemake for more or less.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    """
    settings = workflow.output_settings
    handler = next((h for h in logger.handlers if h.name == "DefaultStreamHandler"), None)
    own = settings.quiet or settings.verbose or settings.debug_dag or settings.printshellcmds
    if handler is None or own or settings.dryrun:
        return
    lines = ShortLines(lambda: work_of(workflow), settings.show_failed_logs)
    handler.addFilter(lines)
    handler.setFormatter(lines)
    threading.Thread(target=lines.watch, daemon=True).start()


def work_of(workflow):
    """Time limit of each job of a run, by its number: how much of the work it is thought to be."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    limits = {job.jobid: job.resources.get("runtime") for job in jobs}
    return {number: limit if isinstance(limit, int) else 0 for number, limit in limits.items()}


class ShortLines(DefaultFormatter):
    """Filter and formatter of the terminal.

    Parameters
    ----------
    work : callable
        Gives {number of a job: its share of the work, in any unit}, once the jobs are known.
    show_failed_logs : bool
        Whether Snakemake shows the log of a job that fails.
    clock : callable
        Seconds from a fixed start.
    """

    def __init__(self, work, show_failed_logs=False, clock=time.monotonic):
        super().__init__(show_failed_logs=show_failed_logs)
        self._work, self._clock = work, clock
        self._began = self._spoke = clock()
        self._running, self._ended, self._shares = {}, set(), None

    def filter(self, record):
        """Whether a record is shown; what is not shown is remembered."""
        event, text = get_event(record), str(record.msg)
        if event == LogEvent.JOB_INFO:
            words = [record.rule_name, *map(str, record.wildcards.values())]
            # A target has no output, and is no work.
            name = " ".join(words) if record.output else None
            self._running[record.jobid] = name, self._clock(), list(record.log or ())
        if event in HIDDEN or text.startswith(HIDDEN_TEXT):
            return False
        return not (event == LogEvent.ERROR and text.endswith(SCRIPT_ENDED))

    def format(self, record):
        self._spoke = self._clock()
        if get_event(record) is None and str(record.msg).startswith(STOPPED):
            return "\nThe run has stopped. Results are kept: the same command goes on from them."
        return super().format(record)

    def format_run_info(self, msg):
        jobs = msg["stats"]["total"] if msg.get("stats") else None
        self._began = self._clock()
        return f"\n{jobs:,} job{'s' if jobs > 1 else ''}" if jobs else msg["msg"]

    def format_job_finished(self, msg):
        """Share of the work that is done, the job, its seconds, and how long the rest may take."""
        name, start, _ = self._running.pop(msg["job_id"], (None, None, []))
        self._ended.add(msg["job_id"])
        if name is None:
            return ""
        now, done = self._clock(), self.done()
        line = f"{int(100 * done):>3} %  {name:<44} {as_duration(now - start):>6}"
        if FIRST_ESTIMATE <= done < 1:
            line += f"   about {as_duration((now - self._began) * (1 - done) / done)} left"
        return line

    def format_job_error(self, msg):
        self._running.pop(msg["jobid"], None)
        if self.show_failed_logs:
            return super().format_job_error(msg)
        return f"\n{msg['rule_name']} failed. Its log: {', '.join(msg['log']) or 'none'}"

    def done(self):
        """Share of the work that is done."""
        self._shares = self._shares or self._work()
        total = sum(self._shares.values())
        return sum(self._shares.get(job, 0) for job in self._ended) / total if total else 1.0

    def at_work(self):
        """The jobs that have begun and not ended, each with its time and progress so far."""
        now, running = self._clock(), self._running.copy().values()
        named = [
            f"{name} ({', '.join([as_duration(now - start), *progress_in(logs)])})"
            for name, start, logs in running
            if name
        ]
        more = [f"{len(named) - NAMED:,} more"] if len(named) > NAMED else []
        return ", ".join([*named[:NAMED], *more])

    def watch(self):
        """Name the jobs at work whenever nothing was said for long."""
        while True:
            time.sleep(1)
            if self._clock() - self._spoke >= SILENCE and (jobs := self.at_work()):
                logger.info(f"       waiting for {jobs}")


def progress_in(logs):
    """The last message of progress in the logs of a job, if there is one.

    Parameters
    ----------
    logs : sequence of path

    Returns
    -------
    list of str
    """
    for path in logs:
        with suppress(OSError), open(path, "rb") as log:
            log.seek(-min(LOG_END, log.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = log.read().decode(errors="replace").splitlines()
            told = [line for line in lines if line.startswith(PROGRESS)]
            if told:
                return [printable(told[-1].removeprefix(PROGRESS))]
    return []


def as_duration(seconds):
    """Seconds in two digits or so, as people say them.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"
