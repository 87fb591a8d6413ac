"""GPT-2 computes what transformers does, and begins with weights that are really there."""

import json
import shutil

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

from neuro2voc.errors import DataError
from neuro2voc.networks.gpt2 import GPT2, checkpoint_sizes, read_checkpoint

SIZES = {"width": 8, "layers": 2, "heads": 2, "context": 16}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def theirs(kind=GPT2Model, **changes):
    torch.manual_seed(3)
    sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16}
    model = kind(GPT2Config(**{**sizes, "vocab_size": 11, **changes})).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model


def hidden_of(model, x):
    with torch.inference_mode():
        return model(inputs_embeds=x).last_hidden_state


@pytest.fixture
def folder(tmp_path):
    """Somebody's GPT-2 as transformers writes it."""
    theirs().save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


@pytest.mark.parametrize("kind", [GPT2Model, GPT2LMHeadModel])
def test_a_checkpoint_computes_what_it_computes_in_transformers(tmp_path, kind):
    model = theirs(kind)
    model.save_pretrained(tmp_path)
    sizes = checkpoint_sizes(str(tmp_path))
    assert sizes == SIZES
    ours = GPT2(**sizes, checkpoint=str(tmp_path)).eval()
    x = torch.randn(3, 16, 8)
    torch.testing.assert_close(ours(x), hidden_of(getattr(model, "transformer", model), x))


def test_all_weights_are_the_checkpoints_but_those_of_words(folder):
    ours = GPT2(**SIZES, checkpoint=str(folder)).model.state_dict()
    saved = load_file(folder / "model.safetensors")
    assert set(saved) == set(ours)
    assert [key for key in ours if not torch.equal(ours[key], saved[key])] == ["wte.weight"]


def test_without_a_checkpoint_weights_follow_the_seed():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(GPT2(**SIZES).state_dict()["model.h.1.mlp.c_fc.weight"])
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def without(name):
    return lambda folder: (folder / name).unlink()


def configured(**changes):
    def damage(folder):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-20])


def without_a_layer(folder):
    path = folder / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if not k.startswith("h.1.")}, path)


class Trap:
    """Unpickled, it leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def pickled(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"h.0.ln_1.weight": Trap(folder / "trace")}, folder / "pytorch_model.bin")


BROKEN = {
    "no settings": (without("config.json"), "config.json"),
    "no weights": (without("model.safetensors"), "model.safetensors"),
    "another model": (configured(model_type="llama"), "model_type is 'llama', not 'gpt2'"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "Expecting"),
    "no object": (lambda folder: (folder / "config.json").write_text("[1]"), "list"),
    "no number": (configured(n_embd="wide"), "n_embd"),
    "other sizes": (configured(n_embd=4), "size mismatch"),
    "another function": (configured(activation_function="relu"), "'relu', not 'gelu_new'"),
    "cut weights": (cut, "MetadataIncompleteBuffer|incomplete"),
    "missing layer": (without_a_layer, "12 weights are missing, h.1.ln_1.weight first"),
    "pickled weights": (pickled, "model.safetensors"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_gpt2_ends_in_a_sentence(folder, name):
    damage, reason = BROKEN[name]
    damage(folder)
    said = rf"theirs holds no GPT-2 that can be read \(.*({reason}).*`gpt2.checkpoint`"
    with pytest.raises(DataError, match=said):
        GPT2(**(SIZES | checkpoint_sizes(str(folder))), checkpoint=str(folder))
    assert not (folder / "trace").exists()


@pytest.mark.parametrize("width", [4, 16])
def test_weights_of_other_sizes_are_refused(folder, width):
    with pytest.raises(DataError, match="no GPT-2 that can be read .*size mismatch"):
        GPT2(**{**SIZES, "width": width}, checkpoint=str(folder))


@pytest.mark.parametrize(
    "name",
    ["nowhere", "openai-community/gpt2", "openai-community/gpt2@main", f"gpt2@{COMMIT}"]
    + [f"openai-community/gpt2@{COMMIT[:-1]}", f"a/b/c@{COMMIT}", f"a/b@{COMMIT.upper()}"],
)
def test_what_is_neither_a_folder_nor_a_commit_is_refused(monkeypatch, name):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(DataError, match=f"'{name}' is neither a folder nor .*40 digits"):
        read_checkpoint(name)


def test_a_commit_of_a_hub_is_asked_for_by_itself(monkeypatch, folder):
    asked = {}

    def download(name, *, revision, allow_patterns):
        asked.update(name=name, revision=revision, files=allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert checkpoint_sizes(f"a/b.c@{COMMIT}") == SIZES
    assert asked == {
        "name": "a/b.c",
        "revision": COMMIT,
        "files": ["config.json", "model.safetensors"],
    }


def test_a_hub_without_a_network_ends_in_a_sentence(monkeypatch):
    def download(*_, **__):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(DataError, match=rf"a/b@{COMMIT} cannot be had \(no route to host\)"):
        read_checkpoint(f"a/b@{COMMIT}")


def test_a_folder_may_be_copied_elsewhere(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "home" / "copy")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert checkpoint_sizes("~/copy") == SIZES
