"""Configuration files that Snakemake can't read: which file, which line, what to do."""

import os
import re

import pytest
from configfiles import MOST_BYTES, check_file, check_files
from statediff import InputError

MAPPINGS = "\n".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 40))
LISTS = "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset:\n  name: d\n   layer: x\n", "{}, line 3: not valid YAML (mapping values are"),
        ("dataset:\n    name: d\n  layer: x\n", "{}, line 3: not valid YAML"),
        ("dataset:\n\tname: d\n", "{}, line 2: *; indent with spaces, not tabs"),
        ("dataset:\n  layer: a: b\n", "{}, line 2: *; check this line and the line before it"),
        ("dataset: {name: d\ncontrasts: {}\n", "{}, line 2: not valid YAML (expected ',' or '}'"),
        ("dataset: !!python/object:os.system x\n", "{}, line 1: not valid YAML (could not"),
        ("a: 1\n---\nb: 2\n", "{}, line 2: not valid YAML (but found another document)"),
        ("when: 2024-02-30\n", "{}: not valid YAML (day is out of range"),
        (f"a: {'[' * 5000}", "{}: not valid YAML (maximum recursion depth"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "{}, line 4: the key 'b' occurs twice * (first in line 2"),
        ("a: &a\n  b: [*a]\n", "{}: found more than 200,000 values"),
        (f"a0: &a0 {{x: 1, y: 2}}\n{MAPPINGS}", "{}: found more than 200,000 values"),
        (f"a0: &a0 [1, 2]\n{LISTS}", "{}: found more than 200,000 values"),
        ("- a\n- b\n", "{}: found a list, expected keys with values"),
        ("[1, 2]", "{}: found a list"),
        ("results", "{}: found a value"),
        ("# only a comment\n", "{}: found nothing"),
        ("dataset: {name: é}".encode("latin-1"), "{}: not UTF-8 text (byte 16)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(1000), "{}: not UTF-8 text (byte 0)"),
        (bytes(MOST_BYTES + 1), "{}: larger than 1,000,000 bytes"),
    ],
)  # fmt: skip
def test_a_fault_of_a_file_has_its_place(tmp_path, content, message):
    file = tmp_path / "my.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    pattern = re.escape(message).replace(r"\{\}", re.escape(str(file))).replace(r"\*", ".*")
    with pytest.raises(InputError, match=f"^{pattern}") as refused:
        check_file(file)
    assert "\n" not in str(refused.value)


def test_a_word_that_is_no_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        check_files(["results", "figures"])
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2
    assert printed[0].startswith("Error: --configfile: results is a folder; ")
    assert printed[1].startswith(f"Error: --configfile: figures is no file (seen from {tmp_path});")
    assert all(line.endswith("targets come before it") for line in printed)


def test_what_snakemake_reads_passes(tmp_path):
    file = tmp_path / "my.yaml"
    for content in (
        "a: &a {x: 1}\nb: {<<: *a, y: [2024-02-29, no]}\n",
        '{\n\t"a": {"b": [1]}\n}\n',
        "a: {b: 1}\nc: {b: 1}\n",
    ):
        file.write_text(content)
        check_files([file])
    # A pipe, as of <(...), can be read only once.
    os.mkfifo(tmp_path / "pipe")
    check_files([tmp_path / "pipe"])
