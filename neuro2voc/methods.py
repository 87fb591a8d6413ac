"""The paragraph for a paper's methods section, written from what was done."""

import math
from collections.abc import Mapping
from importlib.metadata import version
from platform import python_version

import pandas as pd

from neuro2voc import __version__
from neuro2voc.configuration import NETWORKS as ON_BINS
from neuro2voc.configuration import SEQUENCES as ON_TOKENS
from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.recording import Recording, Units

LIBRARIES = (
    "numpy",
    "pandas",
    "numba",
    "scikit-learn",
    "xgboost",
    "torch",
    "snakemake",
    "pynwb",
)
FEATURES = {
    "count": "spike counts of the whole syllable",
    "rate": "mean rates of the whole syllable",
    "tfidf": "TF-IDF weighted spike counts of the whole syllable",
}
DECODERS = {
    "logistic": "multinomial logistic regression with an L2 penalty",
    "svm": "a support vector machine with a radial kernel",
    "xgboost": "gradient-boosted trees (XGBoost)",
    "forest": "a random forest",
    "bayes": "Gaussian naive Bayes",
    "lda": "linear discriminant analysis with shrunken covariance (OAS)",
}
NETWORKS = {
    "lstm": "a recurrent network (LSTM)",
    "eegnet": "a compact convolutional network (EEGNet)",
    "cnn_lstm": "convolution beside recurrence (CNN-LSTM)",
    "mamba2_bins": "a state-space network (Mamba-2)",
    "gpt2": "a transformer (GPT-2)",
    "mamba2": "a state-space network (Mamba-2)",
    "hybrid": "layers of Mamba-2 and of attention",
    "mamba": "a state-space network (Mamba)",
}
TOKENS = {
    "spatial": "one population pattern per tick",
    "temporal": "the ticks of one unit after another",
    "spatial_rm0": "one population pattern per tick, empty ticks left out",
    "aggregated": "one population pattern per group of ticks",
    "events": "who fires and the gaps between, in time order",
}
SPLITS = {
    "blocked": "contiguous blocks of whole song bouts",
    "random": "single trials drawn at random (which lets trials of one bout lie on both sides)",
    "session": "whole recording sessions",
}
SURROGATES = {
    "shifted": "spikes of each session shifted in a circle against the song by a random lag",
    "shuffled": "labels permuted within session",
    "poisson": "every unit replaced by an independent Poisson process of the same rate",
    "independent": "each unit's trials permuted within syllable class, session and fold",
}


def methods_paragraph(
    recording: Recording,
    inclusion: pd.DataFrame,
    trials: pd.DataFrame,
    comparison: pd.DataFrame,
    config: Mapping,
) -> str:
    """Write what was done and found in sentences that can be pasted into a paper.

    Parameters
    ----------
    recording : Recording
        With all its units.
    inclusion, trials, comparison : DataFrame
        See `neuro2voc.inclusion.inclusion_table`, `neuro2voc.trials.make_trials`,
        `neuro2voc.comparison.comparison_table`.
    config : mapping
        What the bird was decoded with: splits, folds, inner_folds, guard, bout_gap, windows,
        features, decoders, null_band, replicates, bootstrap.
    """
    return "\n\n".join(
        [
            _data(recording, inclusion, trials, config),
            _decoding(config),
            _judgement(comparison, config),
            _versions(recording),
        ]
    )


