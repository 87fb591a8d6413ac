"""A picture leads back to what made it."""

import re
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from neuro2voc.errors import DataError
from neuro2voc.files import save_figure, write_json
from neuro2voc.origin import CURRENT, Origin, recorded, sidecar_of
from neuro2voc.run_record import FIELDS, read_record
from neuro2voc.whence import differences, read_picture, whence

TARGET = "results/units/b.png"


def make(target=TARGET, seed=5, folds=3, version="2.4.6", code="0123456789abcdef"):
    params = {"seed": seed, "settings": {"folds": folds}, "code": f"{code} numpy=={version}"}
    work = SimpleNamespace(
        rule="units",
        input=["results/trials/b.csv"],
        output=[target, str(Path(target).with_suffix(".pdf"))],
        params=params,
    )
    with recorded(work):
        save_figure(Figure(figsize=(1, 1)), target)


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """A picture cut from a paper; the results it came from are at hand."""
    monkeypatch.chdir(tmp_path)
    Path("results/trials").mkdir(parents=True)
    Path("results/trials/b.csv").write_text("trial\n")
    make()
    Path("paper.png").write_bytes(Path(TARGET).read_bytes())
    Path("paper.pdf").write_bytes(Path(TARGET).with_suffix(".pdf").read_bytes())
    return Path("paper.png")


def test_a_picture_of_the_results_at_hand(picture):
    record = read_record(sidecar_of(TARGET))
    answer = whence(picture)
    assert answer.splitlines()[1] == f"is {TARGET}, with digest {record['digest']}."
    for line in ("rule: units", "seed: 5", "parameter settings.folds: 3", "library numpy: 2.4.6"):
        assert f"\n  {line}\n" in answer
    assert f"  input results/trials/b.csv: {record['inputs']['results/trials/b.csv']}\n" in answer
    assert f"The results here hold it: {sidecar_of(TARGET)} has the same digest." in answer
    assert f"Its bytes are those of {TARGET}." in answer
    assert answer.endswith(f"\n  snakemake --cores 1 -- {TARGET}\n")


def test_a_pdf_says_the_same(picture):
    answers = [whence(path).replace(".pdf", ".png") for path in ("paper.png", "paper.pdf")]
    assert answers[0] == answers[1]
    assert "snakemake --cores 1 -- results/units/b.pdf" in whence("paper.pdf")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 6}, "seed: 5 -> 6"),
        ({"folds": 4}, "parameter settings.folds: 3 -> 4"),
        ({"version": "2.5.0"}, "library numpy: 2.4.6 -> 2.5.0"),
        ({"code": "f" * 16}, "code: 0123456789abcdef -> ffffffffffffffff"),
    ],
)
def test_what_differs_is_named_and_nothing_else(picture, change, line):
    make(**change)
    answer = whence(picture)
    assert f"The results here hold another {TARGET} (picture -> here):\n  {line}\n\n" in answer


def test_another_input_is_named(picture):
    Path("results/trials/b.csv").write_text("trial\n1\n")
    make()
    assert re.search(
        r"here\):\n  input results/trials/b\.csv: \w{64} -> \w{64}\n\n", whence(picture)
    )


def test_what_was_added_or_left_out_is_named():
    then = {"rule": "r", "seed": None, "code": "c", "inputs": {"a": "1"}, "libraries": {}}
    now = then | {"inputs": {"b": "1"}, "parameters": {"x": {}, "y": None}}
    assert differences(then | {"parameters": {"x": {"deep": [1, 2]}}}, now) == [
        "parameter x.deep: [1,2] -> none",
        "input a: 1 -> none",
        "parameter x: none -> {}",
        "input b: none -> 1",
    ]


def test_without_the_results_the_picture_speaks_alone(picture):
    sidecar_of(TARGET).unlink()
    answer = whence(picture)
    assert "  seed: 5\n" in answer
    assert f"The results here do not hold {TARGET}; there is no {sidecar_of(TARGET)}." in answer


def test_results_changed_by_hand_are_noticed(picture):
    Path(TARGET).write_bytes(b"edited")
    assert f"But {TARGET} was changed since it was made." in whence(picture)
    Path(TARGET).unlink()
    assert f"But {TARGET} is gone." in whence(picture)


