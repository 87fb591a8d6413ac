"""The chunked state-space computation beside its definition, padded, and in segments."""

import numpy as np
import pytest
import torch

from neuro2voc.networks import ssd as module
from neuro2voc.networks.ssd import ssd, ssd_recurrence

NAMES = ("x", "dt", "A", "B", "C", "initial", "D")


def inputs(length, heads=4, groups=2, batch=2, size=3, state=5, dtype=torch.float64, seed=0):
    """All that the computation takes, in the order of NAMES."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=random, dtype=dtype)

    x, dt = normal(batch, length, heads, size), normal(batch, length, heads).abs()
    B, C = normal(batch, length, groups, state), normal(batch, length, groups, state)
    rest = normal(batch, heads, size, state), normal(heads)
    return [x, dt, -normal(heads).abs() - 0.1, B, C, *rest]


def with_gradients(function, tensors):
    """Outputs, last state, and gradients of a fixed random weighting of both."""
    leaves = [t.clone().requires_grad_() for t in tensors]
    y, last = function(*leaves)
    random = torch.Generator().manual_seed(7)
    weights = [torch.randn(t.shape, generator=random, dtype=torch.float64) for t in (y, last)]
    loss = (y * weights[0]).sum() + (last * weights[1]).sum()
    return y.detach(), last.detach(), torch.autograd.grad(loss, leaves)


def chunked(chunk):
    return lambda x, dt, A, B, C, initial, D: ssd(x, dt, A, B, C, chunk, initial, D)


def assert_alike(found, expected, tolerance):
    for name, ours, theirs in zip(("y", "last"), found[:2], expected[:2], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=name)
    for name, ours, theirs in zip(NAMES, found[2], expected[2], strict=True):
        scale = theirs.abs().max().clamp(min=1)
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=tolerance, msg=name)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("length", "chunk"), [(1, 4), (7, 1), (7, 3), (12, 4), (7, 7), (7, 99)])
def test_any_length_and_chunk_is_the_recurrence(length, chunk, groups):
    tensors = inputs(length, groups=groups)
    expected = with_gradients(ssd_recurrence, tensors)
    assert_alike(with_gradients(chunked(chunk), tensors), expected, 1e-10)


@pytest.mark.parametrize(("length", "chunk"), [(300, 64), (257, 256), (100, 16)])
def test_single_precision_agrees_to_1e_4(length, chunk):
    tensors = inputs(length, size=16, state=16)
    tensors[1] = tensors[1] * 0.1
    expected = with_gradients(ssd_recurrence, tensors)
    found = with_gradients(chunked(chunk), [t.float() for t in tensors])
    assert found[0].dtype == torch.float32
    assert_alike(
        (found[0].double(), found[1].double(), [g.double() for g in found[2]]), expected, 1e-4
    )


def test_gradcheck():
    tensors = [t.requires_grad_() for t in inputs(5, batch=1)]
    assert torch.autograd.gradcheck(chunked(2), tensors)


@pytest.mark.parametrize("elements", [1, 100])
def test_how_many_masks_are_made_at_a_time_changes_nothing(monkeypatch, elements):
    tensors = inputs(21)
    expected = with_gradients(chunked(4), tensors)
    monkeypatch.setitem(module.MASK_ELEMENTS, "cpu", elements)
    assert_alike(with_gradients(chunked(4), tensors), expected, 1e-12)


def test_padding_on_the_right_changes_nothing():
    x, dt, A, B, C, initial, D = inputs(11)
    before = with_gradients(chunked(4), (x, dt, A, B, C, initial, D))
    more = inputs(6, seed=1)
    longer = [
        torch.cat([a, b], dim=1) for a, b in zip((x, B, C), (more[0], *more[3:5]), strict=True)
    ]
    steps = torch.cat([dt, torch.zeros_like(more[1])], dim=1)
    tensors = [longer[0], steps, A, longer[1], longer[2], initial, D]
    leaves = [t.requires_grad_() for t in tensors]
    y, last = chunked(4)(*leaves)
    torch.testing.assert_close(y[:, :11], before[0])
    torch.testing.assert_close(last, before[1])
    # What comes after has no share in gradients, either.
    gradient = torch.autograd.grad(last.sum() + y[:, :11].sum(), leaves)
    for place in (0, 3, 4):
        assert not gradient[place][:, 11:].any()


@pytest.mark.parametrize("chunk", [3, 64])
def test_segments_with_carried_state_are_the_whole(chunk):
    tensors = inputs(50)

    def segments(x, dt, A, B, C, state, D):
        outputs = []
        for part in zip(*(t.split(13, dim=1) for t in (x, dt, B, C)), strict=True):
            y, state = ssd(part[0], part[1], A, *part[2:], chunk, state, D)
            outputs.append(y)
        return torch.cat(outputs, dim=1), state

    expected = with_gradients(chunked(chunk), tensors)
    assert_alike(with_gradients(segments, tensors), expected, 1e-10)


@pytest.mark.parametrize("step", [0.0, 1e-8, 50.0, 1e4])
def test_extreme_steps_have_finite_gradients(step):
    tensors = inputs(40)
    tensors[1] = torch.full_like(tensors[1], step)
    expected = with_gradients(ssd_recurrence, tensors)
    found = with_gradients(chunked(16), [t.float() for t in tensors])
    scaled = [
        ([t / e.abs().max().clamp(min=1) for t, e in zip(which, expected[2], strict=True)])
        for which in (found[2], expected[2])
    ]
    assert all(torch.isfinite(t).all() for t in (*found[:2], *found[2]))
    torch.testing.assert_close(found[0].double(), expected[0], rtol=1e-4, atol=1e-4)
    # That of A, the sum over places, is a hundred times smaller than what it is the difference of.
    for ours, theirs in zip(*scaled, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=2e-3)


def test_autocast_does_not_lower_the_precision():
    tensors = [t.float() for t in inputs(40)]
    expected = with_gradients(chunked(16), tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = with_gradients(chunked(16), tensors)
    assert_alike(found, expected, 1e-6)


def test_half_precision_comes_back_as_it_came():
    tensors = [t.to(torch.bfloat16) for t in inputs(9)]
    y, last = chunked(4)(*tensors)
    assert (y.dtype, last.dtype) == (torch.bfloat16, torch.float32)


def test_without_initial_state_and_skip():
    x, dt, A, B, C, initial, D = inputs(9)
    y, last = ssd(x, dt, A, B, C, 4)
    expected = ssd(x, dt, A, B, C, 4, torch.zeros_like(initial), torch.zeros_like(D))
    torch.testing.assert_close((y, last), expected)


def test_only_some_gradients_are_wanted():
    x, dt, A, B, C, _, _ = inputs(9)
    A.requires_grad_()
    ssd(x, dt, A, B, C, 4)[0].sum().backward()
    assert np.isfinite(A.grad.numpy()).all()
    assert x.grad is None


@pytest.mark.parametrize(("length", "chunk", "groups"), [(0, 4, 1), (5, 0, 1), (5, 4, 3)])
def test_what_cannot_be_computed_is_refused(length, chunk, groups):
    x, dt, A, B, C, _, _ = inputs(length, groups=groups)
    with pytest.raises(ValueError, match=rf"length \({length}\) and chunk \({chunk}\)"):
        ssd(x, dt, A, B, C, chunk)
