"""What a configuration may say, checked before anything runs."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from neuro2voc.configuration import (
    OWN_SETTINGS,
    RESERVED_WINDOWS,
    SOURCES,
    WHOLE_SYLLABLE_FEATURES,
    bird_names,
)
from neuro2voc.errors import DataError, nearest


def check_config(config: dict, schema_path: str | Path, simulator_keys: Iterable[str] = ()) -> None:
    """Raise a two-line `DataError` about the first thing wrong in the configuration.

    Parameters
    ----------
    config : dict
        The configuration with all overlays merged.
    schema_path : path
        The JSON schema, as YAML.
    simulator_keys : iterable of str
        Names of the simulator's settings. Empty: they are not checked.

    Raises
    ------
    DataError
        Naming the key's dotted path, what is wrong, and what is expected.
    """
    if not isinstance(config, dict):
        raise _wrong("The configuration holds no keys.", "a mapping like the shipped config.yaml")
    _check_values(config)
    _check_schema(config, schema_path)
    _check_simulated(config["simulated"], tuple(simulator_keys))
    _check_birds(config)
    _check_labels(config)
    _check_windows(config["windows"])
    _check_reach(config)
    _check_features(config)
    _check_confusion(config)
    _check_across(config)
    _check_trap(config)


def _wrong(what: str, expected: str) -> DataError:
    return DataError(f"{what}\nExpected: {expected}.")


def _at(path: Iterable) -> str:
    path = [str(part) for part in path]
    return f"In config.yaml or an overlay, {'.'.join(path)}" if path else "config.yaml"


def _shown(value) -> str:
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
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"


def _walk(node, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _walk(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, (*path, index))


def _check_values(config: dict) -> None:
    """Refuse what YAML allows and a JSON schema does not know: keys that are no text, nan, inf."""
    for path, value in _walk(config):
        for key in value if isinstance(value, dict) else ():
            if not isinstance(key, str):
                raise _wrong(
                    f"{_at((*path, _shown(key)))} is a name that YAML does not read as text.",
                    "a text; put it in quotes",
                )
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(f"{_at(path)} is {value}.", "a finite number")


def _check_schema(config: dict, schema_path: str | Path) -> None:
    import jsonschema
    import yaml

    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    # JSON counts 5.0 as an integer; range(5.0) does not.
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=checker)
    errors = validator(schema).iter_errors(config)
    # A misspelt key is also a missing one, and its own message is the better one.
    first = min(
        errors,
        key=lambda e: (e.validator != "additionalProperties", len(e.path), str(e.path)),
        default=None,
    )
    if first is not None:
        raise _explain(first)


def _explain(error) -> DataError:
    """Turn an error of jsonschema into a sentence."""
    path, value, schema = list(error.absolute_path), error.instance, error.schema
    expected = schema.get("description", "")
    if error.validator == "additionalProperties":
        allowed = list(schema["properties"])
        key = next(key for key in value if key not in allowed)
        return _wrong(
            f"{_at([*path, key])} is not a known key{nearest(key, allowed) or '.'}",
            f"one of {', '.join(allowed)}",
        )
    if error.validator == "required":
        key = next(key for key in schema["required"] if key not in value)
        expected = schema["properties"].get(key, {}).get("description") or f"a value for {key}"
        return _wrong(f"{_at([*path, key])} is missing.", expected)
    if error.validator == "uniqueItems":
        key = next(item for item in value if value.count(item) > 1)
        return _wrong(f"{_at(path)} holds {_shown(key)} more than once.", expected)
    if "propertyNames" in error.absolute_schema_path:
        return _wrong(f"{_at(path)} has the name {_shown(value)}.", expected)

    hint = ""
    if error.validator == "enum":
        expected = f"one of {', '.join(schema['enum'])}"
        hint = nearest(value, schema["enum"]) if isinstance(value, str) else ""
    elif error.validator == "type" and schema["type"] == "string":
        hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
    elif error.validator == "type" and isinstance(value, str) and _is_number(value):
        hint = ", which YAML reads as text; write it without quotes, 1e-3 as 0.001"
    # Of a list, the member is named by what it is, not by its place.
    verb = "is"
    if path and isinstance(path[-1], int):
        path, verb = path[:-1], "holds"
    return _wrong(
        f"{_at(path)} {verb} {_shown(value)}{hint}{'' if hint.endswith('?') else '.'}", expected
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_simulated(simulated: Mapping, simulator_keys: tuple[str, ...]) -> None:
    allowed = (*simulator_keys, *OWN_SETTINGS)
    for bird, entry in simulated.items():
        for key in entry if simulator_keys else ():
            if key not in allowed:
                raise _wrong(
                    f"{_at(('simulated', bird, key))} is not a known key"
                    f"{nearest(key, allowed) or '.'}",
                    f"one of {', '.join(allowed)}",
                )


def _check_birds(config: Mapping) -> None:
    known = bird_names(config)
    for bird in known:
        if known.count(bird) > 1:
            sources = [source for source in SOURCES if bird in config[source]]
            raise _wrong(
                f"{_at(('birds',))}: '{bird}' is described under {' and '.join(sources)}.",
                "one description of each bird; rename or remove the other",
            )
    for bird in config["birds"]:
        if bird not in known:
            raise _wrong(
                f"{_at(('birds',))} holds '{bird}', which is not described"
                f"{nearest(bird, known) or '.'}",
                f"birds described under simulated, recordings or public: {', '.join(known)}",
            )


def _check_labels(config: Mapping) -> None:
    entries = [
        ((source, bird), config[source][bird]) for source in SOURCES for bird in config[source]
    ]
    for path, entry in [((), config), *entries]:
        if len(entry.get("labels", ())) == 1:
            raise _wrong(
                f"{_at((*path, 'labels'))} holds only {_shown(entry['labels'][0])}, "
                "and one label leaves nothing to decode.",
                "at least two labels, or [] for all",
            )


def _check_windows(windows: Mapping) -> None:
    for name, window in windows.items():
        path = ("windows", name)
        if name in RESERVED_WINDOWS:
            raise _wrong(
                f"{_at(path)} takes a name that means the whole syllable; give it another.",
                f"a name other than {', '.join(RESERVED_WINDOWS)}",
            )
        width = window["stop"] - window["start"]
        if width <= 0:
            raise _wrong(
                f"{_at((*path, 'stop'))} is {window['stop']} and start {window['start']}.",
                "a stop after the start, both in s",
            )
        if "step" in window:
            _check_steps(path, window, width)
            continue
        bins = round(width / window["bin"])
        if bins < 1 or abs(bins * window["bin"] - width) > 1e-9:
            raise _wrong(
                f"{_at((*path, 'bin'))} is {window['bin']} s, of which {width:.10g} s "
                "(stop - start) is no whole multiple.",
                f"a divisor of the width, for example {width / max(bins, 1):.10g}",
            )


def _check_steps(path: tuple, window: Mapping, width: float) -> None:
    """Refuse steps that leave gaps between bins or do not lead to the window's end."""
    room, step = width - window["bin"], window["step"]
    steps = round(room / step)
    if step > window["bin"] or room < -1e-9 or abs(steps * step - room) > 1e-9:
        raise _wrong(
            f"{_at((*path, 'step'))} is {step} s, which does not lead from the first bin of "
            f"{window['bin']} s to a last one that ends at {window['stop']} s without gaps.",
            f"a divisor of {max(room, 0):.10g} s (stop - start - bin), at most the bin",
        )


