"""Writing recordings as NWB through pynwb, so that the same recording gives the same bytes."""

import os
import re
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from hdmf.build import Builder, GroupBuilder
from hdmf.common import VectorData, VectorIndex
from pynwb import NWBHDF5IO, H5DataIO, NWBFile, TimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.misc import Units as UnitsTable

from neuro2voc.errors import DataError
from neuro2voc.files import replacing
from neuro2voc.nwb_reading import about_of, check_parent
from neuro2voc.nwb_tables import text
from neuro2voc.recording import Audio, Binned, Recording, Spectrogram, Units

# Where no date is known; the same for every file, so that files are the same.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


def write_recording(
    recording: Recording,
    path: str | Path,
    *,
    audio: tuple[float, np.ndarray] | None = None,
    spectrogram: tuple[float, np.ndarray, np.ndarray | None] | None = None,
    description: str = "Neurons and song of one bird.",
    keywords: tuple[str, ...] = (),
    start_time: datetime = NO_DATE,
    subject: Mapping[str, str] | None = None,
) -> None:
    """Write a recording as NWB; the same recording gives the same bytes.

    Parameters
    ----------
    recording : Recording
        What to write. Without labels there is no table of syllables.
    path : str or Path
        The file; it is replaced whole or not at all.
    audio : tuple of float and numpy.ndarray, optional
        Sampling rate (Hz) and samples (n,) from time 0 on to store: int16 as they are, floats
        as int16 of the finest step that holds them. Without it, the recording's own `audio` is
        linked by a relative path, not copied.
    spectrogram : tuple of float, numpy.ndarray, numpy.ndarray or None, optional
        Frames per second (Hz), frames (n, bands) from time 0 on and the bands' frequencies (Hz),
        where they are known, to store. Without it, the recording's own `spectrogram` is linked.
    description : str
        One sentence on what was recorded.
    keywords : tuple of str
        Added to ``songbird`` and, for a simulated bird, ``simulated``.
    start_time : datetime
        When the recording began, with its time zone.
    subject : mapping of str to str, optional
        Overrides ``species``, ``sex``, ``age``, ``description``, ... of the NWB subject.

    Raises
    ------
    DataError
        If what is to be linked lies in the very file that is to be written.
    """
    path = Path(path)
    keywords = ("songbird", *(["simulated"] if recording.simulated else []), *keywords)
    nwb = _nwb_file(path.stem, keywords, description, start_time, subject or {})
    _add_units(nwb, recording.units)
    if len(recording.syllables):
        nwb.add_time_intervals(_syllables_table(recording.syllables))
    nwb.add_time_intervals(
        _intervals_table("sessions", "Times recorded in one go.", recording.sessions, ["session"])
    )
    sound, given = recording.audio, recording.spectrogram
    frequencies = given.frequencies if given is not None else None
    with ExitStack() as sources:
        if audio is not None:
            rate, samples = audio
            _add_series(nwb, "audio", "The sound.", rate=rate, **_int16(samples))
        elif sound is not None:
            _add_series(nwb, "audio", "The sound.", **_linked(sound, path, sources))
        meaning = "A spectrogram of the sound (frames, bands)."
        if spectrogram is not None:
            rate, frames, frequencies = spectrogram
            frames = _packed(np.asarray(frames, dtype=np.float32))
            _add_series(nwb, "spectrogram", meaning, rate=rate, data=frames)
        elif given is not None:
            _add_series(nwb, "spectrogram", meaning, **_linked(given, path, sources))
        if frequencies is not None:
            meaning = "Middle of each band of the spectrogram (Hz)."
            nwb.add_scratch(frequencies, name="spectrogram_frequencies", description=meaning)
        _write(nwb, path)


def _linked(source: Audio | Spectrogram, path: Path, sources: ExitStack) -> dict:
    """Return a series in another file as one of this; that stays open until `sources` closes."""
    if source.path.resolve() == path.resolve():
        raise DataError(f"{path} holds the sound that it would be linked to; write another file.")
    # Relative links are followed from real folders, so a linked results/ must not mislead.
    file = sources.enter_context(h5py.File(source.path.resolve(), "r"))
    data = file[source.series]["data"]
    scale = {"conversion": source.conversion, "offset": source.offset}
    return {"data": data, "rate": source.rate, "starting_time": source.start_time, **scale}


