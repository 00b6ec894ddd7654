"""Search for the largest value of a function with one maximum."""

__all__ = ["climb"]


def climb(function, values, start):
    """Value of an increasing sequence at which a function is largest, found from a start uphill.

    Parameters
    ----------
    function : callable
        With one maximum along the values.
    values : sequence of float
    start : float
        One of them.

    Returns
    -------
    value : float
    maximum : float
    """
    known, best, before = {}, values.index(start), None

    def height(i):
        if i not in known:
            known[i] = function(values[i])
        return known[i]

    while best != before:
        around = range(max(best - 1, 0), min(best + 2, len(values)))
        best, before = max(around, key=height), best
    return values[best], known[best]
