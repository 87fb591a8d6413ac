"""Song from activity, by what was trained: in memory and in files."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from neuro2voc.errors import DataError
from neuro2voc.frames import Frames, overlap_add
from neuro2voc.generated import song_activity
from neuro2voc.network_files import Weights, check_units, read_decoders, write_decoders
from neuro2voc.networks.neural_encoder import NeuralEncoder
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.recording import Recording
from neuro2voc.sound_windows import levels_from, rows_reaching

AT_ONCE = 1024  # windows that pass through a network together
NEAR = 1e-4  # by which settings of sound may differ, in parts: rates of given spectrograms do
SONG = "song"  # stands in files where other networks have a feature


class Memory(nn.Module):
    """Latents of song that was heard, recalled by their direction.

    The contrast that trains an encoder makes the exponential of a similarity, over the temperature,
    proportional to how much likelier a stretch of sound is with this activity than without it (van
    den Oord et al. 2018, arXiv:1807.03748). Stretches heard in training are drawn from what is
    likely without it. Weighed by these exponentials their mean is therefore what is to be expected
    of the latents, lengths included, which the contrast leaves open.

    Parameters
    ----------
    latents : Tensor (n, latent)
        Of the training windows.
    temperature : float
    """

    def __init__(self, latents: torch.Tensor, temperature: float):
        super().__init__()
        self.register_buffer("latents", latents)
        self.register_buffer("temperature", torch.tensor(float(temperature)))

    def forward(self, reached: torch.Tensor) -> torch.Tensor:
        """Return expected latents (n, latent) of what an encoder reached (n, latent)."""
        likeness = normalize(reached, dim=1) @ normalize(self.latents, dim=1).T
        return (likeness / self.temperature).softmax(dim=1) @ self.latents


@dataclass(frozen=True)
class SoundDecoder:
    """What one fold learnt.

    Attributes
    ----------
    vocal : VocalVAE
    encoder : NeuralEncoder
    memory : Memory or None
        Where song is recalled; None: the decoder takes what the encoder reaches.
    """

    vocal: VocalVAE
    encoder: NeuralEncoder
    memory: Memory | None = None

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """What files hold."""
        return (self.vocal, self.encoder, *([self.memory] if self.memory else []))

    def generate(self, frames: Frames, activity: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return the sound (frames, bands) in dB that activity stands for; see `overlap_add`.

        Parameters
        ----------
        frames : Frames
            Of any recording of the same units, this one or another day's.
        activity : ndarray (frames, bins, units)
            In the bins that the encoder was trained with.
        wanted : ndarray (frames,) of bool

        Raises
        ------
        DataError
            Other units or bins.
        """
        units, bins = self.encoder.units, self.encoder.bins
        if activity.shape[1:] != (bins, units):
            raise DataError(
                f"The activity has {activity.shape[2]} units in {activity.shape[1]} bins, but what "
                f"was trained sees {units} in {bins}; give it the same units and bins."
            )

        def latents(rows: np.ndarray) -> torch.Tensor:
            reached = self.encoder(torch.as_tensor(activity[rows]))
            return self.memory(reached) if self.memory else reached

        return self._sung(frames, wanted, latents)

    def sing_again(self, frames: Frames, wanted: np.ndarray) -> np.ndarray:
        """Return the true sound (frames, bands) as the autoencoder gives it back."""

        def latents(rows: np.ndarray) -> torch.Tensor:
            heard = levels_from(frames, rows, self.vocal.frames)
            return self.vocal.encode(torch.as_tensor(heard))[0]

        return self._sung(frames, wanted, latents)

    def _sung(
        self,
        frames: Frames,
        wanted: np.ndarray,
        latents: Callable[[np.ndarray], torch.Tensor],
    ) -> np.ndarray:
        """Decode the latents of every window that holds a wanted frame, and add up."""
        rows = rows_reaching(frames, self.vocal.frames, wanted)
        with torch.inference_mode():
            parts = [
                self.vocal.decode(latents(some)).numpy()
                for some in np.array_split(rows, max(1, -(-len(rows) // AT_ONCE)))
            ]
        return overlap_add(frames, rows, np.concatenate(parts), wanted)


def vocal_latents(vocal: VocalVAE, level: torch.Tensor) -> torch.Tensor:
    """Return the mean latents (n, latent) of stretches of sound (n, frames, bands)."""
    with torch.inference_mode():
        parts = [vocal.encode(part)[0] for part in level.split(AT_ONCE)]
    return torch.cat(parts).clone()


def write_sound_decoders(
    path: str | Path,
    decoders: Sequence[SoundDecoder],
    frames: Frames,
    sizes: Mapping,
    about: Mapping,
) -> None:
    """Write what the folds learnt; see `neuro2voc.network_files.write_decoders`.

    Parameters
    ----------
    path : path
    decoders : sequence of SoundDecoder
        One per fold.
    frames : Frames
        Whose hop and settings (none of a spectrogram that was given) another recording's have to
        agree with.
    sizes : mapping
        By network, 'vocal' and 'encoder', what makes it anew.
    about : mapping
        What else is needed of another recording: bird, units (names, in order), activity (before,
        after, bin in s).
    """

    def describe(one: SoundDecoder) -> dict:
        sound = {"frames": one.vocal.frames, "bands": one.vocal.bands}
        recalled = len(one.memory.latents) if one.memory else 0
        own = {"units": one.encoder.units, "bins": one.encoder.bins, "recalled": recalled}
        return {**sound, **own}

    sound = {"hop": frames.hop, "spectrogram": _settings(frames)}
    write_decoders(path, {SONG: decoders}, describe, {**about, **sound, "sizes": sizes})


def read_sound_decoders(path: str | Path) -> tuple[list[SoundDecoder], dict]:
    """Read what `write_sound_decoders` wrote: one per fold, and the JSON."""
    decoders, about = read_decoders(path, _sound_decoder)
    return decoders[SONG], about


def song_of_day(
    decoder: SoundDecoder, about: Mapping, recording: Recording, frames: Frames
) -> np.ndarray:
    """Generate the song (frames, bands) of a recording of the same units, of this day or another.

    Parameters
    ----------
    decoder : SoundDecoder
        Of one fold; of this day's recording it has to be one that the frames were held out of.
    about : mapping
        As `read_sound_decoders` returns it.
    recording : Recording
        With the units that count.
    frames : Frames
        Of its sound, or where there is none, those in which song is wanted.

    Raises
    ------
    DataError
        Other units, or another hop, number of bands or settings of the spectrogram.
    """
    check_units(about["units"], recording)
    check_sound(decoder, about, recording.name, frames)
    activity = song_activity(recording, frames, about["activity"])
    return decoder.generate(frames, activity, np.ones(len(frames.level), dtype=bool))


def check_sound(decoder: SoundDecoder, about: Mapping, name: str, frames: Frames) -> None:
    """Stop where frames are not made as those that networks were trained on.

    Parameters
    ----------
    decoder : SoundDecoder
    about : mapping
        As `read_sound_decoders` returns it.
    name : str
        Of the frames' recording.
    frames : Frames

    Raises
    ------
    DataError
        Another hop, number of bands, or setting of the spectrogram.
    """
    own = {**(_settings(frames) or {}), "hop": frames.hop, "bands": frames.level.shape[1]}
    learnt = {**(about.get("spectrogram") or {}), "hop": about.get("hop")}
    learnt["bands"] = decoder.vocal.bands
    differing = [
        f"{key} {_said(own.get(key))} instead of {_said(learnt.get(key))}"
        for key in {**learnt, **own}
        if not _same(own.get(key), learnt.get(key))
    ]
    if differing:
        raise DataError(
            f"The frames of {name} are not made as those that the networks were trained on: "
            f"{', '.join(differing)}. Make them anew with the `spectrogram` of the networks, or "
            "train these on such frames."
        )


def _settings(frames: Frames) -> dict | None:
    return asdict(frames.settings) if frames.settings else None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=NEAR)


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _sound_decoder(one: dict, weights: list[Weights], about: dict) -> SoundDecoder:
    sizes = about["sizes"]
    vocal = VocalVAE(frames=one["frames"], bands=one["bands"], **sizes["vocal"])
    encoder = NeuralEncoder(units=one["units"], bins=one["bins"], **sizes["encoder"])
    networks: list[nn.Module] = [vocal, encoder]
    if one["recalled"]:
        shape = one["recalled"], sizes["encoder"]["latent"]
        networks.append(Memory(torch.zeros(shape), 1.0))
    for network, own in zip(networks, weights, strict=True):
        network.load_state_dict(own)
        network.eval()
    return SoundDecoder(*networks)
