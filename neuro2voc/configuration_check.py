"""What a configuration may say, checked before anything runs."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from neuro2voc.configuration import (
    OWN_SETTINGS,
    RESERVED_WINDOWS,
    SOURCES,
    WHOLE_SYLLABLE_FEATURES,
    bird_names,
    is_overlapping,
)
from neuro2voc.configuration_networks import check_networks
from neuro2voc.configuration_voice import check_voice, seen_around_song
from neuro2voc.configuration_words import LONG, at, listed, nearest, shown, wrong
from neuro2voc.errors import DataError

# Bounds of what is looked at more closely. YAML says with a few letters what takes all memory.
DEPTH = 10  # levels
MANY = 10_000  # values
LARGE, SMALL = 2**63, 1e-9  # of numbers; a clock of 1 ns knows nothing smaller
# Control characters, of which no path may hold NUL, and halves of characters.
UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
BINS = 10_000  # of a window; the finest in use have some two hundred


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
        raise wrong("The configuration holds no keys.", "a mapping like the shipped config.yaml")
    _check_values(config)
    _check_schema(config, schema_path)
    _check_simulated(config["simulated"], tuple(simulator_keys))
    _check_birds(config)
    _check_labels(config)
    _check_windows(config["windows"])
    _check_bins(config)
    _check_reach(config)
    _check_features(config)
    check_networks(config)
    _check_confusion(config)
    _check_other_birds(config)
    _check_trap(config)
    _check_recovery(config)
    check_voice(config)


def _walk(node, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _walk(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, (*path, index))


def _check_values(config: dict) -> None:
    """Refuse what YAML allows and a JSON schema does not know.

    That is keys that are no text, nan and inf, numbers and texts no computer can use, circles.
    """
    for count, (path, value) in enumerate(_walk(config)):
        if count >= MANY:
            raise wrong(f"The configuration holds more than {MANY} values.", "fewer of them")
        if len(path) > DEPTH:
            raise wrong(f"{at(path[:3])} has more than {DEPTH} levels.", "fewer of them")
        for key in value if isinstance(value, dict) else ():
            if not isinstance(key, str):
                raise wrong(
                    f"{at((*path, shown(key)))} is a name that YAML does not read as text.",
                    "a text; put it in quotes",
                )
            if not key.isprintable() or len(key) > LONG:
                raise wrong(
                    f"{at((*path, key))} is too long a name, or holds what cannot be seen.",
                    f"at most {LONG} characters that can be printed",
                )
        if isinstance(value, str):
            _check_text(path, value)
        if isinstance(value, int | float):
            _check_number(path, value)


def _check_text(path: tuple, text: str) -> None:
    if len(text) > LONG**2:
        raise wrong(f"{at(path)} is a text of {len(text)} characters.", f"at most {LONG**2}")
    if UNFIT.search(text):
        raise wrong(f"{at(path)} is {shown(text)}.", "a text without control characters")


def _check_number(path: tuple, number: float) -> None:
    if isinstance(number, float) and not math.isfinite(number):
        raise wrong(f"{at(path)} is {number}.", "a finite number")
    if abs(number) >= LARGE:
        raise wrong(f"{at(path)} is too large a number.", f"less than {LARGE:.1e}")
    if 0 < abs(number) < SMALL:
        raise wrong(f"{at(path)} is {number}.", f"0, or {SMALL:g} or more")


@cache
def _validator(schema_path: str | Path):
    import jsonschema
    import yaml

    def pattern(validator, pattern: str, text: object, schema: dict) -> Iterator:
        # To JSON `$` is the very end; Python's lets a line break follow.
        if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
            yield jsonschema.ValidationError("does not match")

    def unique(validator, wanted: bool, values: object, schema: dict) -> Iterator:
        # jsonschema compares all pairs where it cannot sort. What is no scalar has its own error.
        if wanted and isinstance(values, list) and _repeated(values) is not None:
            yield jsonschema.ValidationError("not unique")

    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    # JSON counts 5.0 as an integer; range(5.0) does not.
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    kind = jsonschema.validators.extend(
        jsonschema.Draft202012Validator,
        {"pattern": pattern, "uniqueItems": unique},
        type_checker=checker,
    )
    return kind(schema)


def _repeated(values: Iterable) -> str | float | None:
    """Return the first text or number that occurs a second time."""
    seen = set()
    for value in values:
        if isinstance(value, str | int | float):
            if value in seen:
                return value
            seen.add(value)
    return None


def _check_schema(config: dict, schema_path: str | Path) -> None:
    errors = _validator(schema_path).iter_errors(config)
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
        return wrong(
            f"{at([*path, key])} is not a known key{nearest(key, allowed) or '.'}",
            f"one of {', '.join(allowed)}",
        )
    if error.validator == "required":
        key = next(key for key in schema["required"] if key not in value)
        expected = schema["properties"].get(key, {}).get("description") or f"a value for {key}"
        return wrong(f"{at([*path, key])} is missing.", expected)
    if error.validator == "uniqueItems":
        return wrong(f"{at(path)} holds {shown(_repeated(value))} more than once.", expected)
    if "propertyNames" in error.absolute_schema_path:
        return wrong(f"{at(path)} has the name {shown(value)}.", expected)

    hint = ""
    if error.validator == "enum":
        expected = f"one of {', '.join(schema['enum'])}"
        hint = nearest(value, schema["enum"]) if isinstance(value, str) else ""
    elif error.validator == "type" and schema["type"] == "string":
        hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
    elif error.validator == "type" and isinstance(value, str):
        hint = _text_hint(value, nested=len(path) > 1)
    # Of a list, the member is named by what it is, not by its place.
    verb = "is"
    if path and isinstance(path[-1], int):
        path, verb = path[:-1], "holds"
    return wrong(
        f"{at(path)} {verb} {shown(value)}{hint}{'' if hint.endswith('?') else '.'}", expected
    )


def _text_hint(text: str, nested: bool) -> str:
    """Say why a value is a text where none belongs, and what to do.

    Snakemake reads lists and mappings given with --config as texts throughout.
    """
    file = "put it into a file given with --configfile"
    if text.strip().startswith(("[", "{")):
        return f", which is read as text; {file}"
    if not _is_number(text):
        return ""
    hint = ", which YAML reads as text; write it without quotes, 1e-3 as 0.001"
    return f"{hint}; if it was given with --config, {file}" if nested else hint


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
                raise wrong(
                    f"{at(('simulated', bird, key))} is not a known key"
                    f"{nearest(key, allowed) or '.'}",
                    f"one of {', '.join(allowed)}",
                )


def _check_birds(config: Mapping) -> None:
    known = bird_names(config)
    if twice := _repeated(known):
        sources = [source for source in SOURCES if twice in config[source]]
        raise wrong(
            f"{at(('birds',))}: '{twice}' is described under {' and '.join(sources)}.",
            "one description of each bird; rename or remove the other",
        )
    described = set(known)
    for bird in config["birds"]:
        if bird not in described:
            raise wrong(
                f"{at(('birds',))} holds {shown(bird)}, which is not described"
                f"{nearest(bird, known) or '.'}",
                f"birds described under simulated, recordings or public: {listed(known)}",
            )


def _check_labels(config: Mapping) -> None:
    entries = [
        ((source, bird), config[source][bird]) for source in SOURCES for bird in config[source]
    ]
    for path, entry in [((), config), *entries]:
        if len(entry.get("labels", ())) == 1:
            raise wrong(
                f"{at((*path, 'labels'))} holds only {shown(entry['labels'][0])}, "
                "and one label leaves nothing to decode.",
                "at least two labels, or [] for all",
            )


def _check_windows(windows: Mapping) -> None:
    for name, window in windows.items():
        path = ("windows", name)
        if name in RESERVED_WINDOWS:
            raise wrong(
                f"{at(path)} takes a name that means the whole syllable; give it another.",
                f"a name other than {', '.join(RESERVED_WINDOWS)}",
            )
        width = window["stop"] - window["start"]
        if width <= 0:
            raise wrong(
                f"{at((*path, 'stop'))} is {window['stop']} and start {window['start']}.",
                "a stop after the start, both in s",
            )
        if "step" in window:
            _check_steps(path, window, width)
            continue
        bins = round(width / window["bin"])
        if bins < 1 or abs(bins * window["bin"] - width) > 1e-9:
            raise wrong(
                f"{at((*path, 'bin'))} is {window['bin']} s, of which {width:.10g} s "
                "(stop - start) is no whole multiple.",
                f"a divisor of the width, for example {width / max(bins, 1):.10g}",
            )


def _check_steps(path: tuple, window: Mapping, width: float) -> None:
    """Refuse steps that leave gaps between bins or do not lead to the window's end."""
    room, step = width - window["bin"], window["step"]
    steps = round(room / step)
    if step > window["bin"] or room < -1e-9 or abs(steps * step - room) > 1e-9:
        raise wrong(
            f"{at((*path, 'step'))} is {step} s, which does not lead from the first bin of "
            f"{window['bin']} s to a last one that ends at {window['stop']} s without gaps.",
            f"a divisor of {max(room, 0):.10g} s (stop - start - bin), at most the bin",
        )


