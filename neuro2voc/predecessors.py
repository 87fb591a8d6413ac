"""The same syllable in other company: what is decoded of a syllable and not of its neighbour.

In a stereotyped song whoever knows the preceding syllable knows this one, so neurons that still
respond to the former seem to know the latter. Here every trial is predicted by a model that never
saw its transition: to it, the neighbour is evidence for other syllables only.
"""

import logging
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from neuro2voc.baselines import duration_only, previous_syllable
from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds, sum_up
from neuro2voc.discriminant import cross_predict
from neuro2voc.features import make_features
from neuro2voc.nulls import cell_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import sung, used_trials

log = logging.getLogger(__name__)

LEAST = 5  # trials of a transition
LEVEL = 0.05
USUAL, OTHER = "usual", "other company"  # what models are trained on
END = "end"  # stands for the successor of a bout's last syllable
COLUMNS = ["trial", "fold", "context", "truth", "prediction"]


def successor(trials: pd.DataFrame) -> pd.Series:
    """Return the label of each trial's next syllable in the same bout, 'end' for the last.

    Parameters
    ----------
    trials : DataFrame
        All trials, decoded or not; see `neuro2voc.trials.make_trials`.

    Returns
    -------
    Series
        Indexed as `trials`; empty text for what lies inside another syllable or lasts no time.
    """
    outer = sung(trials)
    following = outer.groupby("bout")["label"].shift(-1).fillna(END)
    return following.reindex(trials.index, fill_value="")


def takes_part(trials: pd.DataFrame, context: str = "previous") -> np.ndarray:
    """Tell which trials can be asked for in other company (trials,).

    Those of transitions with at least 5 trials, of syllables with at least two such transitions;
    none where only one syllable has them.

    Parameters
    ----------
    trials : DataFrame
        Columns `label` and the one that `context` names.
    context : str
        'previous', or another column with the label of a neighbour.
    """
    size = trials.groupby(["label", context])["label"].transform("size")
    often = trials[size >= LEAST]
    contexts = often.groupby("label")[context].nunique()
    classes = contexts.index[contexts >= 2]
    if len(classes) < 2:
        return np.zeros(len(trials), dtype=bool)
    return ((size >= LEAST) & trials["label"].isin(classes)).to_numpy()


