"""Progress of long work, as messages of the logger "statediff" of Python's logging.

The jobs of the workflow write them to their logs, from which the terminal shows the last one of a
job that takes long. A notebook shows them after ``logging.basicConfig(level=logging.INFO)``.
"""

import logging
import time

__all__ = ["INTERVAL", "LOGGER", "followed"]

#: Takes the messages.
LOGGER = logging.getLogger("statediff")
#: Seconds between two messages of one loop.
INTERVAL = 10.0


def followed(blocks, rows, work):
    """Report how many of the rows have been dealt with, every ten seconds.

    Parameters
    ----------
    blocks : iterable of (int, array)
        First row of a block, and its rows, in increasing order.
    rows : int
        All rows.
    work : str
        What is done, for the message, such as "cells read".

    Yields
    ------
    start : int
    block : array
    """
    spoke = time.monotonic()
    for start, block in blocks:
        yield start, block
        if (now := time.monotonic()) - spoke >= INTERVAL:
            LOGGER.info(
                "%.0f %% of %s %s", 100 * (start + block.shape[0]) / rows, f"{rows:,}", work
            )
            spoke = now
