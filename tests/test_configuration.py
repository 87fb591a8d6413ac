import copy
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from neuro2voc import configuration
from neuro2voc.configuration import (
    bird_entry,
    bird_names,
    check_bird,
    derive_seed,
    parse_bird,
    setting,
)
from neuro2voc.configuration_check import check_config
from neuro2voc.errors import DataError
from neuro2voc.sources.converters import CONVERTERS

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
WINDOW = {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.02}
SHIPPED = yaml.safe_load((ROOT / "config.yaml").read_text())
OF_NETWORKS = ("networks", "training", "grid", "tokens", "sequences", "contexts", "pretraining")
OF_NETWORKS += (*configuration.NETWORKS, *configuration.SEQUENCES)
OF_SOUND = ("figures", "spectrogram", "voice", "vaes", "warping", "canonical", "codec", "embedding")
OF_SOUND += ("neural_vae", "joint_vae")
FILE = {"url": "https://example.org/a.txt", "sha256": "0" * 64, "bytes": 1}


@pytest.fixture
def config():
    return {
        "seed": 1,
        "birds": ["bird1"],
        "simulated": {
            "bird1": {},
            "bird2": {"units": 8, "splits": ["blocked"]},
            "bird0": {"tuning": 0},
        },
        "trap": "bird0",
        "recordings": {"mine": {"file": "/data/mine.nwb", "labels": ["a", "b"], "bout_gap": 1}},
        "public": {
            "known": {
                "converter": "leblois2019",
                "licence": "CC0",
                "citation": "Somebody, 2019",
                "files": {"a.txt": FILE},
                "replicates": 99,
            }
        },
        "mirror": "",
        "figure": "",
        "labels": [],
        "bout_gap": 0.5,
        "splits": ["blocked", "random"],
        "folds": 5,
        "inner_folds": 3,
        "guard": 0.5,
        "windows": {"onset": dict(WINDOW)},
        "features": ["count", "onset"],
        "decoders": ["logistic"],
        **{key: copy.deepcopy(SHIPPED[key]) for key in (*OF_NETWORKS, *OF_SOUND)},
        "contexts": {"lengths": [0.1], "decoders": []},
        "null_band": {"surrogate": "shifted", "replicates": 19},
        "confusion": {"split": "blocked", "decoder": "logistic", "feature": "count"},
        "inclusion": {"minimum_rate": 0.1, "quality": []},
        "selections": {"good": {"quality": ["good"]}},
        "curves": {"decoder": "lda", "split": "blocked", "feature": "onset", "replicates": 19},
        "growing": {"starts": [-0.1, 0.0], "stop": 0.1, "step": 0.05},
        "lag": {"reach": 0.15, "width": 0.03, "step": 0.015},
        "neurons": {"numbers": [1, 2], "repeats": 2},
        "learning": {"parts": [0.5, 1.0], "repeats": 2},
        "across": {"birds": ["bird1", "bird2"], "labels": {"bird2": {"a": "b"}}},
        "explained": "onset",
        "explanations": {"shifted": 20, "independent": 39},
        "recovery": {
            **{"bird": "bird1", "synergy": [0.5, 1.0], "bouts": [4, 8], "pairs": 5},
            **{"repeats": 1, "replicates": 19},
        },
        "bootstrap": 100,
    }


def put(config, path, value):
    *parents, last = path.split(".")
    for key in parents:
        config = config[key]
    config[last] = value


def message(config, simulator_keys=()):
    with pytest.raises(DataError) as caught:
        check_config(config, SCHEMA, simulator_keys)
    text = str(caught.value)
    assert len(text.splitlines()) == 2
    assert "$schema" not in text and "additionalProperties" not in text
    return text


def test_the_shipped_configuration_is_accepted():
    check_config(yaml.safe_load((ROOT / "config.yaml").read_text()), SCHEMA)


def test_the_example_is_accepted_and_left_alone(config):
    before = copy.deepcopy(config)
    check_config(config, SCHEMA)
    assert config == before