def _data(
    recording: Recording, inclusion: pd.DataFrame, trials: pd.DataFrame, config: Mapping
) -> str:
    used = trials[trials["used"] == 1]
    kept = inclusion[inclusion["included"] == 1]
    kind = "Simulated data (no animal): " if recording.simulated else ""
    what = "units" if isinstance(recording.units, Units) else "channels of binned activity"
    spikes = kept["spikes"].sum()
    qualities = kept["quality"].value_counts()
    by_quality = "".join(f"{count} {name}, " for name, count in qualities.items())
    fired = f"{spikes:,.0f} spikes" if spikes else ""
    of_which = f" ({(by_quality + fired).removesuffix(', ')})" if by_quality or fired else ""
    counts = used["label"].value_counts().sort_index()
    by_label = ", ".join(f"{name} {count}" for name, count in counts.items())
    seconds = (recording.sessions["stop_time"] - recording.sessions["start_time"]).sum()
    dropped = inclusion.loc[inclusion["included"] == 0, "reason"].value_counts()
    because = "; ".join(f"{count} for {why}" for why, count in dropped.items())
    left_out = f" {len(inclusion) - len(kept)} were dropped ({because})." if len(dropped) else ""
    aside = trials.loc[trials["used"] == 0, "note"].value_counts()
    noted = "; ".join(f"{count}: {why}" for why, count in aside.items())
    set_aside = f" Of {len(trials)} labelled sounds {aside.sum()} were set aside ({noted})."
    sessions = _number(len(recording.sessions), "session")
    return (
        f"{kind}{len(kept)} {what}{of_which} were recorded in {sessions} of together "
        f"{seconds / 60:.1f} min.{left_out} Decoded were {len(used)} renditions of {len(counts)} "
        f"syllables ({by_label}) in {used['bout'].nunique()} bouts, of which a new one began after "
        f"a silence longer than {config['bout_gap']:g} s.{set_aside if len(aside) else ''}"
    )


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _decoding(config: Mapping) -> str:
    features = [
        FEATURES.get(name) or _window(config["windows"][name]) for name in config["features"]
    ]
    decoders = [DECODERS[name] for name in config["decoders"]]
    splits = [_split(name, config) for name in config["splits"]]
    duration = (
        " Whole-syllable features carry the syllable's duration whether or not neurons do, and are "
        "compared with a decoder that knows nothing else."
        if set(config["features"]) & set(WHOLE_SYLLABLE_FEATURES)
        else ""
    )
    return (
        f"Syllables were decoded from {_list(features)} with {_list(decoders)}; classes were "
        f"weighed equally.{duration} Trials were held out in turn as {_list(splits, 'or')}. "
        f"All fitted steps, imputation and scaling included, were fitted "
        f"within the training folds, and hyperparameters chosen there on {config['inner_folds']} "
        f"inner folds made the same way.{_networks(config)}"
    )


def _networks(config: Mapping) -> str:
    networks = config["networks"]
    splits = [name for name in networks["splits"] if name in config["splits"]]
    binned = [name for name in networks["decoders"] if name in ON_BINS]
    tokens = [name for name in networks["decoders"] if name in ON_TOKENS]
    if not splits or not (binned or tokens):
        return ""
    said = ""
    if binned:
        features = [_window(config["windows"][name]) for name in networks["features"]]
        said += f" {_names(binned)} decoded {_list(features)}{_grid(config['grid'])}."
    if tokens:
        schemes = [TOKENS[name] for name in config["sequences"]["schemes"]]
        window = config["windows"][config["tokens"]["window"]]
        start, stop = 1e3 * window["start"], 1e3 * window["stop"]
        said += (
            f" {_names(tokens)} decoded the spikes from {start:g} to {stop:g} ms around the "
            f"syllable's {window['align']} written as tokens ({_list(schemes)}; ticks of "
            f"{1e3 * config['tokens']['tick']:g} ms), vocabularies learnt in the training folds."
        )
    return (
        f"{said} Networks decoded under the split {_list(splits)}; AdamW trained them until the "
        f"loss on an inner fold no longer fell ({_schedules([*binned, *tokens], config)}), and the "
        "probabilities of the networks that different inner folds stopped were averaged."
    )


def _names(networks: list[str]) -> str:
    names = _list([NETWORKS[name] for name in networks])
    return f"{names[0].upper()}{names[1:]}"


def _grid(grid: Mapping) -> str:
    cells = [max(1, len(grid[name])) for name in ("before", "after", "smoothing")]
    if max(cells) == 1:
        return ""
    return (
        f", of which each fold chose its beginning, end and smoothing among {math.prod(cells)} "
        "combinations by the first inner fold"
    )


