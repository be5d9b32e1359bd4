"""Sentences in both directions."""


def both_ways(say, first, second):
    """Check that a result and its opposite have their own words and not each other's.

    `say` takes the sign, 1 or -1; the words at 1 are returned.
    """
    one, other = say(1), say(-1)
    assert first in one
    assert second not in one
    assert second in other
    assert first not in other
    return one
