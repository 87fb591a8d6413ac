"""A run as an RO-Crate: files, the jobs that made them and their settings, for archives to read."""

import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from neuro2voc.origin import RESULTS, compact

METADATA = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
# RO-Crate 1.1 stands on a version of schema.org from before this term.
CONTEXT = [f"{CRATE}/context", {"sha256": "http://schema.org/sha256"}]
# Where nothing tells a commit's date: the year of the licence, since a date has to be given.
UNDATED = "2026"
TYPES = {".csv": "text/csv", ".h5": "application/x-hdf5", ".nwb": "application/x-hdf5"}


def run_crate(record: Mapping, date: str | None) -> dict:
    """Return the RO-Crate of a run, rooted at the folder of results.

    Parameters
    ----------
    record : mapping
        As from `neuro2voc.run_record.run_record`; its ``machine`` is left out.
    date : str or None
        When the results can be said to be published, as in ISO 8601; None if nobody knows.

    Returns
    -------
    dict
        RO-Crate 1.1 after the profile Process Run Crate 0.5: a ``CreateAction`` per job with its
        ``instrument`` (script and code version), ``object`` (files, settings) and ``result``.
    """
    jobs = record["jobs"]
    scripts = {_script_id(job): _script(job, record["libraries"]) for job in jobs.values()}
    files = [_file(path, file["sha256"]) for path, file in record["files"].items()]
    settings = [_setting(target, *pair) for target in jobs for pair in _settings(jobs[target])]
    actions = [_action(target, job) for target, job in jobs.items()]
    others = [*_libraries(record["libraries"]), *_from_outside(record["inputs"])]
    entities = [*_about(files, actions, date), *files, *actions]
    entities += [*scripts.values(), *settings, *others]
    return {"@context": CONTEXT, "@graph": sorted(entities, key=lambda entity: entity["@id"])}


def _refs(ids: Iterable[str]) -> list[dict] | dict:
    """Return references, or the only one without a list around it, as RO-Crates prefer."""
    refs = [{"@id": each} for each in sorted(ids)]
    return refs[0] if len(refs) == 1 else refs


def _local(kind: str, *names: str) -> str:
    """Return how the crate calls what is no file of it."""
    return f"#{kind}/{_quoted('/'.join(names))}"


def _quoted(path: str) -> str:
    return quote(path, safe="/~@")


def _about(files: list[dict], actions: list[dict], date: str | None) -> list[dict]:
    """Return what an RO-Crate says of itself."""
    return [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": CRATE},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "Results of neuro2voc",
            "description": "Decoded vocalizations: figures, the tables behind them, and all files "
            "that they were made from. provenance.json holds the same history in plain JSON.",
            "datePublished": date or UNDATED,
            "license": {"@id": "#licence"},
            "conformsTo": {"@id": PROFILE},
            "hasPart": _refs(file["@id"] for file in files if not file["@id"].startswith("#")),
            "mentions": _refs(action["@id"] for action in actions),
        },
        {
            "@id": "#licence",
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "Results belong to those whose recordings they were made from, and "
            "nothing here says under which licence.",
        },
        {
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        },
    ]


def _file_id(path: str) -> str:
    """Return how the crate calls a file of the results, or what came from outside."""
    if path.startswith(f"{RESULTS}/"):
        return _quoted(path.removeprefix(f"{RESULTS}/"))
    return _local("input", path)


def _file(path: str, digest: str | None) -> dict:
    if digest is None:  # gone: it can be named, but is no part
        return {"@id": _local("gone", path), "@type": "CreativeWork", "name": path}
    kind = TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0]
    entity = {"@id": _file_id(path), "@type": "File", "name": path, "sha256": digest}
    return entity | ({"encodingFormat": kind} if kind else {})


def _from_outside(inputs: Mapping) -> list[dict]:
    return [
        {"@id": _file_id(name), "@type": "CreativeWork", "name": name, "sha256": digest}
        for name, digest in inputs.items()
    ]


def _libraries(libraries: Mapping) -> list[dict]:
    return [
        {
            "@id": _local("library", name),
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
            "identifier": f"pkg:pypi/{quote(name.lower())}",  # a package URL
        }
        for name, version in libraries.items()
    ]


def _script_id(job: Mapping) -> str:
    return _local("script", job["rule"], job["code"])


def _script(job: Mapping, libraries: Mapping) -> dict:
    names = {library.partition("==")[0] for library in job["libraries"]} & libraries.keys()
    return {
        "@id": _script_id(job),
        "@type": "SoftwareApplication",
        "name": f"neuro2voc, rule {job['rule']}",
        "softwareVersion": job["code"],
        "softwareRequirements": _refs(_local("library", name) for name in names),
    }


def _settings(job: Mapping) -> list[tuple[str, object]]:
    settings = sorted(job["parameters"].items())
    return settings if job["seed"] is None else [*settings, ("seed", job["seed"])]


def _setting_id(target: str, name: str) -> str:
    return _local("setting", target, name)


def _setting(target: str, name: str, value: object) -> dict:
    text = value if isinstance(value, str) else compact(value)
    identifier = _setting_id(target, name)
    return {"@id": identifier, "@type": "PropertyValue", "name": name, "value": text}


def _action(target: str, job: Mapping) -> dict:
    objects = [_file_id(name) for name in job["inputs"]]
    objects += [_setting_id(target, name) for name, _ in _settings(job)]
    return {
        "@id": _local("job", target),
        "@type": "CreateAction",
        "name": target,
        "description": f"Job of rule {job['rule']} with digest {job['digest']}.",
        "instrument": {"@id": _script_id(job)},
        "object": _refs(objects),
        "result": _refs(_file_id(path) for path in job["outputs"]),
    }
