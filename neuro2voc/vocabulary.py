"""Vocabularies: which sequences of symbols are one token, learnt by byte-pair encoding.

Fitted on the training trials of a fold, since what is frequent in a held-out trial is not to be
known. Every single symbol is a token, so that anything can be written, seen before or not.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from neuro2voc.errors import DataError
from neuro2voc.files import write_json
from neuro2voc.token_schemes import EVENTS, Scheme

# Read by the library whenever it could start threads.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

PAD, BEGIN = 0, 1
SPECIAL = ("<pad>", "<begin>")
FIRST = len(SPECIAL)  # id of symbol 0; symbol i is the token FIRST + i of any vocabulary
LEAST = 2  # times that a pair has to occur: what occurs once is no rule
BATCH = 64  # trials handed over at a time: the library needs some 200 bytes for each symbol
PRIVATE = 0xF0000  # where Unicode begins to have characters without a meaning of their own


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens of one bird's symbols.

    Attributes
    ----------
    scheme : Scheme
    unit : tuple of str
        The units' names, in the order of symbols.
    tokenizer : tokenizers.Tokenizer, optional
        None: each symbol is a token.
    """

    scheme: Scheme
    unit: tuple[str, ...]
    tokenizer: Tokenizer | None = None

    pad = PAD
    begin = BEGIN

    @cached_property
    def size(self) -> int:
        """Number of tokens, with the two that stand for padding and for a beginning."""
        if self.tokenizer is None:
            return FIRST + self.scheme.alphabet
        return self.tokenizer.get_vocab_size()

    @cached_property
    def tokens(self) -> list[np.ndarray]:
        """The symbols that each token stands for; none for padding and beginning."""
        none = np.zeros(0, dtype=self.scheme.dtype)
        if self.tokenizer is None:
            return [none, none, *np.arange(self.scheme.alphabet, dtype=self.scheme.dtype)[:, None]]
        texts = map(self.tokenizer.id_to_token, range(FIRST, self.size))
        return [none, none, *(_symbols(self.scheme, text) for text in texts)]

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        """Return one trial's tokens (tokens,), int32."""
        return self.encode_all([symbols])[0]

    def encode_all(self, trials: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Return the tokens of trials, one int32 array each.

        Parameters
        ----------
        trials : iterable of ndarray
            Symbols of trials, for example a `neuro2voc.tokens.Corpus`.
        """
        if self.tokenizer is None:
            return [trial.astype(np.int32) + FIRST for trial in trials]
        tokens = []
        for batch in _batches(as_text(self.scheme, trial) for trial in trials):
            found = self.tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            tokens += [np.array(one.ids, dtype=np.int32) for one in found]
        return tokens

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """Return the symbols that tokens stand for; padding and beginning stand for none.

        Raises
        ------
        DataError
            If there is no such token.
        """
        tokens = np.asarray(tokens)
        if len(tokens) and not (0 <= tokens.min() and tokens.max() < self.size):
            raise DataError(
                f"there are tokens from {tokens.min()} to {tokens.max()}, and the vocabulary has "
                f"those from 0 to {self.size - 1}; decode them with the one that wrote them."
            )
        none = np.zeros(0, dtype=self.scheme.dtype)
        return np.concatenate([none, *(self.tokens[token] for token in tokens.tolist())])

    def require(self, scheme: Scheme, unit: Sequence[str], name: str) -> None:
        """Refuse symbols that this vocabulary is not of.

        Parameters
        ----------
        scheme : Scheme
            Windows may differ in length.
        unit : sequence of str
        name : str
            What the vocabulary is called in the message.

        Raises
        ------
        DataError
            If the scheme or the units are others.
        """
        mine, theirs = ((s.name, s.tick, s.width) for s in (self.scheme, scheme))
        if mine != theirs:
            raise DataError(
                f"{name} is a vocabulary of the scheme '{mine[0]}' in ticks of {mine[1]:g} s, "
                f"{mine[2]} put together, and the tokens are '{theirs[0]}' in ticks of "
                f"{theirs[1]:g} s, {theirs[2]} put together; fit one on these."
            )
        if tuple(unit) != self.unit:
            strange = [u for u in unit if u not in self.unit]
            which = (
                f"{strange[0]} is not among its own"
                if strange
                else "they have to be the same in order"
            )
            raise DataError(
                f"{name} is a vocabulary of another bird or of other units: it has "
                f"{len(self.unit)} units and the tokens {len(unit)}; {which}; fit one on these "
                "units."
            )


def fit_vocabulary(
    trials: Iterable[np.ndarray], scheme: Scheme, unit: Sequence[str], size: int
) -> Vocabulary:
    """Learn a vocabulary by byte-pair encoding (Sennrich et al. 2016, ACL).

    Pairs of tokens become tokens, the commonest first, as long as they occur twice. A bit pattern
    never merges with its neighbour.

    Parameters
    ----------
    trials : iterable of ndarray
        Symbols of the training trials; their order does not matter.
    scheme : Scheme
    unit : sequence of str
    size : int
        Most tokens, symbols, padding and beginning among them, all of which there are in any case.
        0: each symbol is a token.
    """
    if size == 0:
        return Vocabulary(scheme, tuple(unit))
    tokenizer = Tokenizer(models.BPE())
    if scheme.name != EVENTS:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\|"), "merged_with_next")
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=LEAST,
        special_tokens=list(SPECIAL),
        initial_alphabet=list(as_text(scheme, np.arange(scheme.alphabet))),
        show_progress=False,
    )
    tokenizer.train_from_iterator((as_text(scheme, trial) for trial in trials), trainer)
    return Vocabulary(scheme, tuple(unit), tokenizer)


def write_vocabulary(vocabulary: Vocabulary, path: str | Path) -> None:
    """Write a vocabulary as JSON: scheme, unit, and the tokenizer as its library writes it."""
    write_json(vocabulary_to_json(vocabulary), path)


def vocabulary_to_json(vocabulary: Vocabulary) -> dict:
    """Return a vocabulary as what JSON holds."""
    own = vocabulary.tokenizer
    return {
        "scheme": asdict(vocabulary.scheme),
        "unit": list(vocabulary.unit),
        "tokenizer": None if own is None else json.loads(own.to_str()),
    }


def vocabulary_from_json(content: dict, name: str) -> Vocabulary:
    """Return the vocabulary that `vocabulary_to_json` returned.

    Parameters
    ----------
    content : dict
    name : str
        Where it was found, for the message.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        own = content["tokenizer"]
        tokenizer = None if own is None else Tokenizer.from_str(json.dumps(own))
        scheme = Scheme(**content["scheme"])
        vocabulary = Vocabulary(scheme, tuple(content["unit"]), tokenizer)
        if len(vocabulary.unit) != scheme.units:
            raise ValueError("it has not as many units as its scheme")
        if tokenizer is not None:
            _check_symbols(vocabulary)
    except Exception as error:  # the library knows no other kind
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name} is no vocabulary ({reason}); delete it and make it anew."
        ) from error
    return vocabulary


