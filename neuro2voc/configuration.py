"""The configuration and the names of birds: what may be written, and what it means.

The workflow reads this module on every start, so it imports nothing heavy.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from neuro2voc.errors import DataError, nearest

SURROGATES = ("shuffled", "shifted", "poisson", "independent")
SPLITS = ("blocked", "session", "random")
DECODERS = ("logistic", "svm", "xgboost", "forest", "bayes", "lda")
# On bins of windows; on tokens.
NETWORKS = ("lstm", "eegnet", "cnn_lstm", "mamba2_bins")
SEQUENCES = ("gpt2", "mamba2", "hybrid", "mamba")
# Song from activity without networks.
GENERATORS = ("ridge", "kernel", "nearest", "syllable")
SCHEMES = ("spatial", "temporal", "spatial_rm0", "aggregated", "events")

# Groups of figures that `all` makes; rules/inputs.smk says which these are.
FIGURES = (
    "song",
    "decoding",
    "units",
    "shap",
    "networks",
    "contexts",
    "voice",
    "latents",
    "embedding",
)

SOURCES = ("simulated", "recordings", "public")
# What a bird may state for itself instead of the global setting.
OWN_SETTINGS = (
    "labels",
    "splits",
    "bout_gap",
    "replicates",
    "inclusion",
    "explained",
    "networks",
    "voice",
    "figures",
)
# Decoders that see no neuron.
BASELINES = ("majority", "duration", "previous")
# The window from onset to offset is always there, so no window in the configuration may take its
# name; features of it need no entry, and carry the syllable's duration.
SYLLABLE = "syllable"
WHOLE_SYLLABLE_FEATURES = ("count", "rate", "tfidf")
RESERVED_WINDOWS = (SYLLABLE, *WHOLE_SYLLABLE_FEATURES)


def bird_names(config: Mapping) -> list[str]:
    """Return all birds that the configuration describes, in its order."""
    return [name for source in SOURCES for name in config[source]]


class Bird(NamedTuple):
    """What a bird's name says.

    Attributes
    ----------
    parent : str
        The bird that the configuration describes.
    selection : str or None
        Which of its units count, by the name of one of `selections`; None: those that `inclusion`
        admits.
    surrogate : str or None
        None for the bird itself.
    replicate : int
        Counts from 1; 1 for the bird itself.
    """

    parent: str
    selection: str | None
    surrogate: str | None
    replicate: int

    @property
    def control(self) -> str:
        """The part of the name that says which surrogate it is, '' for the bird itself."""
        return f"~{self.surrogate}{self.replicate}" if self.surrogate else ""


def parse_bird(name: str) -> Bird:
    """Split a bird's name into parent, selection, surrogate and replicate.

    Parameters
    ----------
    name : str
        A bird (``bird1``), some of its units (``bird1@good``), a surrogate (``bird1~shifted3``; no
        number means 1), or both (``bird1@good~shifted3``).

    Raises
    ------
    DataError
        An unknown surrogate, or a surrogate or selection of what is one already.
    """
    units, *controls = name.split("~")
    parent, *selections = units.split("@")
    selection = selections[0] if selections else None
    if any("@" in control for control in controls):
        control, _, selection = controls[0].partition("@")
        raise DataError(
            f"'{name}' names units behind the surrogate; ask for '{parent}@{selection}~{control}'."
        )
    if len(selections) > 1:
        raise DataError(
            f"'{name}' is a selection of a selection, which is not made; describe the units under "
            f"`selections` and ask for '{parent}@{selection}'."
        )
    if not controls:
        return Bird(parent, selection, None, 1)
    if len(controls) > 1:
        raise DataError(
            f"'{name}' is a surrogate of a surrogate, which is not made; "
            f"ask for '{units}~{controls[0]}' or '{units}~{controls[1]}'."
        )
    surrogate, number = re.fullmatch(r"(.*?)([0-9]*)", controls[0], re.DOTALL).groups()
    if surrogate not in SURROGATES:
        raise DataError(
            f"'{name}' names no surrogate that is known; there are: {', '.join(SURROGATES)}"
            f"{nearest(surrogate, SURROGATES) or '.'}"
        )
    if number.startswith("0"):
        raise DataError(
            f"'{name}': replicates count from 1 and are written without leading zeros; "
            f"ask for '{units}~{surrogate}1'."
        )
    if len(number) > 9:
        raise DataError(
            f"'{name[:60]}…' asks for a replicate with {len(number)} digits; ask for a smaller one."
        )
    return Bird(parent, selection, surrogate, int(number or 1))


def check_bird(name: str, config: Mapping) -> None:
    """Raise a `DataError` unless `name` is a described bird, or a selection or surrogate of one."""
    bird = parse_bird(name)
    known = bird_names(config)
    if bird.parent not in known:
        raise DataError(
            f"no bird called '{bird.parent}' in config.yaml; it lists: {', '.join(known) or 'none'}"
            f"{nearest(bird.parent, known)}"
        )
    selections = config["selections"]
    if bird.selection is not None and bird.selection not in selections:
        raise DataError(
            f"no selection called '{bird.selection}' in config.yaml; `selections` describes: "
            f"{', '.join(selections) or 'none'}{nearest(bird.selection, selections)}"
        )


def bird_entry(config: Mapping, name: str) -> Mapping:
    """Return the description of a bird; selections and surrogates have their parent's."""
    check_bird(name, config)
    parent = parse_bird(name).parent
    return next(config[source][parent] for source in SOURCES if parent in config[source])


def setting(config: Mapping, bird: str, key: str):
    """Return what the bird states for `key` itself, else the global setting.

    Parameters
    ----------
    config : mapping
        A checked configuration.
    bird : str
        A bird, or a selection or surrogate, which has its parent's settings.
    key : str
        One of `OWN_SETTINGS`, or any other key of the top level, which is the same for all birds.
        A bird's own `voice` is what it changes of `voice: activity`.
        What counts as a unit (`inclusion`) is put together from the global rules, the bird's own
        and the selection's, the later ones first.
    """
    entry = bird_entry(config, bird)
    if key == "inclusion":
        selection = config["selections"].get(parse_bird(bird).selection, {})
        return {**config[key], **entry.get(key, {}), **selection}
    if key == "networks":
        return {**config[key], **({"decoders": entry[key]} if key in entry else {})}
    if key == "voice":
        own = {**config[key]["activity"], **entry.get(key, {})}
        return {**config[key], "activity": own}
    if key in OWN_SETTINGS and key in entry:
        return entry[key]
    return config["null_band"]["replicates"] if key == "replicates" else config[key]


def window_of(feature: str) -> str:
    """Return the window that a feature is made from."""
    return SYLLABLE if feature in WHOLE_SYLLABLE_FEATURES else feature


def is_overlapping(window: Mapping) -> bool:
    """Tell whether a window of the configuration has bins that share time."""
    return window.get("step", window["bin"]) < window["bin"]


def oracle_features(config: Mapping) -> list[str]:
    """Return the features that the oracle can judge.

    It computes the probability of counts, so that TF-IDF (counts of which it knows only the
    proportions) and bins that share spikes are left out.
    """
    windows = config["windows"]
    return [
        feature
        for feature in config["features"]
        if feature != "tfidf" and not (feature in windows and is_overlapping(windows[feature]))
    ]


def derive_seed(seed: int, *parts: str | int) -> int:
    """Return a seed of 63 bits that depends on nothing but `seed` and `parts`.

    Parameters
    ----------
    seed : int
        The configuration's seed.
    *parts : str or int
        What tells this use from others, for example the rule and its wildcards.
    """
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
