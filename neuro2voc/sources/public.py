"""Public recordings: fetched once, verified, converted."""

import logging
import os
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.files import replacing, sha256_of
from neuro2voc.recording import Recording, Units

log = logging.getLogger(__name__)

TIMEOUT = 60  # s without a byte, after which a download is given up
# The repository's documentation gives its recordings' sampling rate (Hz).
LEBLOIS2019_RATE = 32_000


def fetch(
    url: str, sha256: str, size: int, path: str | Path, mirror: str | Path | None = None
) -> None:
    """Bring a public file to `path`, from a local folder if it is there, else from the network.

    Parameters
    ----------
    url : str
        Where the file is published; https only.
    sha256 : str
        Its SHA-256 digest, in hexadecimal.
    size : int
        Its size in bytes.
    path : str or Path
        Where to put it. Nothing is left there unless size and digest are right.
    mirror : str or Path, optional
        A folder searched first, with its subfolders, for a file of this size and digest under
        any name; without it, the folder that the environment variable NEURO2VOC_MIRROR names.

    Raises
    ------
    DataError
        If the file cannot be had, or is another one.
    """
    path = Path(path)
    if ".." in path.parts:
        raise DataError(f"'{path}' leads out of its folder; name a path without '..'.")
    mirror = mirror or os.environ.get("NEURO2VOC_MIRROR")
    copy = _find(Path(mirror), sha256, size) if mirror else None
    with replacing(path) as temporary:
        if copy is not None:
            shutil.copyfile(copy, temporary)
        else:
            _download(url, sha256, size, temporary)
        found, digest = temporary.stat().st_size, sha256_of(temporary)
        if (found, digest) != (size, sha256.lower()):
            raise DataError(
                f"{copy or url} is not the file that was asked for: expected {size} bytes with "
                f"sha256 {sha256}, found {'more than ' if found > size else ''}{min(found, size)} "
                f"bytes with {digest}; {_elsewhere()}."
            )


def _elsewhere() -> str:
    return (
        "get it another way and name its folder as `mirror:` in config.yaml or as NEURO2VOC_MIRROR"
    )


def _find(mirror: Path, sha256: str, size: int) -> Path | None:
    """Return the first file below `mirror` with this size and digest."""
    if not mirror.is_dir():
        raise DataError(
            f"The mirror {mirror} is no folder; correct `mirror:` in config.yaml or "
            "NEURO2VOC_MIRROR, or leave both empty."
        )
    for file in sorted(mirror.rglob("*")):
        if file.is_file() and file.stat().st_size == size and sha256_of(file) == sha256.lower():
            return file
    return None


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_https(url: str) -> None:
    if not url.lower().startswith("https://"):
        raise DataError(f"{url} is no https address, and nothing else is downloaded; correct it.")


def _open(url: str):
    return urllib.request.build_opener(_HttpsOnly).open(url, timeout=TIMEOUT)


def _download(url: str, sha256: str, size: int, path: Path) -> None:
    """Store what `url` answers, up to one byte beyond `size`: enough to see that it is too long."""
    _check_https(url)
    log.info("downloading %s (%d bytes)", url, size)
    try:
        with _open(url) as response, open(path, "wb") as file:
            left = size + 1
            while left and (block := response.read(min(left, 1 << 20))):
                file.write(block)
                left -= len(block)
    except (
        urllib.error.URLError,
        ssl.SSLError,
        HTTPException,
        TimeoutError,
        ConnectionError,
    ) as error:
        raise DataError(
            f"{url} could not be downloaded ({error}); the file with sha256 {sha256} is needed: "
            f"{_elsewhere()}."
        ) from error


def convert_leblois2019(spikes_path: str | Path, labels_path: str | Path) -> Recording:
    """Convert one unit and its song, recorded in the group of A. Leblois (Bordeaux, 2019).

    Parameters
    ----------
    spikes_path : str or Path
        Spike times in seconds, one a line.
    labels_path : str or Path
        ``onset,offset,label`` in samples at 32 kHz, one sound a line, without a header.

    Returns
    -------
    Recording
        One unit ``ch151``, one session, no sound. An interval that overlaps the next is kept.

    Raises
    ------
    DataError
        If a file is missing, or a line is not of this form.
    """
    spikes = [_number(spikes_path, n, line) for n, line in _lines(spikes_path)]
    rows = []
    for number, line in _lines(labels_path):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not fields[2]:
            raise DataError(
                f"Line {number} of {labels_path} is '{line}', not onset,offset,label; correct it."
            )
        onset, offset = (_number(labels_path, number, field) for field in fields[:2])
        if not offset > onset:
            raise DataError(
                f"Line {number} of {labels_path} ends at sample {offset:.0f}, before it has begun "
                f"at {onset:.0f}; correct it."
            )
        rows.append((onset / LEBLOIS2019_RATE, offset / LEBLOIS2019_RATE, fields[2], "session1"))
    for path, content in ((spikes_path, spikes), (labels_path, rows)):
        if not content:
            raise DataError(f"{path} is empty; fetch it again.")
    syllables = pd.DataFrame(rows, columns=["start_time", "stop_time", "label", "session"])
    end = np.nextafter(max(max(spikes), syllables["stop_time"].max()), np.inf)
    sessions = pd.DataFrame({"session": ["session1"], "start_time": [0.0], "stop_time": [end]})
    units = Units(
        spike_times=(np.unique(spikes),),
        table=pd.DataFrame(index=pd.Index(["ch151"], name="unit")),
        resolution=1 / LEBLOIS2019_RATE,
    )
    syllables = syllables.sort_values("start_time", kind="stable", ignore_index=True)
    return Recording("leblois2019", units, syllables, sessions)


def _lines(path: str | Path) -> list[tuple[int, str]]:
    """Return a text file's lines that are not blank, with their numbers from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}); fetch it again.") from error
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _number(path: str | Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"Line {line} of {path} has '{text}' where a number belongs; correct it.")
    return value


# By the name under `converter:`; each takes its files in the order they are listed in.
CONVERTERS: dict[str, Callable[..., Recording]] = {"leblois2019": convert_leblois2019}


def convert(converter: str, paths: Iterable[str]) -> Recording:
    """Convert a public data set.

    Raises
    ------
    DataError
        There is no such converter, or it finds its files malformed.
    """
    if converter not in CONVERTERS:
        raise DataError(
            f"there is no converter '{converter}'{nearest(converter, CONVERTERS) or '.'} "
            f"There are: {', '.join(CONVERTERS)}."
        )
    return CONVERTERS[converter](*paths)
