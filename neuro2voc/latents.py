"""What latents of activity and voice have in common, in a picture and in numbers without it.

Both are latents of one joint autoencoder, each made of its modality alone, on bouts that neither it
nor any decoder was trained on. Latents of different folds lie in different spaces: numbers are
worked out fold by fold, and the picture is of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from neuro2voc.errors import DataError
from neuro2voc.evaluation import summary
from neuro2voc.frames import Frames
from neuro2voc.joint_vae import joint_latents
from neuro2voc.latent_decoding import NEIGHBOURS, decoded_rows, make_classifier
from neuro2voc.networks.joint_vae import JointVAE
from neuro2voc.neural_windows import WindowSettings, make_windows
from neuro2voc.recording import Recording
from neuro2voc.sound_identity import syllable_of_frames
from neuro2voc.sound_windows import levels_from, whole_rows

NEURAL, VOCAL = "neural", "vocal"
# Trained on the first, tested on the second.
PATHS = ((NEURAL, NEURAL), (VOCAL, VOCAL), (VOCAL, NEURAL))
MOST = 1500  # windows of each modality that are drawn; more hide one another


@dataclass(frozen=True, eq=False)
class PairedLatents:
    """Latents of windows within syllables.

    Attributes
    ----------
    neural, vocal : dict of ndarray (windows, latents)
        By fold, of the autoencoder that never saw it.
    label, bout, fold : ndarray (windows,)
    """

    neural: Mapping[int, np.ndarray]
    vocal: Mapping[int, np.ndarray]
    label: np.ndarray
    bout: np.ndarray
    fold: np.ndarray

    def of(self, modality: str, fold: int) -> np.ndarray:
        """Return the latents of one modality."""
        return (self.neural if modality == NEURAL else self.vocal)[fold]


def make_latents(
    models: Mapping[str, JointVAE],
    settings: WindowSettings,
    recording: Recording,
    frames: Frames,
    trials: pd.DataFrame,
    split: pd.DataFrame,
) -> PairedLatents:
    """Return the latents of activity alone and of the voice alone.

    Parameters
    ----------
    models : mapping of JointVAE
        By fold; see `neuro2voc.joint_vae.read_joint_vaes`.
    settings : WindowSettings
        Those that they were trained with.

    Raises
    ------
    DataError
        No window lies within a syllable.
    """
    windows = make_windows(recording, frames, settings)
    middle = windows.hops // 2
    label, trial = syllable_of_frames(frames, trials)
    fold = frames.folds(split)
    rows = decoded_rows(frames, trial, fold)
    rows = rows[np.isin(rows - middle, whole_rows(frames, windows.hops))]
    if len(rows) <= NEIGHBOURS:
        raise DataError(
            f"{recording.name} has {len(rows)} windows within syllables, too few to look for "
            f"{NEIGHBOURS} neighbours; give more bouts, or shorten `window` of `neural_vae`."
        )
    level = levels_from(frames, rows - middle, windows.hops)
    return PairedLatents(
        {int(name): joint_latents(one, windows.count[rows]) for name, one in models.items()},
        {int(name): joint_latents(one, None, level) for name, one in models.items()},
        label[rows],
        frames.piece[rows],
        fold[rows],
    )


def neighbour_table(latents: PairedLatents, resamples: int, seed: int) -> pd.DataFrame:
    """Decode held-out windows by their nearest neighbours among those of the other folds.

    Returns
    -------
    DataFrame
        trained, tested (modalities) and the measures of `neuro2voc.evaluation.summary`, whose
        trials are windows.
    """
    rows = []
    for trained, tested in PATHS:
        prediction = np.empty(len(latents.label), dtype=object)
        for outer in np.unique(latents.fold):
            test = latents.fold == outer
            model = make_classifier("neighbours")
            model.fit(latents.of(trained, outer)[~test], latents.label[~test])
            prediction[test] = model.predict(latents.of(tested, outer)[test])
        frame = pd.DataFrame({"truth": latents.label, "prediction": prediction})
        about = {"trained": trained, "tested": tested}
        rows.append({**about, **summary(frame, latents.bout, resamples, seed)})
    return pd.DataFrame(rows)


def mixing(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of nearest neighbours that are of the other kind.

    Parameters
    ----------
    first, second : ndarray (n, latents)
        Latents of the same windows from two modalities.

    Returns
    -------
    float
        Near 0.5 where both kinds lie among one another, 0 where they lie apart.
    """
    both = np.concatenate([first, second])
    kind = np.repeat([0, 1], [len(first), len(second)])
    neighbours = min(NEIGHBOURS, len(both) - 1)
    near = NearestNeighbors(n_neighbors=neighbours).fit(both).kneighbors(return_distance=False)
    return float((kind[near] != kind[:, None]).mean())


def matched(neural: np.ndarray, vocal: np.ndarray) -> float:
    """Return how often a window's own sound is nearer to its activity than another window's.

    Returns
    -------
    float
        Share of all other windows, averaged over windows; 0.5 is chance.
    """
    distance = ((neural[:, None] - vocal[None]) ** 2).sum(-1)
    own = np.diagonal(distance)[:, None]
    farther = (distance > own).sum(1) + 0.5 * ((distance == own).sum(1) - 1)
    return float((farther / (len(neural) - 1)).mean())


def space_table(latents: PairedLatents) -> pd.DataFrame:
    """Return fold, mixing, matched and n_windows of the held-out windows of each fold."""
    rows = []
    for outer in np.unique(latents.fold):
        test = latents.fold == outer
        pair = latents.of(NEURAL, outer)[test], latents.of(VOCAL, outer)[test]
        about = {"fold": outer, "mixing": mixing(*pair), "matched": matched(*pair)}
        rows.append({**about, "n_windows": int(test.sum())})
    return pd.DataFrame(rows)


def pictured(latents: PairedLatents, seed: int) -> pd.DataFrame:
    """Lay the held-out windows of the first fold out in a plane (UMAP, McInnes et al. 2018).

    The same on every run: one thread, and a seed for what is drawn at random.

    Returns
    -------
    DataFrame
        x, y, modality, label.
    """
    # Imported here, since it takes as long as all else.
    from umap import UMAP

    outer = int(latents.fold.min())
    rows = np.flatnonzero(latents.fold == outer)
    rows = rows[:: -(-len(rows) // MOST)]
    both = np.concatenate([latents.of(kind, outer)[rows] for kind in (NEURAL, VOCAL)])
    neighbours = min(NEIGHBOURS, len(both) - 1)
    plane = UMAP(n_neighbors=neighbours, random_state=seed % 2**32, n_jobs=1).fit_transform(both)
    return pd.DataFrame(
        {
            "x": plane[:, 0],
            "y": plane[:, 1],
            "modality": np.repeat([NEURAL, VOCAL], len(rows)),
            "label": np.tile(latents.label[rows], 2),
        }
    )
