"""The RO-Crate of a run, judged by the validator of RO-Crates and read by another library."""

import json
from importlib import resources
from types import SimpleNamespace

import pytest
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils.http import HttpRequester

from neuro2voc.crate import METADATA, UNDATED, run_crate
from neuro2voc.files import write_json
from neuro2voc.origin import recorded
from neuro2voc.run_record import read_records, run_record

# Of the validator's own making.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")
CODE = "0123456789abcdef numpy==2.4.6 scikit-learn==1.9.1"


def run(output, rule, inputs=(), **params):
    """A job that writes one file."""
    work = SimpleNamespace(rule=rule, input=inputs, output=[output], params={"code": CODE} | params)
    return recorded(work)


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Of a recording from outside, trials of it, and a figure of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data/bird.nwb").write_text("raw")
    bird, trials, figure = (
        f"results/{name}"
        for name in ("recordings/bird~shifted.nwb", "trials/å b.csv", "units/b.png")
    )
    for path in (bird, trials, figure):
        (tmp_path / path).parent.mkdir(parents=True)
    steps = [
        (bird, "import_recording", ["my data/bird.nwb"], {"entry": {"file": "my data/bird.nwb"}}),
        (trials, "trials", [bird], {"seed": 7, "settings": {"folds": 3}}),
        (figure, "units", [bird, trials], {}),
    ]
    for output, rule, inputs, params in steps:
        with run(output, rule, inputs, **params):
            (tmp_path / output).write_text(rule)
    return run_record([figure], read_records())


@pytest.fixture
def offline(monkeypatch):
    """Serve the one page that the validator asks for: the terms of RO-Crate.

    Those that the other library brings are of a later version, which renames none of them. What a
    crate of 1.1 has to bring itself is left out.
    """
    page = resources.files("rocrate") / "data" / "ro-crate.jsonld"
    context = json.loads(page.read_text(encoding="utf-8"))
    del context["@context"]["sha256"]
    asked = []

    def get(self, url, **_):
        asked.append(url)
        return SimpleNamespace(
            status_code=200,
            headers={"Content-Type": "application/ld+json"},
            json=lambda: context,
            text=json.dumps(context),
        )

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    return asked


def findings(folder, severity=Severity.REQUIRED):
    settings = services.ValidationSettings(
        rocrate_uri=str(folder),
        profile_identifier="process-run-crate-0.5",
        requirement_severity=severity,
        cache_path=folder / "cache",
        offline=True,
    )
    result = services.validate(settings)
    issues = result.get_issues()
    return {(issue.check.name, str(issue.message)) for issue in issues}, result


def test_the_crate_is_valid_by_the_validator_of_its_profile(record, tmp_path, offline):
    write_json(run_crate(record, "2026-11-20T20:00:00+00:00"), tmp_path / "results" / METADATA)
    found, result = findings(tmp_path / "results")
    assert found == set()
    assert set(offline) == {"https://w3id.org/ro/crate/1.1/context"}
    assert len(result.executed_checks) > 30 and not result.failed_checks


def test_what_is_recommended_and_left_out(record, tmp_path, offline):
    write_json(run_crate(record, "2026-11-20T20:00:00+00:00"), tmp_path / "results" / METADATA)
    found, _ = findings(tmp_path / "results", Severity.RECOMMENDED)
    assert {name for name, _ in found} == {
        # There is nobody's name and no hour in a crate that comes out the same everywhere.
        "Action agent",
        "Action endTime",
        "Root Data Entity: `author` property",
        "Root Data Entity: `publisher` property",
        # Scripts have no address on the web.
        "Application url",
        "SoftwareApplication id",
    }


@pytest.mark.parametrize("missing", ["instrument", "conformsTo", "datePublished"])
def test_the_validator_sees_what_is_missing(record, tmp_path, offline, missing):
    crate = run_crate(record, None)
    for entity in crate["@graph"]:
        if entity["@id"] != METADATA:
            entity.pop(missing, None)
    write_json(crate, tmp_path / "results" / METADATA)
    assert findings(tmp_path / "results")[0]


def test_another_library_reads_the_history(record, tmp_path):
    write_json(run_crate(record, None), tmp_path / "results" / METADATA)
    crate = ROCrate(tmp_path / "results")
    assert crate.root_dataset["datePublished"] == UNDATED
    actions = {entity["name"]: entity for entity in crate.get_by_type("CreateAction")}
    action = actions["results/trials/å b.csv"]
    assert action["result"]["name"] == "results/trials/å b.csv"
    given = {each["name"]: each.get("value") for each in action["object"]}
    assert given == {
        "results/recordings/bird~shifted.nwb": None,
        "seed": "7",
        "settings": '{"folds":3}',
    }
    raw = actions["results/recordings/bird~shifted.nwb"]["object"]
    assert sorted(each["name"] for each in raw) == ["bird.nwb", "entry"]
    assert "my data" not in (tmp_path / "results" / METADATA).read_text()
    assert action["instrument"]["softwareVersion"] == "0123456789abcdef"
