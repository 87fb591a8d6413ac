"""A page on which one plays excerpts side by side: one file, without a network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

import numpy as np
from matplotlib.image import imsave

from neuro2voc.listening import INVERTED, ORIGINAL, Excerpt, common_gain, wav_bytes
from neuro2voc.listening_template import PAGE, SCRIPT, STYLE
from neuro2voc.spectrograms import SpectrogramSettings

RANGE = 50  # dB below the loudest that are drawn
WORDS = {
    ORIGINAL: "what the microphone heard",
    INVERTED: "the original made a spectrogram and sound again, as all that follow are",
    "silence": "nothing; what a measure gives away",
    "mean": "the mean training frame, all the time",
    "template": "the mean training rendition of each syllable, told which is sung and when",
    "rendition": "another rendition of each syllable, told which is sung and when",
    "shifted song": "the original, 20 ms late",
    "limit": "sung again by the simulator, told all but noise and phases",
    "ridge": "ridge regression on the neurons' activity shortly before and after",
    "kernel": "kernel regression on the neurons' activity shortly before and after",
    "nearest": "the training frames with the most similar activity",
    "syllable": "the mean training rendition of the syllable that neurons decode",
    "vae": "the contrastive encoder and the vocal VAE",
    "thesis": "the thesis' recipe in two stages",
    "autoencoder": "the original through the autoencoder that never heard it",
    "null": "the same on neurons shifted against the song",
}


def listening_page(
    title: str,
    made: list[Excerpt],
    settings: SpectrogramSettings,
    kind: str = "",
    split: str = "blocked",
    words: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """Return the page as HTML, all sound and pictures inside it.

    Parameters
    ----------
    title : str
    made : list of Excerpt
        See `neuro2voc.listening.excerpts`.
    settings : SpectrogramSettings
        Of their spectrograms.
    kind : str
        Of bird (see `neuro2voc.figures.style.kind_of`), for the stamp.
    split : str
        How the excerpts were held out.
    words : mapping from str to str, optional
        What each source is; takes the place of `WORDS`, name by name.
    warnings : sequence of str
        What has to be known before any of it is believed.
    """
    gain = common_gain(made)
    words = {**WORDS, **(words or {})}
    sources = list(made[0].level)
    legend = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(words.get(name, ''))}</dd></div>"
        for name in sources
    )
    return PAGE.substitute(
        title=escape(title),
        kind=f'<p class="kind">{escape(kind)}</p>' if kind else "",
        warnings="".join(f'<p class="warning">{escape(each)}</p>' for each in warnings),
        chosen=escape(_chosen(made, split)),
        highest=f"{settings.highest / 1000:g}",
        legend=legend,
        style=STYLE,
        script=SCRIPT,
        excerpts="\n".join(_section(excerpt, settings.rate, gain) for excerpt in made),
    )


def _chosen(made: list[Excerpt], split: str) -> str:
    what = (
        "the bout with the median number of syllables"
        if any(excerpt.name.startswith("bout") for excerpt in made)
        else "its middle 3 s"
    )
    return (
        f"Of each fold of the split “{split}” one excerpt is played: {what}, chosen by that rule "
        "and by nobody's ear. No model was fitted to it."
    )


def _section(excerpt: Excerpt, rate: float, gain: float) -> str:
    held = f", held out in fold {excerpt.fold}" if excerpt.fold >= 0 else ""
    name = f"{excerpt.name[0].upper()}{excerpt.name[1:]}"
    cards = "".join(_card(excerpt, source, rate, gain) for source in excerpt.level)
    return (
        f'<section aria-label="{escape(name)}"><header><h2>{escape(name)}</h2>'
        f"<p>{excerpt.duration:.1f} s from {excerpt.start:.1f} s of the recording{held}</p>"
        f'<button type="button" class="turn">play in turn</button></header>'
        f'<div class="row">{cards}</div></section>'
    )


def _card(excerpt: Excerpt, source: str, rate: float, gain: float) -> str:
    sound = wav_bytes(gain * excerpt.sound[source], rate)
    about = f"{escape(excerpt.name)}, {escape(source)}"
    labels = "".join(
        f'<span style="left:{100 * a / excerpt.duration:.2f}%;'
        f'width:{100 * (b - a) / excerpt.duration:.2f}%">{escape(label)}</span>'
        for a, b, label in excerpt.syllables
    )
    return (
        f'<figure><h3>{escape(source)}</h3><div class="labels" aria-hidden="true">{labels}</div>'
        f'<div class="picture" tabindex="0" role="slider" aria-label="place in {about}" '
        f'aria-valuemin="0" aria-valuemax="{excerpt.duration:.2f}" aria-valuenow="0">'
        f'<img alt="spectrogram of {about}" src="{_uri(_picture(excerpt, source), "image/png")}">'
        f'<i class="cursor"></i></div>'
        f'<audio controls preload="auto" aria-label="{about}" src="{_uri(sound, "audio/wav")}">'
        f"</audio><figcaption>{_caption(excerpt, source)}</figcaption></figure>"
    )


def _caption(excerpt: Excerpt, source: str) -> str:
    if source == ORIGINAL:
        return "what the others are measured against"
    numbers = excerpt.numbers[source]
    return (
        f"correlation {_number(numbers['correlation'], 2)}, "
        f"distortion {_number(numbers['cepstral_distortion'], 1)} dB"
    )


def _number(value: float, digits: int) -> str:
    return f"<b>{value:.{digits}f}</b>" if np.isfinite(value) else "unknown"


def _picture(excerpt: Excerpt, source: str) -> bytes:
    """Draw levels, low frequencies at the bottom, as dark as they are loud in the original."""
    top = float(excerpt.level[ORIGINAL].max())
    shade = np.clip((excerpt.level[source].T[::-1] - top) / RANGE + 1, 0, 1)
    file = BytesIO()
    imsave(file, shade, cmap="gray_r", vmin=0, vmax=1, format="png", metadata={"Software": None})
    return file.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
