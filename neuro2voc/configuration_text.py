"""What is wrong with the text of a configuration, before it is read."""

from pathlib import Path

import yaml

from neuro2voc.errors import DataError

DEPTH = 20  # far more levels than any key has, far fewer than what readers of YAML can stand


def check_text(path: str | Path) -> None:
    """Raise a two-line `DataError` about what cannot be read, or would be read as something else.

    YAML keeps the last of two equal keys and says nothing. A file that ends in .json is
    not checked.

    Parameters
    ----------
    path : path
        Of config.yaml or an overlay.

    Raises
    ------
    DataError
        Naming file, line and column.
    """
    if Path(path).suffix == ".json":
        return
    text = _decoded(path)
    try:
        _check_events(text, path)
        yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _wrong(path, error.problem_mark, error.problem, "YAML; indent by spaces") from error
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        # Whatever YAML's own types fail with, for example at a thirteenth month.
        words = " ".join(str(error).split())[:100]
        raise DataError(
            f"{path}: a value is not what it looks like ({words}).\n"
            "Expected: texts in quotes where they look like a number or a date."
        ) from error


def _decoded(path: str | Path) -> str:
    try:
        data = Path(path).read_bytes()
        text = data.decode("utf-8")
        yaml.reader.Reader(text)  # looks at every character
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.\nExpected: a file.") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is no UTF-8.\n"
            "Expected: a text saved as UTF-8."
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise DataError(
            f"{path}, line {line}: the character {chr(error.character)!r} may not stand in YAML.\n"
            "Expected: a text without control characters."
        ) from error
    return text


def _wrong(path: str | Path, mark, what: str, expected: str) -> DataError:
    place = f"{path}, line {mark.line + 1}, column {mark.column + 1}"
    return DataError(f"{place}: {what}.\nExpected: {expected}.")


def _check_events(text: str, path: str | Path) -> None:
    """Go through the text without building anything: whatever is in it, that takes little."""
    # Of every open mapping the keys so far, of every open list None; and whether a key comes next.
    keys: list[set | None] = []
    key_next: list[bool] = []
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            keys.pop()
            key_next.pop()
        elif isinstance(event, yaml.NodeEvent):
            if keys and keys[-1] is not None:
                if key_next[-1] and isinstance(event, yaml.ScalarEvent):
                    if event.value in keys[-1]:
                        name = event.value if len(event.value) < 60 else f"{event.value[:60]}…"
                        raise _wrong(
                            path, event.start_mark, f"{name!r} stands here twice", "each key once"
                        )
                    keys[-1].add(event.value)
                key_next[-1] = not key_next[-1]
            if isinstance(event, yaml.CollectionStartEvent):
                keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
                key_next.append(True)
                if len(keys) > DEPTH:
                    raise _wrong(
                        path, event.start_mark, f"more than {DEPTH} levels", "as in config.yaml"
                    )