def _check_symbols(vocabulary: Vocabulary) -> None:
    """Check that every symbol is the token that it is in all vocabularies."""
    scheme = vocabulary.scheme
    symbols = as_text(scheme, np.arange(scheme.alphabet))
    ids = [vocabulary.tokenizer.token_to_id(token) for token in (*SPECIAL, *symbols)]
    if ids != list(range(FIRST + scheme.alphabet)):
        raise ValueError("its symbols are not those of its scheme")


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read what `write_vocabulary` wrote.

    Raises
    ------
    DataError
        The file is missing or is no vocabulary.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; make it, or correct the path.") from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is no vocabulary ({error}); delete it and make it anew."
        ) from error
    return vocabulary_from_json(content, str(path))


def as_text(scheme: Scheme, symbols: np.ndarray) -> str:
    """Return symbols as characters: 0, 1 and | of bits, characters for private use of events."""
    if scheme.name == EVENTS:
        return (symbols.astype("<u4") + PRIVATE).tobytes().decode("utf-32-le")
    return np.frombuffer(b"01|", dtype=np.uint8)[symbols].tobytes().decode("ascii")


def _symbols(scheme: Scheme, text: str) -> np.ndarray:
    """Return the symbols that `as_text` wrote."""
    if scheme.name == EVENTS:
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        return (codes - PRIVATE).astype(scheme.dtype)
    codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.searchsorted(np.frombuffer(b"01|", dtype=np.uint8), codes).astype(scheme.dtype)


def _batches(texts: Iterable[str]) -> Iterable[list[str]]:
    batch = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