def _add_series(nwb: NWBFile, name: str, description: str, **series: object) -> None:
    """Add a series to what was acquired; it begins at time 0 unless `starting_time` says else."""
    series = {"unit": "a.u.", "starting_time": 0.0} | series
    nwb.add_acquisition(TimeSeries(name=name, description=description, **series))


def write_surrogate(
    recording: Recording,
    path: str | Path,
    *,
    parent: str,
    kind: str,
    replicate: int,
    changed: str,
) -> None:
    """Write what a surrogate changed, and the name of the file that holds all the rest.

    Parameters
    ----------
    recording : Recording
        The changed recording.
    path : str or Path
        The file, in the parent's folder.
    parent : str
        The name of the parent's file, without a folder.
    kind : str
        The kind of surrogate, for example ``shifted``.
    replicate : int
        Its number, from 1.
    changed : {'units', 'syllables'}
        What to store.

    Raises
    ------
    DataError
        If `parent` names a folder or a surrogate.
    """
    path = Path(path)
    check_parent(parent, path)
    if "~" in parent:
        raise DataError(
            f"{parent} is a surrogate, and {path} cannot be a surrogate of it; name its parent."
        )
    description = f"Surrogate '{kind}', replicate {replicate}, of {parent}: its {changed}."
    keywords = ("songbird", *(["simulated"] if recording.simulated else []), "surrogate")
    about = about_of(path.with_name(parent))
    nwb = _nwb_file(path.stem, keywords, **(about | {"description": description}))
    notes = {"of": (parent, "The file in the same folder that holds all that is not here.")}
    notes["kind"] = (kind, "How the parent was changed.")
    notes["replicate"] = (replicate, "Number of this surrogate among those of its kind.")
    for key, (value, meaning) in notes.items():
        nwb.add_scratch(value, name=f"surrogate_{key}", description=meaning)
    if changed == "units":
        _add_units(nwb, recording.units)
    elif changed == "syllables":
        nwb.add_time_intervals(_syllables_table(recording.syllables))
    else:
        raise ValueError(f"changed is 'units' or 'syllables', not {changed!r}")
    _write(nwb, path)


def _nwb_file(
    identifier: str,
    keywords: tuple[str, ...],
    description: str,
    start_time: datetime,
    subject: Mapping[str, str],
) -> NWBFile:
    about = {
        "subject_id": re.sub(r"[/\s]", "-", identifier.split("~")[0]),
        "species": "Taeniopygia guttata",
        "sex": "U",
        "age": "P0D/",  # NWB asks for one; "from birth on" is true where none is known
        "description": "A bird.",
    }
    if "simulated" in keywords:  # as simulated: an adult, whose song has crystallised
        about |= {"age": "P90D/", "description": "A simulated bird."}
    return NWBFile(
        session_description=description,
        experiment_description=description,
        identifier=identifier,
        session_start_time=start_time,
        file_create_date=start_time,
        keywords=list(keywords),
        subject=Subject(**(about | dict(subject))),
    )