def test_a_picture_saved_anew_with_its_texts_is_known_by_its_digest(picture):
    image = Image.open(picture)
    texts = PngInfo()
    for key, value in image.text.items():
        texts.add_itxt(key, value, zip=True)
    image.crop((0, 0, 50, 50)).save("cut.png", pnginfo=texts)
    assert f"Its bytes are not those of {TARGET}: saved anew" in whence("cut.png")


def test_changed_texts_are_noticed(picture):
    image = Image.open(picture)
    texts = PngInfo()
    for key, value in image.text.items():
        texts.add_text(key, value.replace('"seed":5', '"seed":7'))
    image.save("forged.png", pnginfo=texts)
    assert "What follows does not have this digest: somebody has changed it." in whence(
        "forged.png"
    )


def test_where_only_title_and_digest_are_left_they_are_compared(picture):
    content = Path("paper.pdf").read_bytes().replace(b"/Keywords", b"/Keywrods")
    Path("paper.pdf").write_bytes(content)
    assert "It says no more of itself." in whence("paper.pdf")
    assert "The results here hold it" in whence("paper.pdf")
    digest = read_record(sidecar_of(TARGET))["digest"]
    make(seed=6)
    now = read_record(sidecar_of(TARGET))["digest"]
    assert f"(picture -> here):\n  digest: {digest} -> {now}" in whence("paper.pdf")


def screenshot(path):
    Image.new("RGB", (9, 9)).save(path)


def cut_short(path):
    path.write_bytes(Path(TARGET).read_bytes()[:60])


def bomb(path):
    texts = PngInfo()
    texts.add(b"zTXt", b"Title\0\0" + zlib.compress(b"a" * 2**27))
    Image.new("RGB", (9, 9)).save(path, pnginfo=texts)


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("no.png", None, "no.png cannot be read as a picture .*No such file"),
        ("shot.png", screenshot, "shot.png does not say what made it: .*screenshot"),
        ("half.png", cut_short, "half.png (cannot be read|does not say)"),
        ("bomb.png", bomb, "bomb.png cannot be read as a picture"),
        ("a.jpg", screenshot, "a.jpg is neither PNG nor PDF"),
        ("a.png", lambda path: path.write_text("PNG"), "a.png is neither PNG nor PDF"),
        ("empty.pdf", lambda path: path.write_text(""), "empty.pdf is neither PNG nor PDF"),
        ("a.pdf", lambda path: path.write_text("%PDF-1.4"), "a.pdf does not say what made it"),
        ("folder", lambda path: path.mkdir(), "folder cannot be read as a picture"),
    ],
)
def test_what_says_nothing_ends_in_a_sentence(picture, name, write, sentence):
    if write:
        write(Path(name))
    with pytest.raises(DataError, match=f"^{sentence}"):
        whence(name)


@given(
    st.text(min_size=1).filter(lambda text: "/" not in text and text.isprintable()),
    st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5),
)
def test_whatever_a_figure_is_called_and_made_with_is_read_back(tmp_path_factory, name, value):
    """Names and parameters with brackets, backslashes and letters of all kinds, in both formats."""
    origin = Origin(f"results/{name}.png", "r", {"x": value}, 1, "c", {"numpy": "1"}, {name: "2"})
    folder = tmp_path_factory.getbasetemp()
    token = CURRENT.set(origin)
    try:
        from neuro2voc.origin import text_for_pdf, text_for_png

        texts, about = text_for_png(origin.target), text_for_pdf(origin.target)
    finally:
        CURRENT.reset(token)
    figure = Figure(figsize=(0.2, 0.2))
    figure.savefig(folder / "a.png", metadata=texts)
    figure.savefig(folder / "a.pdf", metadata=about | {"CreationDate": None})
    for path in (folder / "a.png", folder / "a.pdf"):
        picture = read_picture(path)
        assert (picture.target, picture.digest) == (origin.target, origin.digest)
        assert picture.origin == {key: getattr(origin, key) for key in FIELDS}


def test_a_broken_record_ends_in_a_sentence(picture):
    write_json([], sidecar_of(TARGET))
    with pytest.raises(DataError, match="is not the record of a job"):
        whence(picture)
