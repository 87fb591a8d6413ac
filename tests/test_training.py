"""The training loop: it learns, stops, resumes to the same weights and fails in sentences."""

import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import mse_loss

from neuro2voc import training
from neuro2voc.checkpoints import Checkpoint, remove_checkpoints
from neuro2voc.errors import DataError
from neuro2voc.training import Schedule, choose_device, rate_at, train

SCHEDULE = Schedule(
    epochs=12, patience=12, batch=8, rate=0.01, decay=0.01, warmup=0.1, clip=1.0, device="cpu"
)


def build():
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 1))


def loss(network, x, y):
    return mse_loss(network(x), y)


def examples(n, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    return x, (x[:, :1] * x[:, 1:2])


TRAIN, HELD_OUT = examples(50, 0), examples(20, 1)


def run(schedule=SCHEDULE, seed=7, loss=loss, **more):
    return train(build, loss, TRAIN, HELD_OUT, schedule, seed, **more)


def same(first, second):
    weights = first.network.state_dict(), second.network.state_dict()
    return all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def changed(**settings):
    return Schedule(**{**SCHEDULE.__dict__, **settings})


def test_it_learns_a_product_that_no_linear_model_can():
    many = examples(600, 2)
    schedule = changed(epochs=60, patience=60, batch=32, rate=0.03)
    trained = train(build, loss, many, HELD_OUT, schedule, 0)
    line = torch.linalg.lstsq(*many).solution
    linear = float(mse_loss(HELD_OUT[0] @ line, HELD_OUT[1]))
    assert trained.history["validation"].min() < linear / 2


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    first = run()
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)
    assert same(first, run())
    assert first.history.equals(run().history)
    assert not same(first, run(seed=8))


def test_the_weights_kept_are_those_of_the_lowest_validation_loss():
    trained = run(changed(epochs=60, patience=5, rate=0.1))
    history = trained.history
    assert trained.epoch == history["epoch"][history["validation"].idxmin()]
    with torch.inference_mode():
        again = float(loss(trained.network, *HELD_OUT))
    assert again == pytest.approx(history["validation"].min(), rel=1e-5)


def test_it_stops_when_patience_is_spent():
    history = run(changed(epochs=500, patience=4, rate=0.1)).history
    assert len(history) - history["validation"].idxmin() - 1 == 4
    assert len(history) < 500


class Killed(Exception):
    pass


def killed_at(step):
    """A loss that ends the training at its n-th call, as a kill would."""
    calls = 0

    def until(network, x, y):
        nonlocal calls
        calls += 1
        if calls == step:
            raise Killed
        return loss(network, x, y)

    return until


@pytest.mark.parametrize("step", [1, 5, 11, 30, 77])
def test_a_training_killed_anywhere_resumes_to_the_same_weights(tmp_path, monkeypatch, step):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 0)
    kept = Checkpoint(tmp_path / "job", "code")
    with pytest.raises(Killed):
        run(loss=killed_at(step), checkpoint=kept)
    resumed, undisturbed = run(checkpoint=kept), run()
    assert same(resumed, undisturbed)
    assert resumed.history.equals(undisturbed.history)
    assert resumed.epoch == undisturbed.epoch


def test_a_finished_training_is_not_repeated(tmp_path):
    kept = Checkpoint(tmp_path, "code")
    first = run(checkpoint=kept)
    again = run(checkpoint=kept, loss=killed_at(1))
    assert same(first, again)


@pytest.mark.parametrize(
    "other",
    [
        {"schedule": changed(rate=0.02)},
        {"seed": 8},
        {"checkpoint": "other code"},
    ],
)
def test_a_state_of_another_training_is_not_resumed(tmp_path, other):
    run(checkpoint=Checkpoint(tmp_path, "code"))
    other["checkpoint"] = Checkpoint(tmp_path, other.get("checkpoint", "code"))
    with pytest.raises(Killed):
        run(loss=killed_at(1), **other)


def test_a_damaged_checkpoint_is_named_and_training_starts_anew(tmp_path, caplog):
    kept = Checkpoint(tmp_path, "code")
    first = run(checkpoint=kept)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        assert same(first, run(checkpoint=kept))
    assert file.name in caplog.text and "anew" in caplog.text


def test_a_state_with_a_changed_byte_is_not_resumed(tmp_path, caplog):
    kept = Checkpoint(tmp_path, "code")
    first = run(checkpoint=kept)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert same(first, run(checkpoint=kept))
    assert "not those that were written" in caplog.text


def test_training_goes_on_where_no_checkpoint_can_be_written(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert same(run(checkpoint=Checkpoint(tmp_path / "file", "code")), run())
    assert "goes on without" in caplog.text


def test_checkpoints_are_removed_with_their_folder(tmp_path):
    run(checkpoint=Checkpoint(tmp_path / "job", "code"))
    assert list((tmp_path / "job").iterdir())
    remove_checkpoints(tmp_path / "job")
    remove_checkpoints(tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_a_loss_that_is_not_finite_stops_in_a_sentence():
    def broken(network, x, y):
        return loss(network, x, y) * math.nan

    with pytest.raises(
        DataError, match="training loss is nan in epoch 1: training broke down.*`training.rate`"
    ):
        run(loss=broken, name="lstm")


def test_a_gpu_asked_for_and_absent_names_the_setting(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DataError, match="`training.device` is cuda.*auto or cpu"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError("Unable to allocate 8. GiB for an array"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "`at_once: 8`; set `training: at_once`, or the network's own, .* first, below 8 in"),
        ({"at_once": 4}, "`at_once: 4`; set .* below 4 in"),
        ({"at_once": 1}, "`at_once: 1`; lower the network's width or layers, .* `training: batch`"),
        ({"batch": 1}, "`at_once: 1`; lower the network's width or layers"),
    ],
)
def test_memory_that_runs_out_names_what_to_lower(error, settings, sentence):
    def full(network, x, y):
        raise error

    with pytest.raises(DataError, match=sentence):
        run(changed(**settings), loss=full)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def wrong(network, x, y):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        run(loss=wrong)


def test_long_gradients_are_shortened():
    seen = []

    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            seen.append(None if self.weight.grad is None else float(self.weight.grad.norm()))
            return 1e6 * self.weight * x[:, :1]

    train(Steep, loss, TRAIN, HELD_OUT, changed(epochs=2, clip=0.5), 0)
    grads = [value for value in seen if value is not None]
    assert grads and max(grads) <= 0.5 + 1e-4


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_rate_rises_and_falls_within_its_bounds(steps, warmup):
    rates = np.array([rate_at(step, steps, warmup) for step in range(steps)])
    assert (rates > 0).all() and (rates <= 1).all()
    top = int(rates.argmax())
    assert (np.diff(rates[: top + 1]) >= 0).all() and (np.diff(rates[top:]) <= 1e-12).all()
    assert top <= max(1, round(warmup * steps))


def test_a_line_per_epoch_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="training"):
        run(name="lstm, fold 0")
    lines = [r.getMessage() for r in caplog.records if r.name == "training"]
    assert lines[0] == "lstm, fold 0: on cpu"
    assert len(lines) == 1 + SCHEDULE.epochs
    assert lines[3].startswith("lstm, fold 0: epoch 3, training loss ")