def test_schema_and_module_allow_the_same_names():
    schema = yaml.safe_load(SCHEMA.read_text())
    properties = schema["properties"]
    assert properties["null_band"]["properties"]["surrogate"]["enum"] == list(
        configuration.SURROGATES
    )
    assert schema["$defs"]["decoder"]["enum"] == list(configuration.DECODERS)
    assert schema["$defs"]["splits"]["items"]["enum"] == list(configuration.SPLITS)
    assert schema["required"] == list(properties)
    converters = properties["public"]["additionalProperties"]["properties"]["converter"]
    assert converters["enum"] == list(CONVERTERS)
    for source in configuration.SOURCES:
        own = properties[source]["additionalProperties"]["properties"]
        assert list(own)[-len(configuration.OWN_SETTINGS) :] == list(configuration.OWN_SETTINGS)


def closed_levels(node, path=()):
    if isinstance(node, dict):
        if node.get("type") == "object" and "propertyNames" not in node:
            yield path, node.get("additionalProperties")
        for key, value in node.items():
            yield from closed_levels(value, (*path, key))


def test_every_level_of_the_schema_is_closed_but_the_simulators():
    levels = dict(closed_levels(yaml.safe_load(SCHEMA.read_text())))
    simulated = ("properties", "simulated", "additionalProperties")
    assert levels.pop(simulated) is True
    assert set(levels.values()) == {False}


