"""The one exception that users are meant to read."""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """Something is wrong with a file, a setting or a request; the message is a whole sentence.

    The sentence names the file and the place, says what is wrong and what to do about it.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
