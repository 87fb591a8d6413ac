"""What made a picture, by what it says of itself, and whether the results at hand still hold it."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from neuro2voc.errors import DataError
from neuro2voc.files import sha256_of
from neuro2voc.origin import compact, digest_of, sidecar_of
from neuro2voc.run_record import FIELDS, read_record

LOST = (
    "it was not made by this workflow, or something that drops what pictures say of themselves has "
    "saved it anew (a screenshot, an editor, a website); ask with the file as it was written."
)


@dataclass(frozen=True)
class Picture:
    """What a picture says of itself.

    Attributes
    ----------
    target : str
        Its path in the results.
    digest : str
        Digest of its origin.
    origin : dict or None
        The fields of `neuro2voc.origin.Origin`; None where only the above is left.
    """

    target: str
    digest: str
    origin: dict | None


def read_picture(path: str | Path) -> Picture:
    """Read what a PNG or PDF file that `neuro2voc.files.save_figure` wrote says of itself.

    Raises
    ------
    DataError
        If the file cannot be read, is neither, or says nothing.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(5)
        if start[1:4] == b"PNG":
            text = _text_of_png(path)
        elif start == b"%PDF-":
            text = _text_of_pdf(Path(path).read_bytes())
        else:
            text = None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture ({error}); correct it.") from error
    if text is None:
        raise DataError(
            f"{path} is neither PNG nor PDF, and only those say what made them; ask with the file "
            "as it was written."
        )
    if not text.get("target") or not text.get("digest"):
        raise DataError(f"{path} does not say what made it: {LOST}")
    return Picture(text["target"], text["digest"], _origin(text.get("origin") or ""))


def _text_of_png(path: str | Path) -> dict[str, str]:
    with Image.open(path) as image:
        text = image.text
    keys = {"target": "Title", "digest": "neuro2voc digest", "origin": "neuro2voc origin"}
    return {name: str(text.get(key, "")) for name, key in keys.items()}


def _text_of_pdf(content: bytes) -> dict[str, str]:
    """Return what stands in the document's information, as matplotlib writes it."""
    found = {
        key: _pdf_string(match[1])
        for key in ("Title", "Subject", "Keywords")
        if (match := re.search(rb"/%s \(((?:\\.|[^\\()])*)\)" % key.encode(), content, re.DOTALL))
    }
    digest = re.fullmatch(r"neuro2voc ([0-9a-f]{64})", found.get("Subject", ""))
    return {
        "target": found.get("Title", ""),
        "digest": digest[1] if digest else "",
        "origin": found.get("Keywords", ""),
    }


def _pdf_string(escaped: bytes) -> str:
    escapes = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    plain = re.sub(rb"\\(.)", lambda m: escapes.get(m[1], m[1]), escaped, flags=re.DOTALL)
    if plain.startswith(b"\xfe\xff"):
        return plain[2:].decode("utf-16-be", errors="replace")
    return plain.decode("latin-1")


def _origin(text: str) -> dict | None:
    try:
        origin = json.loads(text)
    except ValueError:
        return None
    return origin if isinstance(origin, dict) and origin.keys() >= FIELDS else None


def whence(path: str | Path) -> str:
    """Tell what made a picture, and compare it with the results in the working directory.

    Parameters
    ----------
    path : path
        A PNG or PDF file that the workflow wrote, here or elsewhere.

    Returns
    -------
    str
        Lines of text: target, rule, seed, parameters, code, libraries and inputs; whether the
        results at hand are the same, or what differs; the command that makes the picture again.

    Raises
    ------
    DataError
        As `read_picture`.
    """
    picture = read_picture(path)
    lines = [f"{path}", f"is {picture.target}, with digest {picture.digest}."]
    lines += ["", *_told(picture), "", *_compared(picture, path), ""]
    command = f"  snakemake --cores 1 -- {shlex.quote(picture.target)}"
    return "\n".join(
        [
            *lines,
            "To make it again, with the settings above and the overlays they came from, if any:",
            command,
            "",
        ]
    )


def _told(picture: Picture) -> Iterator[str]:
    """Yield what the picture says of its making."""
    if picture.origin is None:
        yield "It says no more of itself."
        return
    if digest_of(picture.origin) != picture.digest:
        yield "What follows does not have this digest: somebody has changed it."
    yield "It was made from:"
    for name, value in _flat(picture.origin).items():
        yield f"  {name}: {value}"


def _flat(origin: Mapping) -> dict[str, str]:
    """Return the fields of an origin, one short line each, by what to call them."""
    flat = {key: _shown(origin[key]) for key in ("rule", "seed", "code")}
    flat |= {f"parameter {key}": value for key, value in _leaves(origin["parameters"])}
    flat |= {f"input {name}": digest for name, digest in sorted(origin["inputs"].items())}
    return flat | {f"library {key}": value for key, value in sorted(origin["libraries"].items())}


def _leaves(parameters: Mapping, before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in sorted(parameters.items()):
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", _shown(value)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else compact(value)


def _compared(picture: Picture, path: str | Path) -> Iterator[str]:
    """Yield what the results at hand have to do with the picture."""
    sidecar = sidecar_of(picture.origin["target"] if picture.origin else picture.target)
    if not sidecar.is_file():
        yield f"The results here do not hold {picture.target}; there is no {sidecar}."
        return
    now = read_record(sidecar)
    if now["digest"] != picture.digest:
        yield f"The results here hold another {picture.target} (picture -> here):"
        if picture.origin is None:
            yield f"  digest: {picture.digest} -> {now['digest']}"
        else:
            yield from (f"  {line}" for line in differences(picture.origin, now))
        return
    yield f"The results here hold it: {sidecar} has the same digest."
    machine = now["machine"]
    if machine.get("commit"):
        also = ", with changes that were not committed" if machine["modified"] else ""
        yield f"Made there at commit {machine['commit']}{also}."
    target = Path(picture.target)
    if not target.is_file():
        yield f"But {target} is gone."
    elif sha256_of(target) != now["outputs"].get(picture.target):
        yield f"But {target} was changed since it was made."
    elif sha256_of(target) != sha256_of(path):
        yield f"Its bytes are not those of {target}: saved anew, or from another type of processor."
    else:
        yield f"Its bytes are those of {target}."


def differences(then: Mapping, now: Mapping) -> list[str]:
    """Return what differs between two origins, one line each: ``name: then -> now``."""
    before, after = _flat(then), _flat(now)
    return [
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in {**before, **after}
        if before.get(name, "none") != after.get(name, "none")
    ]
