"""Weights of others in a folder are inputs of every rule that trains a network from them."""

import re

import pytest
from whole_workflow import snakemake

TARGETS = {
    "train_sequences": "results/decoding/tiny/blocked/{}/metrics.json",
    "null_networks": "results/null_networks/tiny/{}/blocked.csv",
    "contexts": "results/contexts/tiny.png",
    "pretrain": "results/pretrained/dull/{}.json",
    "pretraining": "results/pretraining/tiny.png",
}


def planned_inputs(folder, checkpoint, kind):
    """Return the inputs of each rule's job, where one network is drawn and asked for."""
    settings = [
        f"gpt2={{checkpoint: {checkpoint}}}",
        f"contexts={{decoders: [{kind}]}}",
        f"pretraining={{decoder: {kind}}}",
    ]
    targets = [path.format(kind) for path in TARGETS.values()]
    run = snakemake(folder, "-n", "--config", *settings, "--", *targets)
    assert run.returncode == 0, run.stderr
    jobs = re.findall(r"^rule (\w+):\n    input: (.*)$", run.stdout + run.stderr, re.MULTILINE)
    return {rule: inputs.split(", ") for rule, inputs in jobs if rule in TARGETS}


@pytest.fixture
def weights(tmp_path):
    files = [tmp_path / "theirs" / name for name in ("config.json", "model.safetensors")]
    files[0].parent.mkdir()
    for file in files:
        file.write_text("read by no plan")
    return files


def test_weights_in_a_folder_are_inputs_of_all_that_begin_with_them(tmp_path, weights):
    inputs = planned_inputs(tmp_path, weights[0].parent, "gpt2")
    assert inputs.keys() == TARGETS.keys()
    for rule, files in inputs.items():
        assert {str(file) for file in weights} <= {*files}, rule


def test_they_are_no_inputs_of_other_networks(tmp_path, weights):
    inputs = planned_inputs(tmp_path, weights[0].parent, "hybrid")
    assert inputs.keys() == TARGETS.keys()
    assert not [rule for rule, files in inputs.items() if str(weights[0]) in files]


def test_weights_of_a_hub_are_no_files(tmp_path):
    inputs = planned_inputs(tmp_path, f"a/b@{'0' * 40}", "gpt2")
    assert inputs.keys() == TARGETS.keys()
    assert not [rule for rule, files in inputs.items() if "model.safetensors" in " ".join(files)]