def _check_reach(config: Mapping) -> None:
    """Refuse windows with which trials of different blocks would share spikes."""
    entries = [config[source][bird] for source in SOURCES for bird in config[source]]
    silence = min([config["bout_gap"], *(e["bout_gap"] for e in entries if "bout_gap" in e)])
    apart = max(silence, config["guard"])
    growing = {"start": min(config["growing"]["starts"]), "stop": config["growing"]["stop"]}
    windows = {("windows", name): window for name, window in config["windows"].items()}
    for path, window in {**windows, ("growing",): growing}.items():
        reach = max(window["stop"], 0) + max(-window["start"], 0)
        if reach > apart + 1e-9:
            raise _wrong(
                f"{_at(path)} reaches over {reach:g} s, but guard and bout_gap keep "
                f"trials of different blocks only {apart:g} s apart, so that they would share "
                "spikes.",
                f"a narrower window, or a guard of at least {reach:g} s",
            )


def _check_confusion(config: Mapping) -> None:
    for kind in ("split", "decoder", "feature"):
        name, listed = config["confusion"][kind], config[f"{kind}s"]
        if name not in listed:
            raise _wrong(
                f"{_at(('confusion', kind))} is '{name}', which `{kind}s` does not list.",
                f"one of {', '.join(listed)}",
            )


def _check_features(config: Mapping) -> None:
    allowed = [*WHOLE_SYLLABLE_FEATURES, *config["windows"]]
    named = [(("features",), "holds", feature) for feature in config["features"]]
    named.append((("curves", "feature"), "is", config["curves"]["feature"]))
    for path, verb, feature in named:
        if feature not in allowed:
            raise _wrong(
                f"{_at(path)} {verb} '{feature}', which is neither count, rate, tfidf nor a window"
                f"{nearest(feature, allowed) or '.'}",
                f"some of {', '.join(allowed)}",
            )


def _check_across(config: Mapping) -> None:
    known = bird_names(config)
    for path, names in (
        (("across", "birds"), config["across"]["birds"]),
        (("across", "labels"), config["across"]["labels"]),
    ):
        for bird in names:
            if bird not in known:
                raise _wrong(
                    f"{_at(path)} holds '{bird}', which is not described"
                    f"{nearest(bird, known) or '.'}",
                    f"birds described under simulated, recordings or public: {', '.join(known)}",
                )


def _check_trap(config: Mapping) -> None:
    bird, known = config["trap"], config["simulated"]
    if bird not in known or known[bird].get("tuning") != 0:
        raise _wrong(
            f"{_at(('trap',))} is '{bird}', which is not a simulated bird with `tuning: 0`"
            f"{nearest(bird, known) or '.'}",
            "a bird described under simulated whose neurons know nothing",
        )