@pytest.mark.parametrize(
    ("path", "value", "fragments"),
    [
        ("split", ["blocked"], ["split is not a known key", "did you mean 'splits'?"]),
        ("splits", ["bloked"], ["splits holds 'bloked'", "'blocked'?", "blocked, session, random"]),
        ("splits", [], ["splits is an empty list"]),
        ("simulated.bird2.splits", ["sesion"], ["simulated.bird2.splits holds", "'session'?"]),
        ("decoders", ["svn"], ["decoders holds 'svn'", "did you mean 'svm'?", "xgboost"]),
        ("decoders", ["svm", "svm"], ["decoders holds 'svm' more than once"]),
        ("features", ["onst"], ["features holds 'onst'", "did you mean 'onset'?"]),
        ("features", ["rates"], ["did you mean 'rate'?", "count, rate, tfidf, onset"]),
        (
            "null_band.surrogate",
            "shift",
            ["null_band.surrogate is 'shift'", "did you mean 'shifted'?"],
        ),
        ("null_band.replicate", 3, ["null_band.replicate is not a known key", "'replicates'?"]),
        ("null_band.replicates", 0, ["null_band.replicates is 0"]),
        ("recordings.mine.fil", "x", ["recordings.mine.fil is not", "did you mean 'file'?"]),
        ("recordings.mine", {}, ["recordings.mine.file is missing"]),
        ("recordings", None, ["recordings is nothing", "{} for none"]),
        (
            "recordings",
            {"my bird": {"file": "x"}},
            ["recordings has the name 'my bird'", "letters"],
        ),
        ("recordings", {"a~b": {"file": "x"}}, ["recordings has the name 'a~b'"]),
        ("recordings", {1: {"file": "x"}}, ["recordings.1 is a name", "quotes"]),
        ("public.known.files", {}, ["public.known.files is an empty mapping"]),
        ("public.known.files", {"../a": FILE}, ["public.known.files has the name '../a'"]),
        ("public.known.sha", "x", ["public.known.sha is not a known key"]),
        ("birds", [], ["birds is an empty list"]),
        ("birds", ["bird3"], ["birds holds 'bird3'", "did you mean", "bird1, bird2, bird0"]),
        ("birds", ["bird1~shifted"], ["birds holds 'bird1~shifted'", "controls"]),
        ("seed", 1.0, ["seed is 1.0", "a whole number from 0"]),
        ("seed", True, ["seed is true"]),
        ("folds", 1, ["folds is 1", "a whole number from 2"]),
        ("inner_folds", 1, ["inner_folds is 1", "a whole number from 2"]),
        ("guard", "1e-3", ["guard is '1e-3'", "YAML reads as text"]),
        ("learning.parts", ["0.1", "0.5"], ["parts holds '0.1'", "a file given with --configfile"]),
        ("splits", "[blocked]", ["splits is '[blocked]', which is read as text; put it into a"]),
        ("guard", -1, ["guard is -1", "at least 0 s"]),
        ("bout_gap", 0, ["bout_gap is 0"]),
        ("bout_gap", float("nan"), ["bout_gap is nan", "a finite number"]),
        ("labels", [1, 2], ["labels holds 1; put it in quotes"]),
        ("labels", ["a"], ["labels holds only 'a'"]),
        ("recordings.mine.labels", ["a"], ["recordings.mine.labels holds only 'a'"]),
        ("windows", {"rate": WINDOW}, ["windows.rate takes a name"]),
        ("windows", {"count": WINDOW}, ["windows.count takes a name"]),
        ("windows", {"syllable": WINDOW}, ["windows.syllable takes a name"]),
        ("windows.onset.align", "onst", ["windows.onset.align is 'onst'", "'onset'?", "offset"]),
        ("windows.onset.stop", -0.1, ["windows.onset.stop is -0.1", "a stop after the start"]),
        ("windows.onset.bin", 0.03, ["windows.onset.bin is 0.03 s", "0.2 s", "divisor"]),
        ("windows.onset.bin", 0.3, ["windows.onset.bin is 0.3 s"]),
        ("windows.onset.bin", 0.02 + 1e-9, ["windows.onset.bin"]),
        ("windows.onset.step", 1, ["windows.onset.step is 1 s", "without gaps", "at most the bin"]),
        ("windows.onset.step", 0.007, ["windows.onset.step is 0.007 s", "a divisor of 0.18 s"]),
        ("windows.onset.stp", 1, ["windows.onset.stp is not a known key"]),
        ("selections.good.qualty", ["a"], ["selections.good.qualty", "did you mean 'quality'?"]),
        ("inclusion.presence", 2, ["inclusion.presence is 2", "a share from 0 to 1"]),
        ("curves.feature", "onst", ["curves.feature is 'onst'", "did you mean 'onset'?"]),
        ("growing.starts", [-0.6], ["growing reaches over 0.7 s", "a guard of at least 0.7 s"]),
        ("across.birds", ["bird1", "bird3"], ["across.birds holds 'bird3'", "did you mean"]),
        ("across.labels", {"brd": {}}, ["across.labels holds 'brd'"]),
        ("trap", "bird1", ["trap is 'bird1'", "`tuning: 0`"]),
        ("explained", "onst", ["explained is 'onst'", "did you mean 'onset'?"]),
        ("explained", "tfidf", ["explained is 'tfidf', which mixes all units", "count, rate or"]),
        ("explained", ["onset"], ["explained is a list", "the name of a window"]),
        ("simulated.bird2.explained", "tfidf", ["simulated.bird2.explained is 'tfidf'"]),
        ("recordings.mine.explained", "onst", ["recordings.mine.explained is 'onst'", "'onset'?"]),
        ("public.known.explained", 1, ["public.known.explained is 1", "put it in quotes"]),
        ("explanations", 19, ["explanations is 19", "{shifted: 20, independent: 39}"]),
        ("explanations.shift", 3, ["explanations.shift is not a known key", "'shifted'?"]),
        ("explanations.shifted", 19, ["explanations.shifted is 19", "from 20"]),
        ("recovery.bird", "brid1", ["recovery.bird is 'brid1'", "did you mean 'bird1'?"]),
        ("recovery.bird", "mybird", ["recovery.bird is 'mybird'", "not a simulated bird"]),
        ("recovery.synergy", [0.5, 1.5], ["recovery.synergy holds 1.5", "share from 0 to 1"]),
        ("recovery.synergy", [], ["recovery.synergy is an empty list"]),
        ("recovery.bouts", [4, 4], ["recovery.bouts holds 4 more than once"]),
        ("recovery.pairs", 0, ["recovery.pairs is 0"]),
        ("recovery.replicates", 3, ["recovery.replicates is 3", "from 19"]),
        ("explanations.independent", 9.0, ["explanations.independent is 9.0"]),
        ("explanations.independent", "39", ["explanations.independent is '39'", "YAML reads as"]),
    ],
)
def test_each_mistake_is_named_with_its_place(config, path, value, fragments):
    put(config, path, value)
    text = message(config)
    for fragment in fragments:
        assert fragment in text


def test_a_bin_that_divides_the_width_only_in_decimals_is_accepted(config):
    config["windows"]["onset"] = {"align": "offset", "start": 0, "stop": 0.3, "bin": 0.1}
    check_config(config, SCHEMA)


def test_a_missing_key_is_named(config):
    del config["seed"]
    assert "seed is missing" in message(config)