def leave_transition_out(
    X: np.ndarray,
    trials: pd.DataFrame,
    fold: np.ndarray,
    fit: Callable[[np.ndarray, pd.DataFrame], BaseEstimator],
    context: str = "previous",
) -> pd.DataFrame:
    """Predict every trial by a model fitted to the other folds without the trial's transition.

    A decoder that knows the neighbour and nothing else never says the right syllable. Only trials
    that `takes_part` names are trained on and predicted. One model is fitted for each fold and
    transition.

    Parameters
    ----------
    X : ndarray (trials, columns)
    trials : DataFrame
        trial, label, the column that `context` names, and what `fit` needs; one row per row of `X`.
    fold : ndarray (trials,)
        -1: neither trained on nor predicted.
    fit : callable
        ``fit(X, trials)`` returns a fitted classifier; see `neuro2voc.decoding.fixed_fit`.
    context : str
        'previous', so that transitions are (neighbour, syllable), or the column of any other
        neighbour.

    Returns
    -------
    DataFrame
        trial, fold, context, truth, prediction, in time order; empty where no trial takes part. A
        trial is missing where the training folds hold its syllable in no other company.
    """
    part = fold != NONE
    part[part] = takes_part(trials[part], context)
    label, neighbour = trials["label"].to_numpy(), trials[context].to_numpy()
    asked = trials.loc[part, ["label", context]].assign(fold=fold[part]).drop_duplicates()
    frames = []
    for name, before, now in asked.itertuples(index=False):
        transition = (label == name) & (neighbour == before)
        train = part & (fold != now) & ~transition
        if not (train & (label == name)).any() or len(np.unique(label[train])) < 2:
            continue
        test = part & (fold == now) & transition
        model = fit(X[train], trials[train])
        columns = [trials["trial"].to_numpy()[test], now, before, name, model.predict(X[test])]
        frames.append(pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(frames).sort_values("trial", ignore_index=True)


def predecessor_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    features: list[str],
    windows: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode syllables by models that know their transition, and by models that do not.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
        See `neuro2voc.trials.make_trials` and `neuro2voc.splits.make_split`.
    features : list of str
        What a linear discriminant sees. It cannot see tfidf, whose weighing is a fitted step.
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its surrogates and bootstrap.

    Returns
    -------
    DataFrame
        A row per feature and training, all on the same trials: feature ('previous' and 'duration'
        see no neuron), training ('usual' or 'other company'), what `neuro2voc.evaluation.summary`
        returns, n_transitions, recall_<label>… and, of neurons in other company, null_mean,
        null_low, null_high, null_replicates, p, smallest_effect (missing without surrogates) and
        verdict. No row where no trial takes part.
    """
    used = used_trials(trials, recording.name)
    fold = outer_folds(used, split)
    names = [name for name in features if name != "tfidf"]
    frames = _without_neurons(used, fold)
    asked = frames["previous", OTHER]
    if asked.empty:
        return pd.DataFrame(columns=["feature", "training"])
    for name, X in make_features(recording, used, names, windows).items():
        frames |= _with_neurons(name, X, used, fold)
        log.info("%s: decoded", name)
    null = _null_scores(recording, trials, split, names, windows, protocol)
    transitions = len(asked[["context", "truth"]].drop_duplicates())
    rows = []
    for (name, training), frame in frames.items():
        frame = frame[frame["trial"].isin(asked["trial"])]
        hits = (frame["truth"] == frame["prediction"]).groupby(frame["truth"]).mean()
        row = {"feature": name, "training": training}
        row |= sum_up(frame, used, protocol.resamples, protocol.seed)
        row |= {"n_transitions": transitions} | hits.add_prefix("recall_").to_dict()
        rows.append(row | cell_beside_null(row, null.get(name) if training == OTHER else None))
    return _with_verdicts(pd.DataFrame(rows))


def _with_neurons(name: str, X: np.ndarray, used: pd.DataFrame, fold: np.ndarray) -> dict:
    """Predictions by discriminants of the same classes that know a transition, and do not."""
    part = fold != NONE
    part[part] = takes_part(used[part])
    own = used[part]
    labels, code = np.unique(own["label"].to_numpy(dtype=str), return_inverse=True)
    transition = own.groupby(["label", "previous"]).ngroup().to_numpy()
    said = {
        (name, USUAL): cross_predict(X[part], code, fold[part]),
        (name, OTHER): cross_predict(X[part], code, fold[part], transition),
    }
    return {
        key: pd.DataFrame(
            {
                "trial": own["trial"].to_numpy()[prediction >= 0],
                "truth": labels[code[prediction >= 0]],
                "prediction": labels[prediction[prediction >= 0]],
            }
        )
        for key, prediction in said.items()
    }


def _without_neurons(used: pd.DataFrame, fold: np.ndarray) -> dict:
    """The same by what sees no neuron; empty where no trial takes part."""
    part = fold != NONE
    part[part] = takes_part(used[part])
    duration = (used["offset"] - used["onset"]).to_numpy()[:, None]
    frames = {}
    for name, model, X in (
        ("previous", previous_syllable(), used[["previous"]].to_numpy(dtype=object)),
        ("duration", duration_only(), duration),
    ):
        fit = fixed_fit(model)
        frames[name, OTHER] = leave_transition_out(X, used, fold, fit)
        if part.any():
            frames[name, USUAL] = cross_decode(X[part], used[part], fold[part], fit)
    return frames


def _null_scores(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    names: list[str],
    windows: Mapping,
    protocol: Protocol,
) -> dict[str, list[float]]:
    """Balanced accuracies of shifted birds in other company, by feature."""
    null: dict[str, list[float]] = {name: [] for name in names}
    for bird, used in shifted_birds(recording, trials, protocol):
        fold = outer_folds(used, split)
        for name, X in make_features(bird, used, names, windows).items():
            frame = _with_neurons(name, X, used, fold)[name, OTHER]
            null[name].append(sum_up(frame, used, 1, protocol.seed)["balanced_accuracy"])
    return null


def _with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Judge what neurons say of a syllable in other company.

    'stands': p is at most 0.05, and the interval lies above all surrogates, above chance and, for
    whole syllables, above duration alone. 'duration': all of it but the last. Else 'not told'
    (pandas would read 'null' as missing); 'unjudged' without surrogates.
    """
    other = table[table["training"] == OTHER].set_index("feature")["balanced_accuracy"]

    def verdict(row: pd.Series) -> str:
        if row["training"] == USUAL or row["feature"] in ("previous", "duration"):
            return ""
        if np.isnan(row.get("p", np.nan)):
            return "unjudged"
        if not (row["p"] <= LEVEL and row["low"] > max(row["null_high"], row["chance"])):
            return "not told"
        whole = row["feature"] in WHOLE_SYLLABLE_FEATURES
        return "duration" if whole and row["low"] <= other["duration"] else "stands"

    return table.assign(verdict=[verdict(row) for _, row in table.iterrows()])