def _check_bins(config: Mapping) -> None:
    growing, lag = config["growing"], config["lag"]
    spans = {
        ("windows", name): (window["stop"] - window["start"], window.get("step", window["bin"]))
        for name, window in config["windows"].items()
    }
    spans["growing",] = (growing["stop"] - min(growing["starts"]), growing["step"])
    spans["lag",] = (2 * lag["reach"], lag["step"])
    for path, (width, step) in spans.items():
        if width / step > BINS:
            raise wrong(
                f"{at(path)} has {width / step:.3g} bins.", f"at most {BINS}; widen bins or steps"
            )


def _check_reach(config: Mapping) -> None:
    """Refuse windows with which trials of different blocks would share spikes."""
    entries = [config[source][bird] for source in SOURCES for bird in config[source]]
    silence = min([config["bout_gap"], *(e["bout_gap"] for e in entries if "bout_gap" in e)])
    apart = max(silence, config["guard"])
    growing = {"start": min(config["growing"]["starts"]), "stop": config["growing"]["stop"]}
    windows = {("windows", name): window for name, window in config["windows"].items()}
    longest = max(config["contexts"]["lengths"])
    context = {"start": -longest / 2, "stop": longest / 2}
    others = {("growing",): growing, ("contexts", "lengths"): context} | seen_around_song(config)
    for path, window in {**windows, **others}.items():
        reach = max(window["stop"], 0) + max(-window["start"], 0)
        if reach > apart + 1e-9:
            raise wrong(
                f"{at(path)} reaches over {reach:g} s, but guard and bout_gap keep "
                f"trials of different blocks only {apart:g} s apart, so that they would share "
                "spikes.",
                f"a narrower window, or a guard of at least {reach:g} s",
            )