def test_a_misspelt_key_is_reported_before_the_key_it_leaves_missing(config):
    config["sede"] = config.pop("seed")
    assert "sede is not a known key; did you mean 'seed'?" in message(config)


@pytest.mark.parametrize("feature", ["count", "rate", "onset"])
def test_what_has_a_value_for_each_unit_can_be_explained(config, feature):
    config["explained"] = config["simulated"]["bird1"]["explained"] = feature
    check_config(config, SCHEMA)


def test_both_numbers_of_explained_surrogates_are_needed(config):
    del config["explanations"]["independent"]
    assert "explanations.independent is missing" in message(config)


def test_a_bird_described_twice_is_refused(config):
    config["recordings"]["bird1"] = {"file": "x.nwb"}
    assert "'bird1' is described under simulated and recordings" in message(config)


def test_simulator_settings_are_checked_when_their_names_are_given(config):
    config["simulated"]["bird2"] = {"unts": 8}
    check_config(config, SCHEMA)
    text = message(config, ["units", "syllable_types"])
    assert "simulated.bird2.unts is not a known key; did you mean 'units'?" in text


@pytest.mark.parametrize("config", [None, [], "text"])
def test_what_is_no_mapping_is_refused(config):
    assert "holds no keys" in message(config)


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("bird1", ("bird1", None, None, 1)),
        ("bird1~shifted", ("bird1", None, "shifted", 1)),
        ("bird1~shifted3", ("bird1", None, "shifted", 3)),
        ("bird1@good", ("bird1", "good", None, 1)),
        ("bird1@good~shifted3", ("bird1", "good", "shifted", 3)),
        ("my_bird-2~independent19", ("my_bird-2", None, "independent", 19)),
    ],
)
def test_names_of_birds_are_taken_apart(name, parsed):
    assert parse_bird(name) == parsed


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("bird1~shifted~poisson", "a surrogate of a surrogate"),
        ("bird1~shfted2", "did you mean 'shifted'?"),
        ("bird1~", "shuffled, shifted, poisson, independent"),
        ("bird1~shifted0", "count from 1"),
        ("bird1~shifted03", "leading zeros"),
        ("bird1~shifted-1", "did you mean 'shifted'?"),
        ("bird1~shifted٣", "did you mean 'shifted'?"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, fragment, config):
    with pytest.raises(DataError, match="surrogate|replicates") as caught:
        parse_bird(name)
    assert fragment in str(caught.value)
    with pytest.raises(DataError):
        check_bird(name, config)


def test_birds_are_found(config):
    assert bird_names(config) == ["bird1", "bird2", "bird0", "mine", "known"]
    for name in ["bird2", "mine~poisson4"]:
        check_bird(name, config)
    assert bird_entry(config, "mine~poisson4") is config["recordings"]["mine"]
    with pytest.raises(DataError) as caught:
        check_bird("brd1~shifted", config)
    assert str(caught.value) == (
        "no bird called 'brd1' in config.yaml; it lists: bird1, bird2, bird0, mine, known; "
        "did you mean 'bird1'?"
    )
    with pytest.raises(DataError, match="no bird called"):
        setting(config, "nobody", "labels")


def test_a_birds_own_setting_comes_first(config):
    assert setting(config, "bird1", "splits") == ["blocked", "random"]
    assert setting(config, "bird2", "splits") == ["blocked"]
    assert setting(config, "bird2~shuffled2", "splits") == ["blocked"]
    assert setting(config, "mine", "bout_gap") == 1
    assert setting(config, "bird1", "replicates") == 19
    assert setting(config, "known~shifted", "replicates") == 99
    config["recordings"]["mine"]["explained"] = "count"
    check_config(config, SCHEMA)
    assert setting(config, "mine@good~independent3", "explained") == "count"
    assert setting(config, "bird1", "explained") == "onset"
    # A simulator's setting is not a setting of the analysis, whatever its name.
    config["simulated"]["bird2"]["folds"] = 99
    assert setting(config, "bird2", "folds") == 5


def test_seeds_are_stable_and_differ():
    assert derive_seed(1, "simulate", "bird1") == 5725765544123617867
    seeds = {
        derive_seed(1, "a", "bc"),
        derive_seed(1, "ab", "c"),
        derive_seed(2, "a", "bc"),
        derive_seed(1),
        derive_seed(1, ""),
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "a", 3) == derive_seed(1, "a", "3")


