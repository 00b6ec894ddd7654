"""Parts of messages, for a configuration and for functions of a notebook."""

from statediff.messages import beginning, close_matches, key_of, listed


def test_a_function_has_no_section():
    assert (key_of("contrasts.a", "sample"), key_of("", "sample")) == (
        "contrasts.a.sample",
        "sample",
    )
    assert (beginning("contrasts.a"), beginning("")) == ("contrasts.a: ", "")


def test_names_are_cut_and_suggested():
    assert listed([]) == "none"
    assert listed(range(4), most=2) == "0, 1, …"
    assert close_matches("gene3", ["Gene3", "Other"]) == " (did you mean Gene3?)"
    assert close_matches("x", ["Gene3"]) == ""
