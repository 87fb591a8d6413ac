"""What can be set about a simulated bird.

Standard library only: the workflow reads it on every start.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from neuro2voc.errors import DataError
from neuro2voc.sources import thesis


@dataclass(frozen=True)
class Settings:
    """A simulated bird. Every field can be set under ``simulated:`` in config.yaml.

    The defaults were fixed before any decoder was tuned on a simulated bird and are not changed to
    suit one.
    """

    # A bird to be like: 'thesis' has the published statistics of the thesis' bird
    # (neuro2voc/sources/thesis.py). What it fixes (`FIXED`) is then not read from here.
    preset: str = ""

    # Song
    syllable_types: int = 6  # 3 to 12, beside the introductory note
    stereotypy: float = 0.7  # probability that a syllable is followed by the next one of the motif
    shortest: float = 0.07  # s, mean duration of the shortest type
    longest: float = 0.15  # s, mean duration of the longest type
    duration_cv: float = 0.06  # SD over mean of one type's durations, about a finch's
    pitch_sd: float = 0.03  # octaves, between renditions
    loudness_sd: float = 1.5  # dB, between renditions
    sessions: int = 3
    bouts: int = 10  # per session
    audio_rate: float = 20000.0  # Hz; 0: no sound

    # Neurons
    units: int = 40
    tuning: float = 1.0  # scales everything that depends on song; 0: a bird that knows nothing
    pairs: int = 2  # pairs of units that only say something together
    synergy: float = 1.0  # 0 to 1: how surely a pair's joint state follows the syllable
    alike: int = 0  # syllable types (the last ones) that no unit tells apart; only pairs may
    drift: float = 0.1  # SD of a unit's log gain between halves of sessions
    mua: float = 0.3  # share of units that are multi-unit activity

    # A song to simulate neurons to, instead of a synthesised one: a mono .wav file and a .csv file
    # with the columns onset_s, offset_s, label (crowsetta's 'simple-seq' format).
    audio: str = ""
    annotations: str = ""

    def __post_init__(self):
        for field in fields(self):
            _check(field.name, getattr(self, field.name), field.type)
        if self.longest < self.shortest:
            raise DataError("longest is below shortest; exchange them.")
        if self.preset:
            _check_preset(self)
        units = thesis.UNITS if self.preset else self.units
        if 2 * self.pairs > units:
            raise DataError(
                f"{self.pairs} pairs need {2 * self.pairs} units, but there are {units}; "
                "lower pairs or raise units."
            )
        if self.alike == 1 or self.alike > self.syllable_types:
            raise DataError(
                f"alike is {self.alike}, but must be 0 or from 2 to syllable_types, which is "
                f"{self.syllable_types}."
            )
        if bool(self.audio) != bool(self.annotations):
            raise DataError("audio and annotations must be given together.")


PRESETS = ("thesis",)

# What a preset fixes, and what therefore cannot be set beside it.
FIXED = (
    "syllable_types",
    "stereotypy",
    "shortest",
    "longest",
    "duration_cv",
    "sessions",
    "bouts",
    "units",
    "alike",
    "mua",
    "audio",
    "annotations",
)

LIMITS = {
    "syllable_types": (3, 12),
    "stereotypy": (0, 1),
    "shortest": (0.02, 1),
    "longest": (0.02, 1),
    "duration_cv": (0, 0.5),
    "pitch_sd": (0, 1),
    "loudness_sd": (0, 20),
    "sessions": (1, 100),
    "bouts": (1, 100000),
    "audio_rate": (16000, 200000),
    "units": (1, 10000),
    "tuning": (0, 10),
    "pairs": (0, 5000),
    "synergy": (0, 1),
    "alike": (0, 12),
    "drift": (0, 2),
    "mua": (0, 1),
}


def _check(name: str, value: object, kind: type) -> None:
    if kind is str:
        if not isinstance(value, str):
            what = "a name" if name == "preset" else "the path of a file"
            raise DataError(f"{name} is {value!r:.60}, but must be {what}, in quotes.")
        return
    if name == "audio_rate" and value == 0 and not isinstance(value, bool):
        return
    low, high = LIMITS[name]
    numbers = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, numbers) or not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        silent = ", or 0 for no sound" if name == "audio_rate" else ""
        raise DataError(
            f"{name} is {value!r:.60}, but must be {what} between {low} and {high}{silent}."
        )


def _check_preset(settings: Settings) -> None:
    if settings.preset not in PRESETS:
        raise DataError(f"preset is {settings.preset!r}, but must be one of {', '.join(PRESETS)}.")
    changed = [f.name for f in fields(Settings) if getattr(settings, f.name) != f.default]
    _refuse_fixed(settings.preset, changed)


def _refuse_fixed(preset: str, given: Iterable[str]) -> None:
    clash = [name for name in given if name in FIXED]
    if clash:
        raise DataError(
            f"{', '.join(clash)} cannot be set beside preset {preset!r}, which fixes "
            f"{'it' if len(clash) == 1 else 'them'}; leave out the one or the other."
        )


SETTING_NAMES = tuple(field.name for field in fields(Settings))


def bird_settings(entry: dict, name: str) -> Settings:
    """Return the settings in a bird's entry; keys that are not the simulator's are left out.

    Raises
    ------
    DataError
        A value is of the wrong kind, outside its limits or fixed by the preset beside it.
    """
    try:
        if entry.get("preset"):
            _refuse_fixed(entry["preset"], entry)
        return Settings(**{key: value for key, value in entry.items() if key in SETTING_NAMES})
    except DataError as error:
        raise DataError(f"In config.yaml or an overlay, simulated.{name}: {error}") from None