def test_importing_the_module_is_cheap():
    code = (
        "import sys, neuro2voc.configuration, neuro2voc.provenance; "
        "print(*sorted({name.split('.')[0] for name in sys.modules} "
        "& {'numpy', 'pandas', 'pynwb', 'h5py', 'jsonschema', 'snakemake'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout.strip(), run.returncode) == ("", 0)


def test_a_window_that_reaches_beyond_the_guard_is_refused(config):
    config["guard"], config["bout_gap"] = 0.4, 0.3
    config["windows"]["onset"] |= {"start": -0.3, "stop": 0.1, "bin": 0.1}
    check_config(config, SCHEMA)
    config["windows"]["onset"]["stop"] = 0.2
    text = message(config)
    assert "windows.onset reaches over 0.5 s" in text and "only 0.4 s apart" in text
    assert "a guard of at least 0.5 s" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bird1@godd", "no selection called 'godd' in config.yaml; `selections` describes: good"),
        ("bird1~shifted@good", "ask for 'bird1@good~shifted'"),
        ("bird1@good@mua", "a selection of a selection"),
    ],
)
def test_selections_that_cannot_be_made_are_refused(config, name, sentence):
    with pytest.raises(DataError, match=re.escape(sentence)):
        check_bird(name, config)


def test_rules_of_inclusion_are_put_together(config):
    config["inclusion"] = {"quality": [], "minimum_rate": 0.1, "presence": 0}
    config["simulated"]["bird1"]["inclusion"] = {"minimum_rate": 0.2, "quality": ["mua"]}
    rules = setting(config, "bird1@good~shifted", "inclusion")
    assert rules == {"quality": ["good"], "minimum_rate": 0.2, "presence": 0}
    assert setting(config, "bird2", "inclusion") == config["inclusion"]


def test_the_oracle_is_asked_for_what_it_can_judge(config):
    config["windows"]["moving"] = {**WINDOW, "step": 0.01}
    config["features"] = ["count", "rate", "tfidf", "onset", "moving"]
    assert configuration.oracle_features(config) == ["count", "rate", "onset"]


@pytest.mark.parametrize(
    ("path", "value", "fragments"),
    [
        ("networks.decoders", ["gpt3"], ["'gpt3'", "did you mean 'gpt2'?"]),
        ("networks.features", ["count"], ["networks see bins in time", "onset"]),
        ("tokens.window", "onst", ["tokens.window is 'onst'", "did you mean 'onset'?"]),
        ("tokens.tick", 0.5, ["tokens.tick is 0.5 s", "0.2 s long"]),
        ("tokens.schemes", [], ["tokens.schemes"]),
        ("sequences.schemes", ["spatial", "event"], ["did you mean 'events'?"]),
        ("gpt2.heads", 5, ["gpt2.heads is 5, which does not divide 32", "a divisor of 32"]),
        ("mamba2.head", 24, ["mamba2.head is 24, which does not divide 64"]),
        ("hybrid.pattern", "mxa", ["hybrid.pattern", "letters m (Mamba-2) and a (attention)"]),
        ("gpt2.training", {"rates": 1}, ["gpt2.training", "did you mean 'rate'?"]),
        ("contexts.lengths", [0.0005], ["contexts.lengths holds 0.0005", "from 0.001"]),
    ],
)
def test_mistakes_of_networks_are_named_with_their_place(config, path, value, fragments):
    put(config, path, value)
    with pytest.raises(DataError) as error:
        check_config(config, SCHEMA)
    for fragment in fragments:
        assert fragment in str(error.value)


def test_a_scheme_without_a_corpus_is_refused(config):
    config["tokens"]["schemes"] = ["spatial"]
    with pytest.raises(DataError, match="of which no corpus is written"):
        check_config(config, SCHEMA)


def test_a_bird_lists_its_own_networks(config):
    config["simulated"]["bird2"]["networks"] = ["eegnet"]
    check_config(config, SCHEMA)
    assert setting(config, "bird2~shifted3", "networks")["decoders"] == ["eegnet"]
    assert setting(config, "bird2", "networks")["splits"] == config["networks"]["splits"]
    assert setting(config, "bird1", "networks") == config["networks"]
