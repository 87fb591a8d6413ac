"""Words of errors in the configuration."""

from collections.abc import Iterable

from neuro2voc.errors import DataError
from neuro2voc.errors import nearest as nearest_name

LONG = 100  # characters of a name; the system's limit for file names is 255 bytes


def wrong(what: str, expected: str) -> DataError:
    """Return the two lines of an error."""
    return DataError(f"{what}\nExpected: {expected}.")


def at(path: Iterable) -> str:
    """Return where a key is."""
    path = [part if _is_plain(part) else shown(part) for part in map(str, path)]
    return f"In config.yaml or an overlay, {'.'.join(path)}" if path else "config.yaml"


def _is_plain(text: str) -> bool:
    return len(text) <= LONG and text.isprintable()


def listed(names: Iterable[str]) -> str:
    """Return names as a list of bounded length."""
    names = list(names)
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return ", ".join(names[:30]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the closest known name; of what is too long to be one, none."""
    return nearest_name(name, known) if len(str(name)) <= LONG else ""


def shown(value: object) -> str:
    """Describe a value in a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    # One line and of bounded length, whatever was written.
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:60]}…"
