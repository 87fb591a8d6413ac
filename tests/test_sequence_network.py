"""Networks on tokens: what they see, from left to right, and what their losses are."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neuro2voc import training
from neuro2voc.network_training import weighted_cross_entropy
from neuro2voc.networks.gpt2 import GPT2Config, GPT2Model
from neuro2voc.networks.hybrid import AttentionBlock, Hybrid
from neuro2voc.networks.sequence import SequenceNetwork, next_token_loss, thinned, trimmed
from neuro2voc.training import Schedule, train
from neuro2voc.vocabulary import BEGIN, FIRST, PAD

WIDTH, TOKENS, TIMES, CLASSES = 8, 9, 5, 3
STATES = {"state": 4, "expand": 2, "conv": 3}
KINDS = {
    "gpt2": {"layers": 2, "heads": 2, "context": 64, "checkpoint": ""},
    "mamba2": {"layers": 2, "head": 8, "chunk": 4, **STATES},
    "hybrid": {"pattern": "mam", "heads": 2, "head": 8, "chunk": 4, **STATES},
    "mamba": {"layers": 2, **STATES},
}
SCHEDULE = Schedule(
    epochs=1, patience=1, batch=6, rate=0.01, decay=0.0, warmup=0.1, clip=1.0, device="cpu"
)
every_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind, thin=0.0, dropout=0.0):
    torch.manual_seed(1)
    sizes = {"vocabulary": TOKENS, "times": TIMES, "classes": CLASSES, "width": WIDTH}
    network = SequenceNetwork(kind=kind, thin=thin, dropout=dropout, **sizes, **KINDS[kind])
    # What is learnt, and what is drawn at first, is not to be all 0 or 1.
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    return network.eval()


def trials(lengths, seed=0):
    """Tokens and times of trials of so many tokens, the beginning among them."""
    rng = np.random.default_rng(seed)
    ids = np.full((len(lengths), max(lengths)), PAD)
    times = np.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = [BEGIN, *rng.integers(FIRST, TOKENS, length - 1)]
        times[row, 1:length] = np.sort(rng.integers(0, TIMES, length - 1))
    return torch.as_tensor(ids, dtype=torch.int32), torch.as_tensor(times, dtype=torch.int16)


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@every_kind
def test_padding_changes_nothing(kind):
    network = make(kind)
    ids, times = trials([1, 4, 13, 7])
    together = network(ids, times)
    for row, length in enumerate([1, 4, 13, 7]):
        close(network(ids[row, None, :length], times[row, None, :length])[0], together[row])
    wider = [nn.functional.pad(tensor, (0, 6)) for tensor in (ids, times)]
    assert torch.equal(network(*wider), together)
    close(network.hidden(*wider)[2, :13], network.hidden(ids, times)[2])


@every_kind
def test_trials_are_seen_each_by_itself_in_any_order(kind):
    network = make(kind)
    ids, times = trials([6, 2, 11])
    order = [2, 0, 1]
    close(network(ids[order], times[order]), network(ids, times)[order])


@every_kind
def test_nothing_looks_ahead(kind):
    network = make(kind)
    ids, times = trials([12, 12])
    whole = network.hidden(ids, times)
    other_ids, other_times = trials([12, 12], seed=1)
    for upto in (1, 5, 11):
        close(network.hidden(ids[:, :upto], times[:, :upto]), whole[:, :upto])
        mixed = [
            torch.cat([a[:, :upto], b[:, upto:]], dim=1)
            for a, b in ((ids, other_ids), (times, other_times))
        ]
        again = network.hidden(*mixed)
        close(again[:, :upto], whole[:, :upto])
        assert not torch.allclose(again[:, -1], whole[:, -1], atol=1e-3)


@every_kind
@pytest.mark.parametrize("loss", ["classes", "next token"])
def test_gradients_reach_what_was_read_and_nothing_else(kind, loss):
    network = make(kind)
    ids, times = trials([6, 9, 3, 8])
    ids[ids == TOKENS - 1] = FIRST
    read = ids != PAD
    if loss == "classes":
        nn.functional.cross_entropy(network(ids, times), torch.tensor([0, 1, 2, 0])).backward()
        unused = {"next.weight", "next.bias"}
    else:
        next_token_loss(network, ids, times).backward()
        unused = {"norm.weight", "norm.bias", "classifier.weight", "classifier.bias"}
        # What follows the last token is not asked for.
        read[torch.arange(len(ids)), read.sum(dim=1) - 1] = False
    grads = {name: weight.grad for name, weight in network.named_parameters()}
    # Words of GPT-2 and Mamba are never looked up.
    unused |= {name for name in grads if "wte." in name or "model.embeddings." in name}
    assert {name for name, grad in grads.items() if grad is None} == unused
    assert all(grad.isfinite().all() for grad in grads.values() if grad is not None)
    for name, number, seen in (("embedding", TOKENS, ids[read]), ("clock", TIMES, times[read])):
        moved = grads[f"{name}.weight"].abs().sum(dim=1) > 0
        assert moved.tolist() == torch.isin(torch.arange(number), seen).tolist()


@every_kind
@pytest.mark.parametrize("lengths", [[1], [2], [1, 1, 1]])
def test_trials_of_the_beginning_alone_can_be_learnt_from(kind, lengths):
    network = make(kind, thin=0.5, dropout=0.2).train()
    ids, times = trials(lengths)
    margins = network(ids, times)
    assert margins.shape == (len(lengths), CLASSES)
    (margins.square().sum() + next_token_loss(network, ids, times)).backward()
    assert network.embedding.weight.grad.isfinite().all()


@every_kind
def test_when_a_token_stands_counts(kind):
    network = make(kind)
    ids, times = trials([6])
    later = torch.where(times > 0, (times + 1) % TIMES, times)
    assert not torch.allclose(network(ids, times), network(ids, later), atol=1e-3)
    # Behind the last step of a longer window.
    far = torch.where(times == TIMES - 1, 300, times.int())
    torch.testing.assert_close(network(ids, times), network(ids, far))


def test_hidden_states_are_added_up_by_time():
    network = make("gpt2")
    ids, times = trials([7, 3])
    hidden = torch.randn(2, 7, WIDTH)
    expected = torch.zeros(2, TIMES, WIDTH)
    for row, length in enumerate([7, 3]):
        for place in range(length):
            expected[row, times[row, place]] += hidden[row, place]
    torch.testing.assert_close(network.by_time(hidden, ids, times), expected)


def test_tokens_are_left_out_in_training_only():
    network = make("gpt2", thin=0.5)
    ids, times = trials([40])
    assert torch.equal(network(ids, times), network(ids, times))
    network.train()
    assert not torch.equal(network(ids, times), network(ids, times))


def test_the_next_tokens_surprise_is_that_of_a_sum_by_hand():
    network = make("mamba2")
    ids, times = trials([5, 1, 3])
    hidden = network.hidden(ids, times).tolist()
    table = torch.cat([network.next.weight, network.next.bias[:, None]], dim=1).tolist()
    means = []
    for row, length in enumerate([5, 1, 3]):
        surprise = []
        for place in range(length - 1):
            now = [*hidden[row][place], 1.0]
            margins = [sum(a * b for a, b in zip(now, other, strict=True)) for other in table]
            total = math.log(sum(math.exp(margin) for margin in margins))
            surprise.append(total - margins[int(ids[row, place + 1])])
        means.append(sum(surprise) / max(len(surprise), 1))
    with torch.inference_mode():
        value = float(next_token_loss(network, ids, times))
    assert value == pytest.approx(sum(means) / 3, rel=1e-4)
    wider = [nn.functional.pad(tensor, (0, 4)) for tensor in (ids, times)]
    assert next_token_loss(network, *wider).item() == pytest.approx(value, rel=1e-6)


def gradients_of(kind, loss, examples, schedule, monkeypatch):
    """Gradients of the first step, the mean loss of an epoch of one step, and trials at once."""
    kept, sizes = [], []

    def note(weights, _):
        kept.append([w.grad.clone() for w in weights if w.grad is not None])

    def build():
        network = make(kind)
        network.layers.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
        return network

    monkeypatch.setattr(training, "clip_grad_norm_", note)
    history = train(build, loss, examples, examples, schedule, 3).history
    return kept[0], history["training"][0], max(sizes)


@every_kind
@pytest.mark.parametrize("loss", [next_token_loss, weighted_cross_entropy])
@pytest.mark.parametrize("at_once", [1, 4])
def test_few_at_once_make_the_step_of_all(kind, loss, at_once, monkeypatch):
    examples = trials([3, 9, 6, 1, 12, 5])
    if loss is weighted_cross_entropy:
        weight = torch.tensor([0.5, 1.5, 1.0, 0.0, 2.0, 1.0])
        examples = (*examples, torch.tensor([0, 1, 2, 2, 1, 0]), weight)
    parts, mean, most = gradients_of(
        kind, loss, examples, replace(SCHEDULE, at_once=at_once), monkeypatch
    )
    whole, mean_of_all, all_of_them = gradients_of(kind, loss, examples, SCHEDULE, monkeypatch)
    assert (most, all_of_them) == (at_once, len(examples[0]))
    assert mean == pytest.approx(mean_of_all, rel=1e-5)
    assert len(parts) == len(whole) > 5
    for one, other in zip(parts, whole, strict=True):
        close(one, other)


def rows_of(tokens):
    """Rows of tokens behind a beginning, and times that tell them apart."""
    longest = max(map(len, tokens)) + 1
    ids = torch.full((len(tokens), longest), PAD)
    for row, of in zip(ids, tokens, strict=True):
        row[: len(of) + 1] = torch.tensor([BEGIN, *of])
    return ids, torch.arange(longest).expand(len(tokens), longest)


many_rows = st.lists(st.lists(st.integers(FIRST, TOKENS), max_size=12), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(many_rows, st.integers(0, 4))
def test_only_padding_is_cut(tokens, more):
    ids, times = rows_of(tokens)
    wider = [nn.functional.pad(tensor, (0, more)) for tensor in (ids, times)]
    for cut, whole in zip(trimmed(*wider), (ids, times), strict=True):
        assert torch.equal(cut, whole)


@settings(max_examples=100, deadline=None)
@given(many_rows, st.floats(0, 1), st.integers(0, 99))
def test_thinning_keeps_order_and_the_beginning(tokens, share, seed):
    ids, times = rows_of(tokens)
    torch.manual_seed(seed)
    new, when = thinned(ids, times, share)
    assert new.shape == when.shape == ids.shape
    for row, places, of in zip(new, when, tokens, strict=True):
        kept = int((row != PAD).sum())
        assert kept >= 1 and (row[:kept] != PAD).all() and row[0] == BEGIN
        # Times go with their tokens: the places they had, still in order.
        assert (places[:kept].diff() > 0).all()
        assert row[:kept].tolist() == [[BEGIN, *of][place] for place in places[:kept]]
        assert kept == len(of) + 1 or share > 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_the_share_that_is_left_out_is_the_one_asked_for(share):
    ids, times = rows_of([[FIRST] * 100] * 200)
    torch.manual_seed(0)
    left = (thinned(ids, times, share)[0] != PAD).sum() - 200
    # Five standard deviations of 20,000 draws.
    assert abs(float(left) / 20_000 - (1 - share)) <= 5 * math.sqrt(share * (1 - share) / 20_000)


def test_gpt2_is_that_of_transformers():
    network = make("gpt2")
    reference = GPT2Model(
        GPT2Config(vocab_size=1, n_positions=64, n_embd=WIDTH, n_layer=2, n_head=2)
    ).eval()
    reference.load_state_dict(network.layers.model.state_dict())
    ids, times = trials([20, 13, 1])
    x = network.embed(ids, times)
    seen = reference(inputs_embeds=x, attention_mask=(ids != PAD).long()).last_hidden_state
    hidden = network.hidden(ids, times)
    close(hidden[ids != PAD], seen[ids != PAD])


def test_a_hybrids_layers_are_those_of_its_pattern():
    torch.manual_seed(0)
    network = Hybrid(pattern="amma", width=WIDTH, heads=2, head=8, chunk=4, **STATES)
    kinds = ["a" if isinstance(layer, AttentionBlock) else "m" for layer in network.layers]
    assert kinds == list("amma")


@pytest.mark.parametrize(("pattern", "told"), [("a", False), ("aa", True), ("ma", True)])
def test_order_reaches_attention_through_what_comes_before_it(pattern, told):
    torch.manual_seed(0)
    network = Hybrid(pattern=pattern, width=WIDTH, heads=2, head=8, chunk=4, **STATES)
    x = torch.randn(1, 6, WIDTH)
    swapped = x[:, [1, 0, 2, 3, 4, 5]]
    with torch.inference_mode():
        assert torch.allclose(network(x)[:, -1], network(swapped)[:, -1], atol=1e-5) != told


def test_attention_is_that_of_a_sum_by_hand():
    torch.manual_seed(0)
    block = AttentionBlock(width=4, heads=2)
    x = torch.randn(5, 4)
    with torch.inference_mode():
        query, key, value = block.together(block.norm(x)).chunk(3, dim=1)
        seen = torch.zeros(5, 4)
        for head in (slice(0, 2), slice(2, 4)):
            for now in range(5):
                like = key[: now + 1, head] @ query[now, head] / math.sqrt(2)
                seen[now, head] = torch.softmax(like, dim=0) @ value[: now + 1, head]
        expected = x + block.out(seen)
        expected = expected + block.alone(block.norm_alone(expected))
        torch.testing.assert_close(block(x[None])[0], expected)
