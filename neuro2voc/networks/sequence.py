"""Networks on tokens: what comes before and behind their layers.

A token enters as its own embedding times one of the time at which it stands, so that "this unit,
then" is one thing to learn and not two. Layers (`LAYERS`) turn embeddings into hidden states from
left to right. For a classification these are added up for each step of the clock, so that when
something was said stays known; or each one is asked for the token that comes next.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from neuro2voc.networks.batch_norm import BatchNorm
from neuro2voc.networks.gpt2 import GPT2
from neuro2voc.networks.hybrid import Hybrid
from neuro2voc.networks.mamba import Mamba
from neuro2voc.networks.mamba2 import Mamba2
from neuro2voc.vocabulary import BEGIN, PAD

LAYERS = {"gpt2": GPT2, "mamba2": Mamba2, "hybrid": Hybrid, "mamba": Mamba}
# Of running averages. There are some ten steps in an epoch, and what is averaged still moves.
MOMENTUM = 0.3
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
    thin : float
        Share of tokens that is left out in training, anew in each step.
    dropout : float
        Share of what the classifier sees that is dropped in training.
    width : int
        Size of embeddings and hidden states.
    **sizes : int
        Of the layers.

    Attributes
    ----------
    at_once : int
        Trials whose way through the layers is in memory at once; 0: all. The backward pass computes
        it anew, so that sums are normalised over the whole batch whatever fits into memory.
    """

    def __init__(
        self,
        *,
        kind: str,
        vocabulary: int,
        times: int,
        classes: int,
        thin: float,
        dropout: float,
        width: int,
        **sizes: object,
    ):
        super().__init__()
        self.thin, self.times, self.at_once = thin, times, 0
        self.embedding = nn.Embedding(vocabulary, width)
        self.clock = nn.Embedding(times, width)
        self.layers = LAYERS[kind](width=width, **sizes)
        self.drop = nn.Dropout(dropout)
        self.norm = BatchNorm(width * times, momentum=MOMENTUM)
        self.classifier = nn.Linear(width * times, classes)
        self.next = nn.Linear(width, vocabulary)
        for table in (self.embedding, self.clock):
            nn.init.normal_(table.weight, std=SPREAD)

    def hidden(self, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return hidden states (trials, tokens, width) of tokens and their times."""
        return self.through_layers(self.embed(ids, times), ids != PAD)

    def through_layers(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what layers make of embeddings (trials, tokens, width), `at_once` trials each."""
        size = self.at_once or len(x)
        if size >= len(x):
            return self.layers(x, mask)
        parts = zip(x.split(size), mask.split(size), strict=True)
        if not torch.is_grad_enabled():
            return torch.cat([self.layers(*part) for part in parts])
        return torch.cat([checkpoint(self.layers, *part, use_reentrant=False) for part in parts])

    def embed(self, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return embeddings (trials, tokens, width) of tokens and of the times they stand at."""
        return self.embedding(ids) * (1 + self.clock(times.long().clamp(max=self.times - 1)))

    def forward(self, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return margins (trials, classes) of tokens and times (trials, tokens), padded with 0."""
        thin = self.thin if self.training else 0.0
        if thin:
            ids, times = thinned(ids, times, thin)
        ids, times = trimmed(ids, times)
        x = self.embed(ids, times)
        sums = self.by_time(x + self.through_layers(x, ids != PAD), ids, times) / (1 - thin)
        return self.classifier(self.drop(self.norm(sums.flatten(1))))

    def by_time(self, hidden: torch.Tensor, ids: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return sums of hidden states (trials, times, width) over the tokens of each time."""
        index = times.long().clamp(max=self.times - 1)
        here = nn.functional.one_hot(index, self.times) * (ids != PAD).unsqueeze(2)
        return here.float().transpose(1, 2) @ hidden.float()


def next_token_loss(
    network: SequenceNetwork, ids: torch.Tensor, times: torch.Tensor
) -> torch.Tensor:
    """Return the mean over sequences of the mean surprise (nats) at each next token."""
    ids, times = trimmed(ids, times)
    hidden = network.hidden(ids, times)[:, :-1]
    margins = network.next(hidden)
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
