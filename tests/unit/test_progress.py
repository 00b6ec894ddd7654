"""The lines of a run on the terminal, from records as Snakemake makes them."""

import logging

import numpy as np
import pytest
from progress import ShortLines, as_duration
from scipy import sparse
from snakemake_interface_logger_plugins.common import LogEvent
from statediff import progress
from statediff.store import row_blocks

SCRIPT_ENDED = (
    "RuleException:\nCalledProcessError in file x.smk, line 3:\n"
    "Command 'python x.py' returned non-zero exit status 1."
)


class Run:
    """A terminal, and a clock that stands still unless it is moved."""

    def __init__(self, work, **options):
        self.now = 0.0
        self.lines = ShortLines(lambda: work, clock=lambda: self.now, **options)

    def said(self, msg="", event=None, **fields):
        """What the terminal shows of a record; None if nothing."""
        record = logging.makeLogRecord({"msg": msg, "event": event, **fields})
        return self.lines.format(record) if self.lines.filter(record) else None

    def start(self, jobid, rule, output=("file",), log=(), **wildcards):
        fields = {"jobid": jobid, "rule_name": rule, "wildcards": wildcards, "output": output}
        fields |= {"log": log}
        assert self.said(event=LogEvent.JOB_INFO, **fields) is None

    def end(self, jobid):
        return self.said("Finished", LogEvent.JOB_FINISHED, job_id=jobid)


def test_a_line_for_each_job_that_ends():
    run = Run({1: 10, 2: 30, 3: 60, 4: 0})
    run.start(1, "store")
    run.now = 10.0
    run.start(2, "basis", contrast="a_vs_b")
    first = run.end(1)
    assert first.split() == ["10", "%", "store", "10", "s", "about", "90", "s", "left"]
    run.start(3, "report")
    run.now = 40.0
    assert run.end(2).split() == [
        "40",
        "%",
        "basis",
        "a_vs_b",
        "30",
        "s",
        "about",
        "60",
        "s",
        "left",
    ]
    run.start(4, "all", output=())
    run.now = 100.0
    assert run.end(3).split() == ["100", "%", "report", "90", "s"]
    # A target is no job to a reader.
    assert run.end(4) == ""


def test_no_estimate_from_little():
    run = Run({1: 1, 2: 99})
    run.start(1, "store")
    run.now = 5.0
    assert run.end(1).split() == ["1", "%", "store", "5", "s"]


def test_what_a_reader_need_not_see():
    run = Run({})
    for event in (LogEvent.JOB_STARTED, LogEvent.SHELLCMD, LogEvent.PROGRESS):
        assert run.said("x", event) is None
    for text in ("Select jobs to execute...", "Building DAG of jobs...", "Elapsed time: 0:00:01"):
        assert run.said(text) is None
    for text in ("Nothing to be done", "Trying to restart job 3."):
        assert run.said(text) == text
    assert run.said("Job stats:\n…", LogEvent.RUN_INFO, stats={"a": 2, "total": 2}) == "\n2 jobs"


def test_after_an_error_the_log_is_named_and_no_exception_shown():
    run = Run({1: 1})
    run.start(1, "store")
    assert run.said(SCRIPT_ENDED, LogEvent.ERROR, exception="RuleException") is None
    failed = {"rule_name": "store", "jobid": 1, "log": ["logs/store.log"]}
    assert run.said("", LogEvent.JOB_ERROR, **failed) == "\nstore failed. Its log: logs/store.log"
    assert run.said("WorkflowError:\nAt least one job did not complete successfully.") is None
    assert "go" in run.said("Exiting because a job execution failed. Look above")
    # What ends a job otherwise is shown as it is.
    killed = SCRIPT_ENDED.replace("returned non-zero exit status 1.", "died with SIGKILL")
    assert run.said(killed, LogEvent.ERROR, exception="RuleException") == killed


def test_jobs_at_work_are_named():
    run = Run({})
    for job in range(6):
        run.start(job, "basis", contrast=f"c{job}")
    run.now = 120.0
    assert run.lines.at_work() == (
        "basis c0 (2 min), basis c1 (2 min), basis c2 (2 min), basis c3 (2 min), 2 more"
    )
    run.end(0)
    assert not run.lines.at_work().startswith("basis c0")


def test_progress_of_a_job_at_work_is_that_at_the_end_of_its_log(tmp_path):
    run, log = Run({}), tmp_path / "basis.log"
    run.start(0, "basis", log=[str(tmp_path / "none.log"), str(log)])
    assert run.lines.at_work() == "basis (0 s)"
    log.write_text("progress: 1 % of 9 cells read\n" + "x" * 9000 + "\n")
    assert run.lines.at_work() == "basis (0 s)"
    with open(log, "a") as file:
        file.write("progress: 20 % of 9 cells read\nprogress: 40 % of 9 cells read\nrank 9\n")
    assert run.lines.at_work() == "basis (0 s, 40 % of 9 cells read)"


def test_a_pass_over_a_matrix_tells_of_its_progress(monkeypatch, caplog):
    matrix = sparse.csr_matrix(np.ones((8, 3)))
    with caplog.at_level(logging.INFO, "statediff"):
        assert [start for start, _ in row_blocks(matrix, 6)] == [0, 2, 4, 6]
        assert not caplog.messages  # nothing within ten seconds
        monkeypatch.setattr(progress, "INTERVAL", 0.0)
        assert [start for start, _ in row_blocks(matrix, 12)] == [0, 4]
    assert caplog.messages == ["50 % of 8 cells read", "100 % of 8 cells read"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99.4, "99 s"), (99.5, "2 min"), (5400, "90 min"), (7200, "2.0 h")],
)
def test_durations(seconds, text):
    assert as_duration(seconds) == text