def _schedules(networks: list[str], config: Mapping) -> str:
    """Write how each network was trained, those alike together."""
    alike: dict[str, list[str]] = {}
    for name in networks:
        training = {**config["training"], **config[name].get("training", {})}
        said = (
            f"steps of {training['batch']} trials, highest rate {training['rate']:g}, weight decay "
            f"{training['decay']:g}, at most {training['epochs']} epochs, patience "
            f"{training['patience']}"
        )
        alike.setdefault(said, []).append(name)
    return "; ".join(f"{', '.join(names)}: {said}" for said, names in alike.items())


def _split(name: str, config: Mapping) -> str:
    if name == "session":  # one fold each, however many there are
        return SPLITS[name]
    guard = f", without {config['guard']:g} s around the boundaries" if name == "blocked" else ""
    return f"{SPLITS[name]}, {config['folds']} folds{guard}"


def _window(window: Mapping) -> str:
    step = f" every {1e3 * window['step']:g} ms" if "step" in window else ""
    start, stop = 1e3 * window["start"], 1e3 * window["stop"]
    return (
        f"spike counts in bins of {1e3 * window['bin']:g} ms{step} from {start:g} to {stop:g} ms "
        f"around the syllable's {window['align']}"
    )


def _list(parts: list[str], last: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])}; {last} {parts[-1]}"


def _judgement(comparison: pd.DataFrame, config: Mapping) -> str:
    cells = comparison[comparison["null_mean"].notna()]
    null = config["null_band"]
    text = (
        "Accuracy is balanced over syllables, with 95 % percentile intervals from "
        f"{config['bootstrap']} resamplings of whole bouts, and information is corrected for "
        f"limited sampling (Panzeri & Treves 1996)."
    )
    if cells.empty:
        return text
    text += (
        f" Each decoding was repeated on {_replicates(cells, config)} surrogates "
        f"({SURROGATES[null['surrogate']]}), and p is the share of these, the data included, that "
        "did as well."
    )
    split = "blocked" if (cells["split"] == "blocked").any() else cells["split"].iat[0]
    cells = cells[cells["split"] == split]
    order = {name: place for place, name in enumerate(config["features"])}
    cells = cells.sort_values("feature", key=lambda names: names.map(order), kind="stable")
    found = [_found(row) for row in cells.itertuples()]
    first = cells.iloc[0]
    return (
        f"{text} Held out as {split}, {first['n_trials']:.0f} trials of {first['n_bouts']:.0f} "
        f"bouts gave (chance {first['chance']:.3f}, previous syllable alone "
        f"{first['previous']:.3f}) {'; '.join(found)}. "
        "A least rise is the smallest one above the null's mean that these bouts would show at 5 % "
        "with 80 % power; to stand above the preceding syllable, and of whole syllables above "
        "duration, takes more wherever these lie higher."
    )


def _replicates(cells: pd.DataFrame, config: Mapping) -> str:
    """Write how many surrogates there were, those of networks apart where they differ."""
    networks = config["networks"]
    if not cells["decoder"].isin(networks["decoders"]).any():
        return str(config["replicates"])
    if networks["replicates"] == config["replicates"]:
        return str(config["replicates"])
    return f"{config['replicates']} (networks: {networks['replicates']})"


def _found(row: tuple) -> str:
    """Write what one decoder made of one feature, with what it has to be seen beside."""
    least = row.smallest_effect
    beside = [
        f"{row.low:.3f} to {row.high:.3f}",
        f"null {row.null_mean:.3f}, p = {row.p:.3g}",
        f"least rise {least:.3f}" if least == least else "least rise unknown",
    ]
    if row.feature in WHOLE_SYLLABLE_FEATURES:
        beside.append(f"duration alone {row.duration:.3f}")
    return f"{row.feature}, {row.decoder}: {row.balanced_accuracy:.3f} ({'; '.join(beside)})"


def _versions(recording: Recording) -> str:
    names = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    control = (
        f" This bird is a control: a '{recording.surrogate}' surrogate of {recording.parent}."
        if recording.surrogate
        else ""
    )
    return f"Analyses: neuro2voc {__version__} on Python {python_version()}, with {names}.{control}"