def _column(name: str, description: str, values: object) -> VectorData:
    """Return a column; a long one in compressed pieces, numbers first shuffled by byte."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        values = [text(v) for v in values]
    elif values.size > 100_000:
        values = _packed(values)
    return VectorData(name=name, description=description, data=values)


def _packed(values: np.ndarray) -> H5DataIO:
    """Return an array to be stored in pieces of 2^17 rows, shuffled by byte and compressed."""
    chunks = (min(len(values), 1 << 17), *values.shape[1:])
    return H5DataIO(values, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True)


def _ragged_columns(
    name: str, description: str, rows: tuple[np.ndarray, ...], empty: tuple
) -> list:
    """Return a ragged column's index and its values, written whole and read at the disk's speed."""
    values = np.concatenate([np.zeros(empty), *rows])
    stops = np.cumsum([len(r) for r in rows]).astype(np.uint64)
    column = VectorData(name=name, description=description, data=values)
    return [VectorIndex(name=f"{name}_index", data=stops, target=column), column]


def _add_units(nwb: NWBFile, units: Units | Binned) -> None:
    """Add the table of units and, for activity in bins, its series and notes where and what it is.

    The spike times of units whose activity is a series are events found in it.
    """
    nwb.units = _units_table(units)
    if isinstance(units, Units):
        return
    kind = "counts" if units.additive else "levels"
    values = np.asarray(units.values, dtype=np.float32)
    module = nwb.create_processing_module("misc", "Activity in bins.")
    module.add(
        TimeSeries(
            name="activity",
            description=f"Activity of each unit (bins, units): {kind}.",
            data=_packed(values),
            unit="count" if units.additive else "a.u.",
            rate=float(units.rate),
            starting_time=float(units.start_time),
        )
    )
    notes = {"activity": ("processing/misc/activity", "The series that holds the activity.")}
    notes["activity_kind"] = (kind, "Counts add up over time, levels are averaged.")
    for name, (value, meaning) in notes.items():
        nwb.add_scratch(value, name=name, description=meaning)


def _units_table(units: Units | Binned) -> UnitsTable:

    meanings = {
        "depth": "Distance from the probe's tip in micrometres.",
        "location": "Brain area.",
        "quality": "What the spike sorter or its user made of the unit.",
    }
    ids, table = units.table.index, units.table
    spikes = isinstance(units, Units)
    trains = units.spike_times if spikes else units.events
    meaning = "Spike times in seconds." if spikes else "Events in the activity, in seconds."
    columns = [] if trains is None else _ragged_columns("spike_times", meaning, trains, (0,))
    if units.observed is not None:
        meaning = "Intervals in seconds in which the unit was observed."
        columns += _ragged_columns("obs_intervals", meaning, units.observed, (0, 2))
    if not pd.api.types.is_integer_dtype(ids):
        columns.append(_column("unit", "The unit's name.", ids))
        ids = np.arange(len(units))
    columns += [_column(n, meanings.get(n, f"{n} of the unit."), table[n]) for n in table]
    return UnitsTable(
        name="units",
        description="Sorted units." if spikes else "Units whose activity is a series.",
        id=np.asarray(ids, dtype=np.int64),
        columns=columns,
        resolution=units.resolution if spikes else None,
    )


def _syllables_table(syllables: pd.DataFrame) -> TimeIntervals:
    meaning = "Labelled syllables and other sounds."
    return _intervals_table("syllables", meaning, syllables, ["label", "session"])


def _intervals_table(
    name: str, description: str, frame: pd.DataFrame, columns: list[str]
) -> TimeIntervals:

    meanings = {
        "start_time": "Start in seconds.",
        "stop_time": "End in seconds, not included.",
        "label": "What was sung.",
        "session": "The recording session.",
    }
    return TimeIntervals(
        name=name,
        description=description,
        id=np.arange(len(frame)),
        columns=[_column(c, meanings[c], frame[c]) for c in ["start_time", "stop_time", *columns]],
    )


def _int16(samples: np.ndarray) -> dict:
    """Return samples as int16 with the factor that takes them back."""
    samples = np.asarray(samples)
    if samples.dtype == np.int16:
        return {"data": _packed(samples), "conversion": 1 / 32768}
    step = float(np.abs(samples).max(initial=0)) / 32767 or 1.0
    return {"data": _packed(np.rint(samples / step).astype(np.int16)), "conversion": step}


def _write(nwb: NWBFile, path: Path) -> None:
    """Write an NWB file whose object ids follow from its identifier."""
    space = uuid.uuid5(uuid.NAMESPACE_OID, nwb.identifier)

    def derive_ids(builder: Builder, place: str) -> None:
        if "object_id" in builder.attributes:
            builder.set_attribute("object_id", str(uuid.uuid5(space, place)))
        if isinstance(builder, GroupBuilder):
            for child in (*builder.groups.values(), *builder.datasets.values()):
                derive_ids(child, f"{place}/{child.name}")

    class StableIO(NWBHDF5IO):
        """Writes derived ids where pynwb draws random ones."""

        def write_builder(self, builder: Builder, **kwargs: object) -> None:
            derive_ids(builder, "")
            super().write_builder(builder, **kwargs)

    real = path.parent.resolve() / path.name
    with replacing(real) as temporary, StableIO(os.fspath(temporary), "w") as io:
        io.write(nwb, expandable=())  # columns in one piece, not in pieces that could grow
