"""Mamba-2 beside transformers', padding, precision, and which computation carries it."""

import sys
from types import ModuleType

import pytest
import torch
from torch.nn import functional
from transformers import Mamba2Config, Mamba2Model

from neuro2voc.networks import mamba2
from neuro2voc.networks.mamba2 import Mamba2, Mamba2Mixer, causal_conv, scan_on
from neuro2voc.networks.ssd import ssd_recurrence

WIDTH, HEAD, STATE = 16, 8, 6
SIZES = {"width": WIDTH, "layers": 2, "state": STATE, "head": HEAD, "expand": 2, "conv": 4}
EMBEDDINGS = "embeddings.weight"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)


@pytest.fixture
def kernels_forgotten():
    """Let this test and the next one look for the kernels anew."""
    mamba2.scan_kernel.cache_clear()
    mamba2.conv_kernel.cache_clear()
    yield
    mamba2.scan_kernel.cache_clear()
    mamba2.conv_kernel.cache_clear()


def theirs(chunk):
    config = Mamba2Config(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        state_size=STATE,
        head_dim=HEAD,
        num_heads=2 * WIDTH // HEAD,
        expand=2,
        conv_kernel=4,
        n_groups=1,
        chunk_size=chunk,
        vocab_size=5,
        use_cache=False,
    )
    return Mamba2Model(config)


def weights(model):
    return {name: w for name, w in model.state_dict().items() if name != EMBEDDINGS}


def right_padded(lengths, longest):
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize(("length", "chunk"), [(1, 8), (5, 1), (24, 8), (37, 8), (37, 256)])
@pytest.mark.parametrize("padded", [False, True])
def test_weights_outputs_and_gradients_are_those_of_transformers(length, chunk, padded):
    peer, ours = theirs(chunk), Mamba2(**SIZES, chunk=chunk)
    # Outputs that are not nearly 0 and a convolution with a bias: every term has a share.
    for parameter in peer.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    ours.load_state_dict(weights(peer))
    mask = right_padded([length, max(1, length - 4)], length) if padded else None
    x = torch.randn(2, length, WIDTH)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    found = ours(inputs[0], mask)
    expected = peer(inputs_embeds=inputs[1], attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    weighting = torch.randn_like(x)
    found.backward(weighting)
    expected.backward(weighting)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-4, atol=1e-4)
    gradients = {name: p.grad for name, p in peer.named_parameters() if name != EMBEDDINGS}
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients.pop(name), rtol=1e-4, atol=1e-4, msg=name
        )
    assert not gradients


def test_weights_go_back_to_transformers():
    ours, peer = Mamba2(**SIZES, chunk=8), theirs(8)
    missing, unexpected = peer.load_state_dict(ours.state_dict(), strict=False)
    assert (missing, unexpected) == ([EMBEDDINGS], [])
    x = torch.randn(2, 11, WIDTH)
    expected = peer(inputs_embeds=x).last_hidden_state
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)


def test_initial_weights():
    mixer = Mamba2(**SIZES, chunk=8).layers[1].mixer
    steps = functional.softplus(mixer.dt_bias)
    assert steps.min() >= 0.99 * mamba2.SLOWEST
    assert steps.max() <= 1.01 * mamba2.FASTEST
    torch.testing.assert_close(mixer.A_log.exp(), torch.arange(1.0, 5.0))
    assert not mixer.conv1d.bias.any()


def test_the_chunk_changes_nothing():
    models = [Mamba2(**SIZES, chunk=chunk) for chunk in (1, 7, 64)]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    x = torch.randn(2, 30, WIDTH)
    first, *others = (model(x) for model in models)
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-4, atol=1e-5)


def test_padding_changes_no_real_place_and_no_gradient():
    model = Mamba2(**SIZES, chunk=8)
    x = torch.randn(1, 20, WIDTH)
    mask = right_padded([13], 20)
    alone, padded = model(x[:, :13]), model(x, mask)
    torch.testing.assert_close(padded[:, :13], alone)
    grads = [
        torch.autograd.grad(out.square().sum(), list(model.parameters()))
        for out in (alone, padded[:, :13])
    ]
    for ours, expected in zip(*reversed(grads), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_no_place_sees_what_comes_later():
    model = Mamba2(**SIZES, chunk=8)
    x = torch.randn(1, 20, WIDTH, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x)[:, 9].square().sum(), x)
    assert gradient[:, :10].abs().amax(dim=-1).min() > 0
    assert not gradient[:, 10:].any()


