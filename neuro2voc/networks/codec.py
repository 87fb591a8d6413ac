"""A vector-quantised codec of binned activity: encoder, residual quantiser, decoder.

After van den Oord et al. (2017), NeurIPS 30, with the residual quantiser of Zeghidour et al.
(2022), IEEE/ACM Trans. Audio Speech Lang. Process. 30:495 ("SoundStream"): each codebook
quantises what the former ones left, so that the first few are a coarser code by themselves.
Activity is (windows, units, bins) throughout.
"""

import torch
from torch import nn
from torch.nn.functional import conv1d, elu, one_hot, pad

FOLLOWS = 0.95  # share of a codebook's averages that a step of training keeps
# A code that takes less than this part of its even share of vectors is dead.
DEAD = 0.1
HIGHEST = 10.0  # of the logarithm of a rate (counts per bin), so that no step overflows


class ResidualQuantiser(nn.Module):
    """Codebooks that follow the vectors given to them.

    Parameters
    ----------
    books : int
        Codebooks.
    codes : int
        Entries of each.
    dims : int
        Numbers in a vector.

    Notes
    -----
    Entries are running averages of the vectors that took them, held in buffers, so that whatever
    keeps the weights keeps them. A dead entry is put where a random vector of the same batch lies;
    at first all are dead.
    """

    def __init__(self, books: int, codes: int, dims: int):
        super().__init__()
        self.register_buffer("entries", torch.zeros(books, codes, dims))
        self.register_buffer("taken", torch.zeros(books, codes))

    def forward(
        self, vectors: torch.Tensor, books: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantise.

        Parameters
        ----------
        vectors : Tensor (n, dims)
        books : Tensor (n,)
            How many codebooks each vector is quantised by.

        Returns
        -------
        quantised : Tensor (n, dims)
            Gradients pass it as if it were `vectors`.
        codes : Tensor (n, books)
            Entries taken, of all codebooks.
        commitment : Tensor ()
            Mean squared distance of what is quantised from the entries it takes.
        """
        rest, codes, distances = vectors, [], []
        whole = torch.zeros_like(vectors)
        for book in range(len(self.entries)):
            used = book < books
            if self.training and used.any():
                self._revive(book, rest[used].detach())
            code = torch.cdist(rest.detach(), self.entries[book]).argmin(dim=1)
            entry = self.entries[book][code]
            if self.training and used.any():
                self._follow(book, rest[used].detach(), code[used])
            distances.append(((rest - entry) ** 2).mean(dim=1) * used)
            whole = whole + entry * used[:, None]
            # Gradients of each commitment reach the encoder alone.
            rest = rest - entry
            codes.append(code)
        commitment = torch.stack(distances).sum() / books.sum().clamp(min=1)
        return vectors + (whole - vectors).detach(), torch.stack(codes, dim=1), commitment

    def look_up(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the vectors (..., dims) of codes (..., books); fewer codebooks may be given."""
        return sum(self.entries[book][codes[..., book]] for book in range(codes.shape[-1]))

    def _revive(self, book: int, rest: torch.Tensor) -> None:
        taken = self.taken[book]
        dead = (taken <= DEAD * taken.mean()).nonzero()[:, 0]
        if not len(dead):
            return
        order = torch.randperm(len(rest), device=rest.device)
        rows = order[torch.arange(len(dead), device=rest.device) % len(rest)]
        self.entries[book, dead] = rest[rows]
        self.taken[book, dead] = len(rest) / len(taken)

    def _follow(self, book: int, rest: torch.Tensor, code: torch.Tensor) -> None:
        member = one_hot(code, len(self.taken[book])).to(rest.dtype)
        taken = FOLLOWS * self.taken[book] + (1 - FOLLOWS) * member.sum(dim=0)
        sums = FOLLOWS * self.taken[book][:, None] * self.entries[book]
        sums = sums + (1 - FOLLOWS) * member.T @ rest
        self.entries[book] = sums / taken.clamp(min=1e-9)[:, None]
        self.taken[book] = taken


class Codec(nn.Module):
    """Activity to codes, and codes to rates.

    Parameters
    ----------
    mean, scale : Tensor (units,)
        Of training activity, per bin. They are weights like others: no clip is given its own, which
        would carry rates past the codes.
    frame : int
        Bins that one code of each codebook stands for.
    books, codes, dims : int
        See `ResidualQuantiser`.
    width : int
        Channels of encoder and decoder.
    kernel : int
        Frames that a convolution spans.
    causal : bool
        Whether codes know nothing of later frames, nor rates of later codes.
    dropout : float
        Share of units hidden from the encoder in training, all of whose rates are asked for.
    """

    def __init__(
        self,
        *,
        mean: torch.Tensor,
        scale: torch.Tensor,
        frame: int,
        books: int,
        codes: int,
        dims: int,
        width: int,
        kernel: int,
        causal: bool,
        dropout: float,
    ):
        super().__init__()
        units = len(mean)
        self.frame, self.books, self.causal, self.dropout = frame, books, causal, dropout
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))
        self.patches = nn.Conv1d(units, width, frame, stride=frame)
        self.before = nn.Conv1d(width, width, kernel)
        self.narrow = nn.Conv1d(width, dims, 1)
        self.quantiser = ResidualQuantiser(books, codes, dims)
        self.widen = nn.Conv1d(dims, width, kernel)
        self.behind = nn.Conv1d(width, width, kernel)
        self.bins = nn.ConvTranspose1d(width, units, frame, stride=frame)
        # What is always the same need not be learnt, nor coded.
        nn.init.zeros_(self.bins.bias)
        self.bins.weight.data *= 0.1

    def _over_frames(self, layer: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
        reach = layer.kernel_size[0] - 1
        sides = (reach, 0) if self.causal else (reach // 2, reach - reach // 2)
        return conv1d(pad(x, sides), layer.weight, layer.bias)

    def encoded(self, x: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """Return vectors (windows, frames, dims) of activity, before they are quantised.

        Parameters
        ----------
        x : Tensor (windows, units, bins)
            NaN where a unit was not observed, which counts as its mean. Bins beyond the last whole
            frame are left out.
        seen : Tensor (windows, units), optional
            0 for units to be hidden, else 1. Those seen count for those that are not.
        """
        z = torch.nan_to_num((x - self.mean[:, None]) / self.scale[:, None])
        if seen is not None:
            z = z * (seen * (seen.shape[1] / seen.sum(dim=1, keepdim=True).clamp(min=1)))[..., None]
        z = elu(self.patches(z))
        z = z + elu(self._over_frames(self.before, z))
        return self.narrow(z).transpose(1, 2)

    def log_rates(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return logarithms of rates (windows, units, bins), in counts per bin."""
        z = elu(self._over_frames(self.widen, vectors.transpose(1, 2)))
        z = z + elu(self._over_frames(self.behind, z))
        return (self.bins(z) + self.mean.log()[:, None]).clamp(max=HIGHEST)

    def forward(
        self,
        x: torch.Tensor,
        books: torch.Tensor | None = None,
        seen: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Code and decode.

        Parameters
        ----------
        x, seen
            See `encoded`; in training units are hidden at random.
        books : Tensor (windows,), optional
            Codebooks used for each; all, and in training a random number of them, so that one codec
            serves at every rate.

        Returns
        -------
        log_rates : Tensor (windows, units, bins)
        codes : Tensor (windows, frames, books)
        commitment : Tensor ()
        """
        windows = len(x)
        if self.training and books is None:
            books = torch.randint(1, self.books + 1, (windows,), device=x.device)
        if self.training and seen is None and self.dropout:
            seen = (torch.rand(windows, len(self.mean), device=x.device) >= self.dropout).float()
        if books is None:
            books = torch.full((windows,), self.books, device=x.device)
        # Distances of half precision would take other codes.
        with torch.autocast(x.device.type, enabled=False):
            vectors = self.encoded(x.float(), seen)
            frames = vectors.shape[1]
            quantised, codes, commitment = self.quantiser(
                vectors.flatten(0, 1), books.repeat_interleave(frames)
            )
            log_rates = self.log_rates(quantised.unflatten(0, (windows, frames)))
        return log_rates, codes.unflatten(0, (windows, frames)), commitment
