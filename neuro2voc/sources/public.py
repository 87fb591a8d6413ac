"""Public recordings: fetched once and verified."""

import logging
import os
import shutil
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from neuro2voc.errors import DataError
from neuro2voc.files import replacing, sha256_of

log = logging.getLogger(__name__)

TIMEOUT = 60  # s without a byte, after which a download is given up


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
