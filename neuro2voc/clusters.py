"""Clusters: how far syllables fall apart without anybody telling which is which.

A description without labels: nothing is trained to predict, so nothing is held out.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.evaluation import p_value
from neuro2voc.recording import Recording
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

PERMUTATIONS = 999
STARTS = 10  # of k-means, of which the best is kept


@dataclass(frozen=True)
class Clusters:
    """Trials in clusters, and how far these are syllables.

    Attributes
    ----------
    table : DataFrame
        trial, label, cluster (from 1), pc1, pc2.
    explained : tuple of float
        Part of the variance that each of the two components explains.
    rand : float
        Adjusted Rand index of clusters and labels: 1 if they are the same, 0 on average if they
        have nothing to do with each other (Hubert & Arabie 1985, J. Classif. 2:193).
    silhouette, label_silhouette : float
        Of the clusters, and of the labels; NaN where it is not defined.
    permuted : ndarray (permutations,)
        Adjusted Rand indices of labels permuted within session.
    shifted : ndarray (replicates,)
        Those of shifted surrogates; empty for a surrogate.
    p_permuted, p_shifted : float
        NaN without surrogates.
    """

    table: pd.DataFrame
    explained: tuple[float, float]
    rand: float
    silhouette: float
    label_silhouette: float
    permuted: np.ndarray
    shifted: np.ndarray
    p_permuted: float
    p_shifted: float


def equally_scaled(X: np.ndarray, feature: str) -> np.ndarray:
    """Return features (trials, columns) of equal weight; unobserved units take their mean."""
    X = SimpleImputer(keep_empty_features=True).fit_transform(X)
    if feature == "tfidf":
        X = TfidfTransformer().fit_transform(X).toarray()
    return StandardScaler().fit_transform(X)


def clustered(X: np.ndarray, number: int, seed: int) -> KMeans:
    """Fit k-means to standardised features (trials, columns)."""
    return KMeans(number, n_init=STARTS, random_state=seed % 2**32).fit(X)


def find_clusters(
    recording: Recording,
    trials: pd.DataFrame,
    feature: str,
    features_of: Callable,
    protocol: Protocol,
) -> Clusters:
    """Cluster trials, in as many clusters as there are syllables.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones are clustered.
    feature : str
    features_of : callable
        ``features_of(recording, used)`` returns features by name.
    protocol : Protocol
        Its seed and surrogates.
    """
    used = used_trials(trials, recording.name)
    label, session = used["label"].to_numpy(), used["session"].to_numpy()
    number = len(np.unique(label))
    X = equally_scaled(features_of(recording, used)[feature], feature)
    model = clustered(X, number, protocol.seed)
    rand = adjusted_rand_score(label, model.labels_)
    log.info("%s: adjusted Rand index %.3f", feature, rand)
    rng = np.random.default_rng(protocol.seed)
    permuted = [
        adjusted_rand_score(_permuted(label, session, rng), model.labels_)
        for _ in range(PERMUTATIONS)
    ]
    shifted = []
    for bird, own in shifted_birds(recording, trials, protocol):
        Z = equally_scaled(features_of(bird, own)[feature], feature)
        cluster = clustered(Z, number, protocol.seed).labels_
        shifted.append(adjusted_rand_score(own["label"], cluster))
    # A single column has no second component.
    components = PCA(min(2, X.shape[1]), random_state=0).fit(X)
    place = np.pad(components.transform(X), ((0, 0), (0, 2 - components.n_components_)))
    explained = [*components.explained_variance_ratio_, 0.0][:2]
    table = used[["trial", "label"]].assign(
        cluster=model.labels_ + 1, pc1=place[:, 0], pc2=place[:, 1]
    )
    return Clusters(
        table=table.reset_index(drop=True),
        explained=(float(explained[0]), float(explained[1])),
        rand=rand,
        silhouette=_silhouette(X, model.labels_),
        label_silhouette=_silhouette(X, label),
        permuted=np.array(permuted),
        shifted=np.array(shifted),
        p_permuted=p_value(rand, permuted),
        p_shifted=p_value(rand, shifted) if shifted else float("nan"),
    )


def _permuted(label: np.ndarray, session: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute labels within sessions."""
    label = label.copy()
    for name in np.unique(session):
        mine = session == name
        label[mine] = rng.permutation(label[mine])
    return label


def _silhouette(X: np.ndarray, cluster: np.ndarray) -> float:
    groups = len(np.unique(cluster))
    return float(silhouette_score(X, cluster)) if 1 < groups < len(X) else float("nan")


def cluster_table(clusters: Clusters) -> pd.DataFrame:
    """Return a row per trial, and the numbers beside the dots, the same in all rows."""
    return clusters.table.assign(
        adjusted_rand=clusters.rand,
        silhouette=clusters.silhouette,
        label_silhouette=clusters.label_silhouette,
        explained_pc1=clusters.explained[0],
        explained_pc2=clusters.explained[1],
        permuted_mean=clusters.permuted.mean(),
        permuted_low=clusters.permuted.min(),
        permuted_high=clusters.permuted.max(),
        p_permuted=clusters.p_permuted,
        shifted_mean=clusters.shifted.mean() if len(clusters.shifted) else np.nan,
        shifted_low=clusters.shifted.min(initial=np.inf),
        shifted_high=clusters.shifted.max(initial=-np.inf),
        p_shifted=clusters.p_shifted,
    ).replace([np.inf, -np.inf], np.nan)
