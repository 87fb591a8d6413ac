"""What a configuration may say of networks and tokens, checked before anything runs."""

from collections.abc import Mapping

from neuro2voc.configuration_words import at, listed, nearest, shown, wrong

STATE_SPACES = ("mamba2_bins", "mamba2", "hybrid")  # networks with Mamba-2 layers


def check_networks(config: Mapping) -> None:
    """Raise a two-line `DataError` about the first thing wrong with networks or tokens."""
    _check_windows(config)
    _check_tokens(config)
    _check_contexts(config)
    _check_heads(config)


def _check_windows(config: Mapping) -> None:
    for feature in config["networks"]["features"]:
        if feature not in config["windows"]:
            raise wrong(
                f"{at(('networks', 'features'))} holds {shown(feature)}, but networks see bins "
                f"in time{nearest(feature, config['windows']) or '.'}",
                f"the name of a window: {listed(config['windows'])}",
            )


def _check_tokens(config: Mapping) -> None:
    window, known = config["tokens"]["window"], config["windows"]
    if window not in known:
        raise wrong(
            f"{at(('tokens', 'window'))} is {shown(window)}, but tokens are of windows of one "
            f"length{nearest(window, known) or '.'}",
            f"the name of a window: {listed(known)}",
        )
    width = known[window]["stop"] - known[window]["start"]
    if config["tokens"]["tick"] > width + 1e-9:
        raise wrong(
            f"{at(('tokens', 'tick'))} is {config['tokens']['tick']:g} s, and the window "
            f"'{window}' is {width:g} s long.",
            f"at most {width:g}",
        )
    for scheme in config["sequences"]["schemes"]:
        if scheme not in config["tokens"]["schemes"]:
            raise wrong(
                f"{at(('sequences', 'schemes'))} holds {shown(scheme)}, of which no corpus is "
                "written, since `tokens.schemes` does not list it.",
                f"some of {listed(config['tokens']['schemes'])}",
            )


def _check_contexts(config: Mapping) -> None:
    tick = config["tokens"]["tick"]
    for length in config["contexts"]["lengths"]:
        if length < tick - 1e-9:
            raise wrong(
                f"{at(('contexts', 'lengths'))} holds {length:g} s, shorter than the "
                "tick of tokens.",
                f"lengths of at least {tick:g} s",
            )
        if abs(1000 * length - round(1000 * length)) > 1e-6:
            raise wrong(
                f"{at(('contexts', 'lengths'))} holds {length:g} s, which is no whole number of "
                "milliseconds.",
                f"lengths such as {max(round(length, 3), 0.001):g}",
            )


def _check_heads(config: Mapping) -> None:
    for name, inside, part in (
        ("gpt2", config["gpt2"]["width"], "heads"),
        ("hybrid", config["hybrid"]["width"], "heads"),
        *((n, config[n]["width"] * config[n]["expand"], "head") for n in STATE_SPACES),
    ):
        number = config[name][part]
        if inside % number:
            raise wrong(
                f"{at((name, part))} is {number}, which does not divide {inside}"
                f"{' (width times expand)' if part == 'head' else ' (its width)'}.",
                f"a divisor of {inside}",
            )
