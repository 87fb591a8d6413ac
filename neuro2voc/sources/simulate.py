"""A simulated bird: a song, neurons that know as much of it as the settings say, and the truth."""

import json
from dataclasses import asdict, dataclass

import h5py
import numpy as np
import pandas as pd
from scipy.io import wavfile

from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.recording import Recording, Units
from neuro2voc.sources import population as neurons
from neuro2voc.sources import synthesis
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.song import (
    EPOCHS_PER_SESSION,
    TICK,
    Repertoire,
    draw_repertoire,
    draw_song,
    read_song,
)


@dataclass(frozen=True)
class Truth:
    """What a simulated bird knows of itself.

    Attributes
    ----------
    settings : Settings
    repertoire : Repertoire
    population : Population
    song : DataFrame
        See `neuro2voc.sources.song.draw_song`.
    states : ndarray (renditions, pairs, 2)
        Hidden states of the pairs.
    gains : ndarray (units, epochs)
    seed : int
        Draws the oracle's contexts.
    voices : tuple of Voice
        How each syllable of the repertoire sounds; empty where the sound was given or left out.
    """

    settings: Settings
    repertoire: Repertoire
    population: neurons.Population
    song: pd.DataFrame
    states: np.ndarray
    gains: np.ndarray
    seed: int
    voices: tuple[synthesis.Voice, ...] = ()


@dataclass(frozen=True)
class _Spans:
    """Where on the clock each bout's surroundings lie, in ticks; arrays are indexed by bout.

    Attributes
    ----------
    epoch : ndarray (bouts,)
    whole : ndarray (bouts, 2)
        From half-way through the silence before a bout to half-way through that after it.
    near : ndarray (bouts, 2)
        The part of it within reach of the bout's syllables.
    """

    epoch: np.ndarray
    whole: np.ndarray
    near: np.ndarray

    @property
    def far(self) -> np.ndarray:
        """What is not near, before and after each bout (bouts, 2, 2)."""
        (begin, end), (first, last) = self.whole.T, self.near.T
        return np.stack([begin, first, last, end], axis=1).reshape(-1, 2, 2)


