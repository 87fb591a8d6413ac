"""Embeddings of activity in three dimensions by CEBRA.

CEBRA (Schneider, Lee & Mathis 2023, Nature 617:360) through its own package: its networks, its
loss, Adam. Batches are drawn here (`neuro2voc.contrast`), since its loaders join what was apart. A
window that reaches beyond its bout repeats the bout's first or last bin, as CEBRA does at the ends
of what it embeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from neuro2voc.bout_bins import BoutBins
from neuro2voc.contrast import batches
from neuro2voc.errors import DataError
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import choose_device

DIMENSIONS = 3
FIELDS = (1, 10, 20)  # bins; networks that CEBRA ships under the names offset1-model, ...
LAST = 0.1  # share of the iterations whose mean loss is the loss that was reached
# space(bins, rows) returns the coordinates (rows, dimensions) of some of any bins.
Space = Callable[[BoutBins, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """How networks are trained.

    Attributes
    ----------
    apart : int
        Bins from a bin to its partner in time.
    nearby : float
        See `neuro2voc.contrast.batches`.
    units, iterations, batch : int
        Hidden units, steps, and bins per step.
    rate : float
        Of Adam.
    temperature : float
        Of InfoNCE; fixed.
    centred : bool
        Whether the mean over the batch is taken out before the sphere while training; False is
        CEBRA as published.
    device : str
        'auto', 'cpu' or 'cuda'.
    most : int
        Bins that UMAP is fitted to, evenly spaced among those to train on.
    """

    apart: int
    nearby: float
    units: int
    iterations: int
    batch: int
    rate: float
    temperature: float
    centred: bool
    device: str
    most: int


def make_recipe(settings: Mapping, device: str) -> Recipe:
    """Return the recipe that `embedding` in the configuration describes.

    Raises
    ------
    DataError
        Partners in time less than a bin apart.
    """
    apart = round(settings["apart"] / settings["bin"])
    if apart < 1:
        raise DataError(
            f"`embedding: apart` is {settings['apart']:g} s, less than a bin of "
            f"{settings['bin']:g} s; raise it."
        )
    names = ("nearby", "units", "iterations", "batch", "rate", "temperature", "centred", "most")
    return Recipe(apart=apart, device=device, **{name: settings[name] for name in names})


@dataclass(frozen=True)
class TrainedCebra:
    """A trained CEBRA network.

    Attributes
    ----------
    space : callable
        Its coordinates lie on the unit sphere.
    losses : ndarray (iterations,)
        InfoNCE in nats, of all aims together.
    chance : float
        Loss where nothing is told apart: the logarithm of the batch, once per aim.
    """

    space: Space
    losses: np.ndarray
    chance: float

    @property
    def reached(self) -> float:
        """Mean loss of the last iterations."""
        return float(self.losses[-max(1, round(LAST * len(self.losses))) :].mean())


@dataclass(frozen=True, eq=False)
class Padded:
    """Bouts one after another, each with its ends repeated, so that every bin has a whole window.

    Attributes
    ----------
    rows : ndarray (places,)
        The bin at each place.
    first : ndarray (bins,)
        The place where each bin's window begins.
    field : int
        Places of a window. Of an even number there is one more before the bin than behind it, as
        in CEBRA.
    """

    rows: np.ndarray
    first: np.ndarray
    field: int

    def windows(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return windows (rows, field, units) of values (bins, units)."""
        return values[self.rows[self.first[rows, None] + np.arange(self.field)]]


def padded(bins: BoutBins, field: int) -> Padded:
    """Repeat the ends of each bout by half a window.

    Raises
    ------
    DataError
        A bout is shorter than the window.
    """
    before, behind = field // 2, field - field // 2 - 1
    rows, first, places = [], np.empty(len(bins), dtype=np.int64), 0
    for piece in bins.pieces:
        count = piece.stop - piece.start
        if count < field:
            raise DataError(
                f"A receptive field of {field} bins ({field * bins.width:g} s) is longer than "
                f"bout {bins.bout[piece.start]} ({count * bins.width:g} s); take it out of "
                "`embedding: spaces`, or lower `embedding: bin`."
            )
        around = np.arange(piece.start - before, piece.stop + behind)
        rows.append(np.clip(around, piece.start, piece.stop - 1))
        first[piece] = places + np.arange(count)
        places += len(around)
    return Padded(np.concatenate(rows), first, field)


def scaling(bins: BoutBins) -> Callable[[BoutBins], np.ndarray]:
    """Return a function that takes each unit's mean and SD out of activity (bins, units; float32).

    Both are of the bins given here; what was not observed is put at the mean.
    """
    mean, deviation = mean_and_scale(bins.activity)

    def scaled(other: BoutBins) -> np.ndarray:
        return np.nan_to_num((other.activity - mean) / deviation).astype(np.float32)

    return scaled