def _check_confusion(config: Mapping) -> None:
    for kind in ("split", "decoder", "feature"):
        name, known = config["confusion"][kind], [*config[f"{kind}s"]]
        known += config["networks"]["decoders"] if kind == "decoder" else []
        known += config["sequences"]["schemes"] if kind == "feature" else []
        if name not in known:
            raise wrong(
                f"{at(('confusion', kind))} is {shown(name)}, which `{kind}s` does not list.",
                f"one of {listed(known)}",
            )


def _check_features(config: Mapping) -> None:
    allowed = [*WHOLE_SYLLABLE_FEATURES, *config["windows"]]
    named = [(("features",), "holds", feature) for feature in config["features"]]
    named.append((("curves", "feature"), "is", config["curves"]["feature"]))
    explained = [
        ((source, bird, "explained"), config[source][bird]["explained"])
        for source in SOURCES
        for bird in config[source]
        if "explained" in config[source][bird]
    ]
    explained.append((("explained",), config["explained"]))
    for path, feature in explained:
        if feature == "tfidf":
            raise wrong(
                f"{at(path)} is 'tfidf', which mixes all units, so that no value is one unit's.",
                "count, rate or the name of a window",
            )
        if feature in config["windows"] and is_overlapping(config["windows"][feature]):
            raise wrong(
                f"{at(path)} is {shown(feature)}, whose bins overlap, so that spikes would count "
                "twice.",
                "count, rate or the name of a window without `step`",
            )
        named.append((path, "is", feature))
    for path, verb, feature in named:
        if feature not in allowed:
            raise wrong(
                f"{at(path)} {verb} {shown(feature)}, which is neither count, rate, tfidf nor "
                f"a window{nearest(feature, allowed) or '.'}",
                f"{'some' if verb == 'holds' else 'one'} of {listed(allowed)}",
            )


def _check_other_birds(config: Mapping) -> None:
    known = bird_names(config)
    for path, names in (
        (("across", "birds"), config["across"]["birds"]),
        (("across", "labels"), config["across"]["labels"]),
        (("pretraining", "sources"), config["pretraining"]["sources"]),
    ):
        for bird in names:
            if bird not in known:
                raise wrong(
                    f"{at(path)} holds {shown(bird)}, which is not described"
                    f"{nearest(bird, known) or '.'}",
                    f"birds described under simulated, recordings or public: {listed(known)}",
                )


def _check_recovery(config: Mapping) -> None:
    bird, known = config["recovery"]["bird"], config["simulated"]
    if bird not in known:
        raise wrong(
            f"{at(('recovery', 'bird'))} is {shown(bird)}, which is not a simulated bird"
            f"{nearest(bird, known) or '.'}",
            f"one of {listed(list(known))}",
        )
    # What a bird does not state is the simulator's to know; it checks again.
    pairs, units = config["recovery"]["pairs"], known[bird].get("units")
    if isinstance(units, int) and 2 * pairs > units:
        raise wrong(
            f"{at(('recovery', 'pairs'))} is {pairs}, which takes {2 * pairs} units; {bird} has "
            f"{units}.",
            f"at most {units // 2}",
        )


def _check_trap(config: Mapping) -> None:
    bird, known = config["trap"], config["simulated"]
    if bird not in known or known[bird].get("tuning") != 0:
        raise wrong(
            f"{at(('trap',))} is {shown(bird)}, which is not a simulated bird with `tuning: 0`"
            f"{nearest(bird, known) or '.'}",
            "a bird described under simulated whose neurons know nothing",
        )
