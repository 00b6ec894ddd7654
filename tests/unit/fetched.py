"""The file that the tests of the download client fetch, and how they fetch it in vain."""

import hashlib

import numpy as np
import pytest
from statediff import InputError

SIZE = 600_000
CONTENT = np.random.default_rng(0).bytes(SIZE)


def md5(content):
    return hashlib.md5(content).hexdigest()


def refused(get, *words, **changes):
    """Fetch in vain; returns the message."""
    with pytest.raises(InputError) as caught:
        get(**changes)
    assert "data.h5ad" not in get.left
    for word in (*words, "dataset.source.path"):
        assert word in str(caught.value)
    return str(caught.value)