def train_cebra(
    bins: BoutBins, condition: str, field: int, recipe: Recipe, seed: int, name: str = ""
) -> TrainedCebra:
    """Train one of CEBRA's networks.

    Parameters
    ----------
    bins : BoutBins
        Those to train on, whole bouts.
    condition : str
        See `neuro2voc.contrast`.
    field : int
        Bins that the network sees; there has to be an ``offset<field>-model``.
    recipe : Recipe
    seed : int
        Of weights and batches.
    name : str
        For messages.

    Raises
    ------
    DataError
        See `window_rows` and `neuro2voc.contrast.batches`; or the loss is not finite.
    """
    import cebra.models  # takes seconds, which jobs that train nothing should not pay for

    device = choose_device(recipe.device)
    scaled, around = scaling(bins), padded(bins, field)
    activity = torch.from_numpy(scaled(bins)[around.rows]).to(device)
    first = torch.from_numpy(around.first).to(device)
    draw = batches(bins, condition, recipe.apart, recipe.nearby)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        model = cebra.models.init(
            f"offset{field}-model", activity.shape[1], recipe.units, DIMENSIONS
        ).to(device)
    *_, last, _, _ = model.net  # the last layer, then normalisation and the loss of an axis
    centring = last.register_forward_hook(_without_mean) if recipe.centred else None
    criterion = cebra.models.FixedCosineInfoNCE(recipe.temperature)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    losses = []
    for _ in range(recipe.iterations):
        reference, positives, negative = draw(recipe.batch, rng)
        drawn = torch.from_numpy(np.concatenate([reference, negative, *positives])).to(device)
        embedded = embed(model, activity, first[drawn], field).split(recipe.batch)
        reference, negative, *positives = embedded
        loss = sum(criterion(reference, positive, negative)[0] for positive in positives)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    if not np.isfinite(losses).all():
        raise DataError(
            f"{name}: the loss of CEBRA is not finite; lower `embedding: rate`, or raise "
            "`embedding: temperature`."
        )
    if centring is not None:
        centring.remove()
        _absorb_mean(model, last, activity, first, field)
    model = model.eval().cpu()

    def space(other: BoutBins, rows: np.ndarray) -> np.ndarray:
        around = padded(other, field)
        activity = torch.from_numpy(scaled(other)[around.rows])
        with torch.inference_mode():
            return embed(model, activity, torch.from_numpy(around.first[rows]), field).numpy()

    return TrainedCebra(space, np.array(losses), len(positives) * float(np.log(recipe.batch)))


def embed(
    model: torch.nn.Module, activity: torch.Tensor, first: torch.Tensor, field: int
) -> torch.Tensor:
    """Embed windows, in the cheaper of two ways.

    Windows that overlap share most of what convolutions compute. Where they hold more bins than
    there are, passing over everything once costs less, and gives the same numbers.

    Parameters
    ----------
    model : Module
        One of CEBRA's.
    activity : Tensor (places, units)
    first : Tensor (windows,)
        Where each window begins.
    field : int
    """
    if field > 1 and len(first) * field > len(activity):
        return model(activity.T[None])[0].T[first]
    places = first[:, None] + torch.arange(field, device=first.device)
    return model(activity[places].transpose(1, 2))


def _without_mean(layer: torch.nn.Module, given: tuple, made: torch.Tensor) -> torch.Tensor:
    """Take out the mean over all windows, as a hook of the last layer.

    Otherwise the first iterations put all bins into one place, where InfoNCE is at chance and flat;
    to leave it takes hundreds of iterations, and some networks never do.
    """
    return made - made.mean(dim=(0, 2) if made.dim() == 3 else 0, keepdim=True)


def _absorb_mean(
    model: torch.nn.Module,
    last: torch.nn.Module,
    activity: torch.Tensor,
    first: torch.Tensor,
    field: int,
) -> None:
    """Put the mean over all bins trained on into the last layer's bias, where it stays."""
    outputs = []
    hook = last.register_forward_hook(lambda layer, given, made: outputs.append(made))
    with torch.no_grad():
        embed(model, activity, first, field)
        last.bias -= outputs[0].mean(dim=(0, 2) if outputs[0].dim() == 3 else 0)
    hook.remove()


def spread(points: np.ndarray) -> float:
    """Return how far points (n, dimensions) on the unit sphere part: 0 all in one, 1 all around."""
    return float(1 - (points.mean(axis=0, dtype=float) ** 2).sum())
