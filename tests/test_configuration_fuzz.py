"""Every configuration is accepted or refused in two lines, soon and in little memory."""

import copy
import datetime
import random
import signal
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

from neuro2voc.configuration import OWN_SETTINGS, bird_names, check_bird, parse_bird, setting
from neuro2voc.configuration_check import check_config
from neuro2voc.configuration_text import check_text
from neuro2voc.errors import DataError
from neuro2voc.sources.settings import SETTING_NAMES, bird_settings

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
TEXT = "".join(
    line
    for line in (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    if not line.lstrip().startswith("#")
)
SHIPPED = yaml.safe_load(TEXT)
HANG = 10  # s
ROOM = 64 << 20  # bytes
LINE = 2500  # characters


def circle():
    node = {}
    node["a"] = node
    return node


def shared(levels=9):
    """Nine to the power of `levels` values in a few kB, as aliases of YAML write them."""
    node = "x"
    for _ in range(levels):
        node = [node] * 9
    return node


def nested(levels):
    node = 1
    for _ in range(levels):
        node = [node]
    return node


NAMES = ["x", "é", "", " ", "../../etc", "/etc/passwd", "a/b", "a.b", "bird1~shifted", "bird1@good"]
NAMES += ["bird1\n", "a\nb", "\0", "\ud800", "\u202e", "-x", "con.", "x" * 300, "x" * 100_000, "~"]
NAMES += ["bird1", "bird2", "onset", "count", "syllable", "session", "logistc", "{bird}", "*", "%s"]
NUMBERS = [0, -1, 1, 2, 0.5, 5.0, -0.0, 1e-300, 5e-324, 1e-9, 1e9, 1e308, float("nan")]
NUMBERS += [float("inf"), -float("inf"), 2**63, -(2**64), 10**400, 10**5000]
OTHERS = [None, True, False, "1", "1e-3", "yes", datetime.date(2020, 1, 1), b"\xff", {1, 2}, (1,)]
OTHERS += [
    [],
    {},
    [[]],
    [{}],
    {"": {}},
    {None: 1},
    {10**5000: 2},
    {(1, 2): 3},
    ["a", "a"],
    ["a", 1, None],
]
OTHERS += [["count", "count"], ["bird1", "bird1"], ["session"], [0.1, 0.1], {"a": {"b": {"c": 1}}}]
LARGE = [circle, shared, lambda: nested(30), lambda: nested(100_000), lambda: list(range(50_000))]
LARGE += [lambda: {f"bird{i}": {} for i in range(3000)}, lambda: [str(i) for i in range(9000)]]
LARGE += [lambda: [i if i % 2 else str(i) for i in range(9000)] + [0, 0]]
LARGE += [lambda: [[i] for i in range(3000)], lambda: "y" * 10_000_000]


def any_value(rng):
    kinds = [NAMES, NUMBERS, OTHERS, LARGE]
    value = rng.choice(rng.choices(kinds, [4, 4, 4, 1])[0])
    return value() if callable(value) else copy.deepcopy(value)


def any_place(config, rng):
    """A mapping or list somewhere in the configuration, and one of its keys."""
    node = config
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return None
        key = rng.choice(keys)
        below = node[key]
        if not (isinstance(below, dict | list) and below and rng.random() < 0.8):
            return node, key
        node = below


def remove(node, key, rng):
    del node[key]


def replace(node, key, rng):
    node[key] = any_value(rng)


def rename(node, key, rng):
    if isinstance(node, dict):
        node[rng.choice(NAMES)] = node.pop(key)


def add(node, key, rng):
    if isinstance(node, dict):
        node[rng.choice([*NAMES, *SETTING_NAMES, *OWN_SETTINGS])] = any_value(rng)
    else:
        node.append(any_value(rng))


def repeat(node, key, rng):
    if isinstance(node, list):
        node.insert(key, node[key])
    else:
        node[f"{key}2"] = copy.deepcopy(node[key])


def scale(node, key, rng):
    if isinstance(node[key], int | float):
        node[key] *= rng.choice([-1, 0, 0.5, 1.1, 1000, 1e6, 1e15, 1e-6])


def shuffle_values(node, key, rng):
    """For windows: a start behind the stop."""
    if isinstance(node, dict):
        values = rng.sample(list(node.values()), len(node))
        node.update(zip(node, values, strict=True))


CHANGES = [remove, replace, replace, replace, rename, add, repeat, scale, shuffle_values]


def spoilt(seed):
    rng = random.Random(seed)
    config = copy.deepcopy(SHIPPED)
    for _ in range(rng.choice([1, 1, 2, 3])):
        place = any_place(config, rng)
        if place:
            rng.choice(CHANGES)(*place, rng)
    return config


def judge(config):
    """Check a configuration as the workflow does; return 'accepted' or 'refused'."""
    try:
        check_config(config, SCHEMA, SETTING_NAMES)
    except DataError as error:
        lines = str(error).split("\n")
        assert len(lines) == 2, lines
        assert lines[1].startswith("Expected: ") and len(lines[1]) > len("Expected: x."), lines
        for line in lines:
            assert line.isprintable() and len(line) < LINE and line.endswith((".", "?")), line
        return "refused"
    for name, entry in config["simulated"].items():
        try:
            bird_settings(entry, name)
        except DataError:
            return "refused"
    for bird in bird_names(config):
        check_bird(bird, config)
        for key in OWN_SETTINGS:
            setting(config, bird, key)
    return "accepted"


def give_up(*_):
    raise TimeoutError(f"after {HANG} s")


def judge_all(seeds):
    counts = Counter()
    signal.signal(signal.SIGALRM, give_up)
    for seed in seeds:
        config = spoilt(seed)
        signal.alarm(HANG)
        try:
            counts[judge(config)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        finally:
            signal.alarm(0)
    return counts


def test_spoilt_configurations_are_accepted_or_refused_in_two_lines():
    assert judge(copy.deepcopy(SHIPPED)) == "accepted"
    counts = judge_all(range(300))
    assert counts["refused"] > 150
    assert counts["accepted"] > 15  # some changes are as good as what was there


@pytest.mark.long
@pytest.mark.parametrize("make", LARGE)
def test_large_values_take_little_memory(make):
    for place in ("labels", "simulated", "windows"):
        config = {**copy.deepcopy(SHIPPED), place: make()}
        own = {**copy.deepcopy(SHIPPED), "simulated": {"bird1": {"units": config[place]}}}
        tracemalloc.start()
        try:
            judge(config)
            judge(own)
            assert tracemalloc.get_traced_memory()[1] < ROOM
        finally:
            tracemalloc.stop()


@pytest.mark.long
def test_ten_thousand_spoilt_configurations():
    counts = judge_all(range(1000, 11_000))
    print(f"| spoilt configurations | 10000 | no traceback | {dict(counts)} | 0 |")
    assert sum(counts.values()) == 10_000


# Text


def spoilt_text(seed):
    rng = random.Random(seed)
    data = bytearray(TEXT.encode())
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(data))
        what = rng.choice([b"", b"\t", b"\n", b":", b": ", b"- ", b"[", b"}", b"'", b'"', b"#"])
        what = rng.choice([what, what, bytes([rng.randrange(256)]), b"&a ", b"*a", b"!x ", b"\0"])
        data[place : place + rng.choice([0, 1, 1, 10])] = what
    return bytes(data)


def judge_text(data, path):
    """Read a text as Snakemake does; return what becomes of it."""
    path.write_bytes(data)
    try:
        check_text(path)
    except DataError as error:
        lines = str(error).split("\n")
        assert len(lines) == 2 and lines[0].startswith(str(path)), lines
        assert all(line.isprintable() and len(line) < LINE for line in lines), lines
        return "refused as text"
    try:
        config = load_configfile(path)
    except WorkflowError:
        return "refused by Snakemake"
    return judge(config)


def test_spoilt_texts_are_refused_with_their_line(tmp_path):
    counts = Counter(judge_text(spoilt_text(seed), tmp_path / "c.yaml") for seed in range(15))
    assert counts["refused as text"] >= 3


@pytest.mark.long
def test_a_thousand_spoilt_texts(tmp_path):
    counts = Counter(judge_text(spoilt_text(s), tmp_path / "c.yaml") for s in range(1000, 2000))
    print(f"| spoilt texts of config.yaml | 1000 | no traceback | {dict(counts)} | 0 |")
    assert sum(counts.values()) == 1000


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"seed: 1\nseed: 2\n", "line 2, column 1: 'seed' stands here twice"),
        (b"a: {b: 1, c: [x, x], b: 2}\n", "line 1, column 22: 'b' stands here twice"),
        (b"a:\n  b: 1\n\tc: 2\n", "line 3, column 1: found character"),
        (b"a: 1\n# \xff\n", "line 2: byte 0xff is no UTF-8"),
        (b"a: 1\nb: \0\n", r"line 2: the character '\\x00' may not"),
        (b"a: [1, 2\nb: }", "line 2, column 2: expected ','"),
        (b"[" * 100_000, "column 21: more than 20 levels"),
        (b"a: 2020-13-13\n", "month must be in 1..12"),
        (b"seed: " + b"1" * 5000, "not what it looks like"),
        (b"a: !!timestamp x\n", "not what it looks like"),
        (b"a: *b\n", "line 1, column 4: found undefined alias"),
    ],
)
def test_texts_that_cannot_be_meant(data, what, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    with pytest.raises(DataError, match=what):
        check_text(path)


def test_texts_that_are_right(tmp_path):
    check_text(ROOT / "config.yaml")
    for overlay in (ROOT / "config").glob("*.yaml"):
        check_text(overlay)
    path = tmp_path / "c.json"
    path.write_text('{"a":\n\t1}')
    check_text(path)


# Names of birds

WORDS = st.sampled_from(["bird1", "bird2", "good", "mua", "shifted", "poisson", "~", "@", "0", "7"])
ANY_NAME = st.text(max_size=60) | st.lists(WORDS, max_size=6).map("".join)


@given(ANY_NAME)
@example("bird1~shifted\n")
@example("~")
@example("")
def test_any_name_is_a_bird_or_refused(name):
    try:
        check_bird(name, SHIPPED)
    except DataError:
        return
    bird = parse_bird(name)
    assert bird.parent in bird_names(SHIPPED)
    selection = f"@{bird.selection}" if bird.selection else ""
    written = bird.parent + selection + bird.control
    assert written == name or f"{written}" == f"{name}1"  # no number means the first
    assert parse_bird(written) == bird
