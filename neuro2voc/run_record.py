"""The history of all results, read back from the records that jobs leave beside their outputs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from neuro2voc.errors import DataError
from neuro2voc.files import sha256_of
from neuro2voc.origin import ENDING, RESULTS

FIELDS = {"target", "rule", "parameters", "seed", "code", "libraries", "inputs"}
WRITTEN = FIELDS | {"digest", "outputs", "machine"}


def read_record(path: str | Path) -> dict:
    """Return what a job recorded.

    Parameters
    ----------
    path : path
        A record, as `neuro2voc.origin.sidecar_of` names it.

    Returns
    -------
    dict
        The fields of `neuro2voc.origin.Origin` with ``digest``, ``outputs`` (path to SHA-256) and
        ``machine``.

    Raises
    ------
    DataError
        If the file is missing, or no such record.
    """
    again = "run `snakemake --force` for the file beside it"
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; {again}.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON; {again}.") from error
    if not isinstance(record, dict) or not record.keys() >= WRITTEN:
        raise DataError(f"{path} is not the record of a job; {again}.")
    return record


def read_records(folder: str | Path = RESULTS) -> list[dict]:
    """Return the records of all jobs below a folder, sorted by path."""
    return [read_record(path) for path in sorted(Path(folder).rglob(f"*{ENDING}"))]


def run_record(targets: Iterable[str], records: Iterable[dict]) -> dict:
    """Walk back from the targets through the records of the jobs that made them.

    Parameters
    ----------
    targets : iterable of str
        Files to account for, as the records call them.
    records : iterable of dict
        As from `read_records`.

    Returns
    -------
    dict
        ``targets``; ``jobs``: by first output, what it followed from and its outputs; ``files``: by
        path, the SHA-256 now (None if the file is gone) and the job that made it (None if there is
        no record); ``inputs``: by name, the SHA-256 of what came from outside the results (a list
        if jobs read different files of one name); ``libraries``: by name, the version (a list if
        jobs used several); ``differing``: files whose bytes are not those that their job wrote;
        ``outdated``: by job, inputs that are not any more what it read; ``unrecorded``: files
        without a record; and ``machine``: each machine and commit with the jobs run there, all
        that may differ where the same is computed elsewhere.
    """
    makers = _makers(records)
    files, jobs, waiting = {}, {}, sorted(targets)
    record = {"targets": list(waiting)}
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        maker = makers.get(path)
        files[path] = {"sha256": _digest(path), "job": maker["target"] if maker else None}
        if maker and maker["target"] not in jobs:
            jobs[maker["target"]] = maker
            waiting += [*maker["outputs"], *filter(_inside, maker["inputs"])]
    record |= {"files": files, "jobs": _without_versions(jobs.values())}
    record |= _from_outside(jobs.values()) | _judged(files, jobs)
    return record | {"machine": _machines(jobs.values())}


def warnings_of(record: Mapping) -> list[str]:
    """Return a sentence for all that does not agree in the record of a run."""
    again = "make it again, or keep in mind that nobody knows what made it"
    sentences = [
        f"{path} is not what its job wrote: it was changed since; {again}."
        if record["files"][path]["sha256"]
        else f"{path} is gone since its job wrote it; {again}."
        for path in record["differing"]
    ]
    sentences += [
        f"{job} was made from another {path} than there is now; make it again."
        for job, paths in record["outdated"].items()
        for path in paths
    ]
    sentences += [f"{path} has no record; {again}." for path in record["unrecorded"]]
    sentences += [
        f"jobs used several versions of {name}: {', '.join(versions)}."
        for name, versions in record["libraries"].items()
        if isinstance(versions, list)
    ]
    return sentences


def _inside(name: str) -> bool:
    return name.startswith(f"{RESULTS}/")


def _digest(path: str) -> str | None:
    return sha256_of(path) if Path(path).is_file() else None


def _makers(records: Iterable[dict]) -> dict[str, dict]:
    """Map each output to its job; of several that claim it, the one whose bytes it has."""
    makers = {}
    for record in records:
        for path, digest in record["outputs"].items():
            if path not in makers or digest == _digest(path):
                makers[path] = record
    return makers


def _without_versions(jobs: Iterable[dict]) -> dict[str, dict]:
    """Return the jobs by target; versions, mostly common to all, stand once beside them."""
    jobs, versions = list(jobs), _versions(jobs)
    return {
        job["target"]: {key: job[key] for key in FIELDS - {"target", "libraries"}}
        | {
            "digest": job["digest"],
            "outputs": sorted(job["outputs"]),
            "libraries": [
                name if isinstance(versions[name], str) else f"{name}=={version}"
                for name, version in sorted(job["libraries"].items())
            ],
        }
        for job in jobs
    }


def _versions(jobs: Iterable[dict]) -> dict[str, str | list[str]]:
    return _collected(item for job in jobs for item in job["libraries"].items())


def _from_outside(jobs: Iterable[dict]) -> dict:
    jobs = list(jobs)
    inputs = (item for job in jobs for item in job["inputs"].items() if not _inside(item[0]))
    return {"inputs": _collected(inputs), "libraries": _versions(jobs)}


def _collected(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Return the value of each key, or all of them where there are several."""
    found = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return {key: min(each) if len(each) == 1 else sorted(each) for key, each in found.items()}


def _judged(files: Mapping, jobs: Mapping) -> dict:
    outdated = {
        target: sorted(
            name
            for name, digest in job["inputs"].items()
            if _inside(name) and files[name]["sha256"] != digest
        )
        for target, job in jobs.items()
    }
    return {
        "differing": sorted(
            path
            for path, file in files.items()
            if file["job"] and file["sha256"] != jobs[file["job"]]["outputs"][path]
        ),
        "outdated": {target: names for target, names in outdated.items() if names},
        "unrecorded": sorted(path for path, file in files.items() if file["job"] is None),
    }


def _machines(jobs: Iterable[dict]) -> list[dict]:
    """Return each machine and commit once, with the targets of the jobs that ran there."""
    found = defaultdict(list)
    for job in jobs:
        found[json.dumps(job["machine"], sort_keys=True)].append(job["target"])
    return [json.loads(text) | {"jobs": sorted(found[text])} for text in sorted(found)]