def _spans(song: pd.DataFrame, bounds: np.ndarray) -> _Spans:
    bouts = song.groupby("bout").agg(
        epoch=("epoch", "first"), first=("start", "min"), last=("stop", "max")
    )
    first, last = bouts["first"].to_numpy(), bouts["last"].to_numpy()
    edges = np.r_[bounds[0, 0], (last[:-1] + first[1:]) // 2, bounds[-1, 1]]
    whole = np.stack([edges[:-1], edges[1:]], axis=1)
    near = np.stack(
        [
            np.maximum(first - neurons.NEAR, whole[:, 0]),
            np.minimum(last + neurons.NEAR, whole[:, 1]),
        ],
        axis=1,
    )
    return _Spans(bouts["epoch"].to_numpy(), whole, near)


def _draw_spikes(truth: Truth, spans: _Spans, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw spike times in s, one array per unit.

    Near song every tick is drawn; far from it the hazard is constant and the gaps between spikes
    are, which is the same and takes no time in silence.
    """
    table = truth.population.table
    near = _draw_near(truth, spans, rng)
    trains = []
    for unit, (base, resting, refractory) in enumerate(
        zip(table["base"], table["resting"], table["refractory"], strict=True)
    ):
        parts = [near[unit]]
        for epoch in np.unique(spans.epoch):
            chance = neurons.hazard(base * resting, 0.0, truth.gains[unit, epoch], 0.0)
            silence = spans.far[spans.epoch == epoch].reshape(-1, 2)
            parts.append(draw_constant(chance, silence, rng))
        ticks = neurons.drop_refractory(np.sort(np.concatenate(parts), kind="stable"), refractory)
        trains.append((ticks + rng.random(len(ticks))) * TICK)
    return tuple(trains)


def _draw_near(truth: Truth, spans: _Spans, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw candidate ticks near song, one array per unit; bout by bout: memory stays small."""
    people, song, settings = truth.population, truth.song, truth.settings
    units = np.arange(len(people))
    base = people.table["base"].to_numpy()[:, None]
    state = neurons.unit_states(people, truth.states)
    reach = int((people.table["lead"] + 5 * people.table["width"]).max() / TICK) + 1
    candidates: list[list[np.ndarray]] = [[] for _ in units]
    for (_, bout), epoch, (begin, end) in zip(
        song.groupby("bout"), spans.epoch, spans.near, strict=True
    ):
        evoked = np.zeros((len(units), end - begin))
        for event in bout.itertuples():
            low = max(event.start - reach, begin)
            high = min(event.stop + reach, end)
            evoked[:, low - begin : high - begin] += neurons.evoked_rate(
                people,
                units,
                np.arange(low, high),
                {name: np.array(getattr(event, name)) for name in neurons.EVENT},
                settings,
                state[:, event.Index],
            )
        chance = neurons.hazard(base, evoked, truth.gains[:, [epoch]], settings.tuning)
        unit, tick = np.nonzero(rng.random(chance.shape) < chance)
        for row, ticks in enumerate(np.split(tick, np.searchsorted(unit, units[1:]))):
            candidates[row].append(begin + ticks)
    return [np.concatenate(chunks) for chunks in candidates]


def draw_constant(chance: float, spans: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw ticks of which each is taken with the same chance, by the gaps between those taken.

    Parameters
    ----------
    chance : float
        Above 0.
    spans : ndarray (n, 2)
        First and last tick, half-open, sorted and disjoint.

    Returns
    -------
    ndarray
        The ticks taken, sorted.
    """
    length = spans[:, 1] - spans[:, 0]
    total = int(length.sum())
    # Spans follow one another without what lies between: a chance per tick has no memory.
    place = np.zeros(0, dtype=np.int64)
    while not len(place) or place[-1] < total:
        expected = chance * total
        gaps = rng.geometric(chance, int(expected + 6 * np.sqrt(expected)) + 10)
        place = np.r_[place, np.cumsum(gaps) + (place[-1] if len(place) else -1)]
    place = place[place < total]
    before = np.cumsum(length) - length
    taken = np.diff(np.r_[np.searchsorted(place, before), len(place)])
    return place + np.repeat(spans[:, 0] - before, taken)


def simulate(
    name: str, settings: Settings, seed: int
) -> tuple[Recording, Truth, tuple[float, np.ndarray] | None]:
    """Simulate a bird.

    Parameters
    ----------
    name : str
    settings : Settings
    seed : int

    Returns
    -------
    recording : Recording
        Units, syllables and sessions; its sound is returned apart.
    truth : Truth
    audio : (float, ndarray) or None
        Sampling rate in Hz and int16 samples; None if the settings ask for no sound.

    Raises
    ------
    DataError
        A given song cannot be read.
    """
    # One generator per part: a change to one leaves the others as they were.
    to_song, to_neurons, to_spikes, to_sound, to_oracle = np.random.SeedSequence(seed).spawn(5)
    rng = np.random.default_rng(to_song)
    if settings.annotations:
        song, repertoire = read_song(settings.annotations)
        audio, voices = read_wav(settings.audio), ()
        bounds = np.array([[0, max(int(len(audio[1]) / audio[0] / TICK), song["stop"].max())]])
    else:
        repertoire = draw_repertoire(settings, rng)
        song, bounds = draw_song(settings, repertoire, rng)
        audio, voices = None, ()
        if settings.audio_rate:
            types = len(repertoire.labels) - 1
            rng = np.random.default_rng(to_sound)
            voices = (synthesis.introductory_voice(rng), *synthesis.draw_voices(types, rng))
            audio = _sing(settings, voices, song, bounds, rng)

    rng = np.random.default_rng(to_neurons)
    people = neurons.draw_population(settings, len(repertoire.labels), rng)
    spans = _spans(song, bounds)
    length = np.bincount(spans.epoch, np.diff(spans.whole)[:, 0], len(bounds) * EPOCHS_PER_SESSION)
    truth = Truth(
        settings=settings,
        repertoire=repertoire,
        population=people,
        song=song,
        states=neurons.draw_pair_states(people, song["label"].to_numpy(), rng),
        gains=neurons.draw_gains(len(people), settings.drift, length, rng),
        seed=int(to_oracle.generate_state(1, np.uint64)[0] >> 1),
        voices=voices,
    )
    trains = _draw_spikes(truth, spans, np.random.default_rng(to_spikes))

    table = people.table[["depth", "location", "quality"]].copy()
    table.index = pd.RangeIndex(len(table), name="unit")
    names = [f"session{index + 1}" for index in range(len(bounds))]
    recording = Recording(
        name=name,
        units=Units(spike_times=trains, table=table),
        syllables=pd.DataFrame(
            {
                "start_time": song["start"] / 1000,
                "stop_time": song["stop"] / 1000,
                "label": [repertoire.labels[label] for label in song["label"]],
                "session": [names[session] for session in song["session"]],
            }
        ),
        sessions=pd.DataFrame(
            {"session": names, "start_time": bounds[:, 0] / 1000, "stop_time": bounds[:, 1] / 1000}
        ),
        audio=None,
        simulated=True,
    )
    return recording, truth, audio


def _sing(
    settings: Settings,
    voices: tuple[synthesis.Voice, ...],
    song: pd.DataFrame,
    bounds: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, np.ndarray]:
    """Sing a song with the voices of its syllables."""
    events = zip(
        song["start"] / 1000,
        song["stop"] / 1000,
        song["label"],
        song["pitch"],
        song["loudness"],
        strict=True,
    )
    count = int(bounds[-1, 1] * settings.audio_rate / 1000)
    samples = synthesis.sing_song(events, voices, count, settings.audio_rate, rng)
    return settings.audio_rate, samples


def read_wav(path: str) -> tuple[float, np.ndarray]:
    """Read a .wav file: sampling rate in Hz and int16 samples of its first channel.

    Raises
    ------
    DataError
        The file is missing, is no .wav file, or holds anything but 16-bit integers.
    """
    try:
        rate, samples = wavfile.read(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a .wav file ({error}).") from error
    if samples.dtype != np.int16:
        raise DataError(f"{path}: samples are {samples.dtype}; convert the file to 16-bit PCM.")
    return float(rate), samples if samples.ndim == 1 else samples[:, 0]


def write_truth(truth: Truth, path: str) -> None:
    """Write the truth to HDF5: tables column by column, the rest as arrays, settings as JSON."""
    people = truth.population
    with hdf5_writer(path) as file:
        file.attrs["settings"] = json.dumps(asdict(truth.settings), sort_keys=True)
        file.attrs["seed"] = truth.seed
        file.attrs["synergy"] = people.synergy
        for name, table in (("units", people.table), ("song", truth.song)):
            for column in table:
                values = table[column].to_numpy()
                file[f"{name}/{column}"] = (
                    values.astype("S")
                    if values.dtype.kind in "OU" or str(values.dtype) == "str"
                    else values
                )
            file[name].attrs["columns"] = list(table.columns)
        for name in ("burst", "phase", "level", "sign"):
            file[f"population/{name}"] = getattr(people, name)
        file["repertoire/labels"] = np.char.encode(truth.repertoire.labels, "utf-8")
        for name in ("durations", "spread", "limits"):
            file[f"repertoire/{name}"] = getattr(truth.repertoire, name)
        for name in synthesis.Voice.__dataclass_fields__ if truth.voices else ():
            values = np.array([getattr(voice, name) for voice in truth.voices])
            file[f"voices/{name}"] = values.astype("S") if name == "kind" else values
        file["states"] = truth.states
        file["gains"] = truth.gains


def read_truth(path: str) -> Truth:
    """Read what `write_truth` wrote."""

    def text(values: np.ndarray) -> np.ndarray:
        return values.astype(str).astype(object) if values.dtype.kind == "S" else values

    with h5py.File(path) as file:
        tables = {
            name: pd.DataFrame({c: text(file[name][c][()]) for c in file[name].attrs["columns"]})
            for name in ("units", "song")
        }
        arrays = {
            name: file["population"][name][()] for name in ("burst", "phase", "level", "sign")
        }
        return Truth(
            settings=Settings(**json.loads(file.attrs["settings"])),
            repertoire=Repertoire(
                labels=tuple(np.char.decode(file["repertoire/labels"][()], "utf-8")),
                durations=file["repertoire/durations"][()],
                spread=file["repertoire/spread"][()],
                limits=tuple(file["repertoire/limits"][()].tolist()),
            ),
            population=neurons.Population(
                table=tables["units"], synergy=float(file.attrs["synergy"]), **arrays
            ),
            song=tables["song"],
            states=file["states"][()],
            gains=file["gains"][()],
            seed=int(file.attrs["seed"]),
            voices=_read_voices(file["voices"]) if "voices" in file else (),
        )


def _read_voices(group: h5py.Group) -> tuple[synthesis.Voice, ...]:
    names = list(synthesis.Voice.__dataclass_fields__)
    columns = [group[name][()].tolist() for name in names]
    return tuple(
        synthesis.Voice(kind.decode(), *numbers) for kind, *numbers in zip(*columns, strict=True)
    )