def test_time_steps_are_limited():
    sizes = {"width": WIDTH, "state": STATE, "head": HEAD, "expand": 2, "conv": 4, "chunk": 8}
    free, limited = Mamba2Mixer(**sizes), Mamba2Mixer(**sizes, time_step_limit=(0.0, 1e-9))
    limited.load_state_dict(free.state_dict())
    x = torch.randn(1, 12, WIDTH)
    # Without time nothing is written to the state, and only the skip is left.
    with torch.no_grad():
        free.dt_bias.fill_(-30.0)
        torch.testing.assert_close(limited(x), free(x))
        limited.D.zero_()
        assert limited(x).abs().max() < 1e-4


def test_autocast_keeps_the_residual_in_single_precision():
    model = Mamba2(**SIZES, chunk=8)
    x = torch.randn(2, 30, WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(x)
        found.sum().backward()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, model(x), rtol=0.1, atol=0.1)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"width × expand \(32\) must be a multiple of head \(5\)"):
        Mamba2(**SIZES | {"head": 5}, chunk=8)


def stand_in(monkeypatch, name, **functions):
    """A package under this name, with these functions in its innermost module."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        module = ModuleType(".".join(parts[:end]))
        module.__path__ = []
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for function in functions.values():
        setattr(module, function.__name__, function)


@pytest.mark.usefixtures("kernels_forgotten")
def test_the_kernel_scans_on_a_gpu_where_it_is_installed(monkeypatch):
    calls = []

    def mamba_chunk_scan_combined(x, dt, A, B, C, chunk_size, D=None):
        calls.append(chunk_size)
        return ssd_recurrence(x, dt, A, B, C, D=D)[0]

    stand_in(monkeypatch, "mamba_ssm.ops.triton.ssd_combined", scan=mamba_chunk_scan_combined)
    model = Mamba2(**SIZES, chunk=8)
    x = torch.randn(2, 11, WIDTH)
    ours = model(x)
    assert calls == []
    monkeypatch.setattr(mamba2, "scan_on", lambda _: scan_on(torch.device("cuda")))
    torch.testing.assert_close(model(x), ours, rtol=1e-4, atol=1e-5)
    assert calls == [8, 8]


@pytest.mark.usefixtures("kernels_forgotten")
@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_package_that_does_not_import_is_tried_once(monkeypatch, error):
    tried = []

    def fail(name):
        tried.append(name)
        raise error(name)

    monkeypatch.setattr(mamba2.importlib, "import_module", fail)
    for _ in range(3):
        assert scan_on(torch.device("cuda")) is scan_on(torch.device("cpu"))
        assert mamba2.conv_kernel() is None
    assert sorted(tried) == ["causal_conv1d", "mamba_ssm.ops.triton.ssd_combined"]


@pytest.mark.usefixtures("kernels_forgotten")
@pytest.mark.parametrize(
    ("channels", "width", "used"), [(16, 4, True), (16, 5, False), (12, 4, False)]
)
def test_the_convolution_kernel_does_what_it_can(monkeypatch, channels, width, used):
    calls = []

    def causal_conv1d_fn(x, weight, bias, activation):
        calls.append((x.stride(1), activation))
        padded = functional.pad(x, (width - 1, 0))
        return functional.silu(functional.conv1d(padded, weight[:, None], bias, groups=channels))

    stand_in(monkeypatch, "causal_conv1d", conv=causal_conv1d_fn)
    x, bias = torch.randn(2, 9, channels), torch.randn(channels)
    weight = torch.randn(channels, 1, width)
    ours = causal_conv(x, weight, bias)
    assert calls == []
    monkeypatch.setattr(mamba2, "_on_gpu", lambda _: True)
    torch.testing.assert_close(causal_conv(x, weight, bias), ours, rtol=1e-5, atol=1e-5)
    assert calls == [(1, "silu")] * used
