"""Networks on tokens: what comes before and behind their layers.

A token enters as its own embedding times one of the time at which it stands, so that "this unit,
then" is one thing to learn and not two. Layers (`LAYERS`) turn embeddings into hidden states from
left to right; those states are averaged for a classification, or each one is asked for the token
that comes next.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from neuro2voc.networks.gpt2 import GPT2
from neuro2voc.networks.hybrid import Hybrid
from neuro2voc.networks.mamba import Mamba
from neuro2voc.networks.mamba2 import Mamba2
from neuro2voc.vocabulary import BEGIN, PAD

LAYERS = {"gpt2": GPT2, "mamba2": Mamba2, "hybrid": Hybrid, "mamba": Mamba}
SPREAD = 0.3  # of embeddings at the start; the usual 0.02 learns slowly where the width is small


class SequenceNetwork(nn.Module):
    """Embeddings, layers, a classifier, and the likelihood of what comes next.

    Parameters
    ----------
    kind : str
        One of `LAYERS`.
    vocabulary : int
        Tokens, 0 for padding and 1 for a beginning among them.
    times : int
        Of the clock, see `neuro2voc.token_times`.
    classes : int
    expected : float
        Tokens of a sequence in the mean. Hidden states are averaged and multiplied by its root, so
        that what single spikes change stays of the same size in sequences of any length.
    thin : float
        Share of tokens that is left out in training, anew in each step.
    dropout : float
        Share of hidden states dropped before the classifier, and in the layers.
    width : int
        Size of embeddings and hidden states.
    **sizes : int
        Of the layers.
    """

    def __init__(
        self,
        *,
        kind: str,
        vocabulary: int,
        times: int,
        classes: int,
        expected: float,
        thin: float,
        dropout: float,
        width: int,
        **sizes: object,
    ):
        super().__init__()
        self.thin, self.times = thin, times
        self.register_buffer("scale", torch.tensor(float(expected) ** 0.5))
        self.embedding = nn.Embedding(vocabulary, width)
        self.clock = nn.Embedding(times, width)
        self.layers = LAYERS[kind](width=width, dropout=dropout, **sizes)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)
        for table in (self.embedding, self.clock):
            nn.init.normal_(table.weight, std=SPREAD)

    def hidden(self, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return hidden states (trials, tokens, width) of tokens and their times."""
        x = self.embed(self.embedding(ids), times)
        return self.layers(x, ids != PAD)

    def embed(self, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of tokens with the times at which they stand."""
        return x * (1 + self.clock(times.long().clamp(max=self.times - 1)))

    def forward(self, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return margins (trials, classes) of tokens and times (trials, tokens), padded with 0."""
        if self.training and self.thin:
            ids, times = thinned(ids, times, self.thin)
        ids, times = trimmed(ids, times)
        return self.classify(self.hidden(ids, times), ids != PAD)

    def classify(self, hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return margins (trials, classes) of hidden states (trials, tokens, width)."""
        weight = real.float() / real.sum(dim=1, keepdim=True).clamp(min=1)
        mean = torch.einsum("nl,nlw->nw", weight, hidden.float())
        return self.classifier(self.drop(mean * self.scale))


def next_token_loss(
    network: SequenceNetwork, ids: torch.Tensor, times: torch.Tensor
) -> torch.Tensor:
    """Return the mean over sequences of the mean surprise (nats) at each next token."""
    ids, times = trimmed(ids, times)
    hidden = network.hidden(ids, times)[:, :-1]
    margins = hidden @ network.embedding.weight.T
    target, real = ids[:, 1:], ids[:, 1:] != PAD
    surprise = cross_entropy(margins.float().transpose(1, 2), target.long(), reduction="none")
    return ((surprise * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()


def trimmed(ids: torch.Tensor, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Leave out columns that are padding in every row."""
    longest = max(1, int((ids != PAD).sum(dim=1).max()))
    return ids[:, :longest], times[:, :longest]


def thinned(
    ids: torch.Tensor, times: torch.Tensor, share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Leave out a random share of the tokens of each row, and close the gaps."""
    kept = (ids != PAD) & ((torch.rand(ids.shape, device=ids.device) >= share) | (ids == BEGIN))
    order = torch.argsort((~kept).int(), dim=1, stable=True)
    closed = torch.where(kept, ids, PAD).gather(1, order)
    return closed, times.gather(1, order)
