"""Levels that YAML takes for booleans, numbers or dates."""

import copy

import pytest
import yaml
from statediff import InputError
from statediff.levels import levels_as_text

DATA = {
    "smoker": ["no", "yes"],
    "day": ["2024-01-05", "2024-02-05", "x"],
    "leiden": ["0", "1", "10"],
    "dose": ["0.5", "1.0"],
    "both": ["no", "off", "yes"],
}


def test_levels_are_those_that_yaml_reads_in_the_same_way():
    config = yaml.safe_load("""
    contrasts:
      a: {column: smoker, reference: no, compared: yes, cells: {leiden: [1, "10"], dose: 1}}
      b: {column: day, reference: 2024-01-05, compared: 2024-02-05, groups: {g: {leiden: 0}}}
      c: {column: leiden, levels: [0, 1, "10"]}
      d: {column: years, reference: null}
    smooth: {m: {genes: [A], cells: {smoker: off}}}
    figures: {cells: {dose: 0.5}}
    """)
    before = copy.deepcopy(config)
    found = levels_as_text(config, DATA.get)
    assert config == before
    a, b, c, d = found["contrasts"].values()
    assert (a["reference"], a["compared"]) == ("no", "yes")
    assert a["cells"] == {"leiden": ["1", "10"], "dose": "1.0"}
    assert (b["reference"], b["compared"]) == ("2024-01-05", "2024-02-05")
    assert b["groups"] == {"g": {"leiden": "0"}}
    assert c["levels"] == ["0", "1", "10"]
    assert d["reference"] is None
    assert found["smooth"]["m"]["cells"] == {"smoker": "no"}
    assert found["figures"]["cells"] == {"dose": "0.5"}


def test_levels_that_cannot_be_told():
    contrast = {"column": "both", "reference": False, "compared": "yes"}
    with pytest.raises(InputError, match=r"found False, .* 2 levels .*'no', 'off'"):
        levels_as_text({"contrasts": {"a": contrast}}, DATA.get)
    contrast = {"column": "leiden", "reference": 7, "compared": "1"}
    with pytest.raises(InputError, match=r"found 7, .* no levels of obs column 'leiden'"):
        levels_as_text({"contrasts": {"a": contrast}}, DATA.get)
    # Of data that are not there yet nothing is known, and faults are told by the schema.
    config = {"contrasts": {"a": {"column": "x", "reference": 7}, "b": None}, "smooth": []}
    assert levels_as_text(config, lambda column: None) == config
