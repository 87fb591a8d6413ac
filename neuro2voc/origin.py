"""What made a file: the record that each job leaves beside its first output and in its figures."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from neuro2voc.files import plain, sha256_of, write_json

RESULTS = "results"
ENDING = ".origin.json"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Origin:
    """What a job's outputs follow from, in values that JSON knows; the same on every machine.

    Attributes
    ----------
    target : str
        The job's first output, as one asks for it.
    rule : str
        The rule's name, which is also its script's.
    parameters : dict
        What the rule hands to its script, but for seed and code.
    seed : int or None
        The job's own seed; None where it draws nothing, or has its seeds among the parameters.
    code : str
        Digest of the code (`neuro2voc.provenance.code_version`).
    libraries : dict from str to str
        Versions of the libraries that the code uses.
    inputs : dict from str to str
        SHA-256 of each input; what lies outside ``results/`` is called by its file name alone,
        because others keep their recordings elsewhere.
    """

    target: str
    rule: str
    parameters: dict
    seed: int | None
    code: str
    libraries: dict
    inputs: dict

    @property
    def digest(self) -> str:
        """SHA-256 of all the above, as 64 hexadecimal digits."""
        return digest_of(asdict(self))

    def text(self) -> str:
        """Return all the above in one line of JSON."""
        return compact(asdict(self))


# The job that runs in this process, so that figures know it without being told.
CURRENT: ContextVar[Origin | None] = ContextVar("origin", default=None)


def compact(fields: Mapping) -> str:
    """Return a mapping as one line of ASCII, the same for the same content."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(fields: Mapping) -> str:
    """Return the SHA-256 of the fields of an `Origin`."""
    return hashlib.sha256(compact(fields).encode()).hexdigest()


def sidecar_of(target: str | Path) -> Path:
    """Return where the record lies of the job whose first output is `target`."""
    return Path(target).with_suffix(ENDING)


@contextmanager
def recorded(work: object) -> Iterator[Origin]:
    """Keep the record of a job: none while it runs or if it fails, a new one when it has ended.

    Parameters
    ----------
    work : object
        What the job is to do, as `neuro2voc.jobs.job` takes it.

    Yields
    ------
    Origin
        What the outputs follow from. Inputs are read for it, about 0.5 s per GB.

    Raises
    ------
    OSError
        If an input, or in the end an output, is not there.
    """
    outputs = [str(path) for path in work.output]
    sidecar = sidecar_of(outputs[0])
    sidecar.unlink(missing_ok=True)
    origin, here = origin_of(work), machine()
    token = CURRENT.set(origin)
    try:
        yield origin
    finally:
        CURRENT.reset(token)
    digests = {path: sha256_of(path) for path in outputs}
    record = {**asdict(origin), "digest": origin.digest, "outputs": digests, "machine": here}
    write_json(record, sidecar)


def origin_of(work: object) -> Origin:
    """Return what the outputs of a job follow from; see `recorded`."""
    names = _names([str(path) for path in work.input])
    params = {key: _renamed(plain(value), names) for key, value in work.params.items()}
    code, *libraries = params.pop("code", "").split() or [""]
    return Origin(
        target=str(work.output[0]),
        rule=work.rule,
        seed=params.pop("seed", None),
        parameters=params,
        code=code,
        libraries=dict(library.split("==") for library in libraries),
        inputs={name: sha256_of(path) for path, name in names.items()},
    )


def _names(paths: list[str]) -> dict[str, str]:
    """Return how a record calls each of these files: by its path in the results, or else by name.

    Namesakes from several folders are told apart by their order.
    """
    names = {}
    for path in paths:
        parts = Path(path).parts
        name = Path(path).as_posix() if parts[0] == RESULTS else parts[-1]
        count, first = 1, name
        while name in names.values() and path not in names:
            count += 1
            name = f"{first} ({count})"
        names.setdefault(path, name)
    return names


def _renamed(value: object, names: Mapping[str, str]) -> object:
    """Return a parameter with inputs that it repeats called as the record calls them."""
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if isinstance(value, str):
        known = {os.path.normpath(path): name for path, name in names.items()}
        return known.get(os.path.normpath(value), value) if value else value
    return value


@cache
def machine() -> dict:
    """Return where a job runs: the code's commit, Python, system and processor.

    ``commit`` is None where the code is no git clone of its own or git is not there, and
    ``modified`` tells whether files that git follows differ from the commit.
    """
    return {
        **_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
    }


def commit_date() -> str | None:
    """Return when the code's commit was made, as in ISO 8601; None where there is none."""
    return (_git("show", "-s", "--format=%cI", "HEAD") or "").strip() or None


def _commit() -> dict:
    status = _git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return {"commit": None, "modified": None}
    lines = status.splitlines()
    heads = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    commit = heads[0] if heads and heads[0] != "(initial)" else None
    return {"commit": commit, "modified": any(not line.startswith("#") for line in lines)}


def _git(*arguments: str) -> str | None:
    """Return what git says of the code, or None where the code is no clone of its own."""
    if not (ROOT / ".git").exists():  # it may lie in somebody else's repository
        return None
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=own)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def text_for_png(path: str | Path) -> dict[str, str]:
    """Return what a PNG of the current job says of itself, by keyword; nothing outside of a job."""
    origin = CURRENT.get()
    if origin is None:
        return {}
    title = Path(path).as_posix()
    return {"Title": title, "neuro2voc digest": origin.digest, "neuro2voc origin": origin.text()}


def text_for_pdf(path: str | Path) -> dict[str, str]:
    """Return what a PDF of the current job says of itself, by key; nothing outside of a job."""
    origin = CURRENT.get()
    if origin is None:
        return {}
    title = Path(path).as_posix()
    return {"Title": title, "Subject": f"neuro2voc {origin.digest}", "Keywords": origin.text()}
