"""Writing recordings as NWB through pynwb, so that the same recording gives the same bytes."""

import os
import re
import uuid
from collections.abc import Mapping
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
from neuro2voc.nwb_reading import about_of, check_parent, text
from neuro2voc.recording import Recording, Units

# Where no date is known; the same for every file, so that files are the same.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


def write_recording(
    recording: Recording,
    path: str | Path,
    *,
    audio: tuple[float, np.ndarray] | None = None,
    description: str = "Neurons and song of one bird.",
    keywords: tuple[str, ...] = (),
    start_time: datetime = NO_DATE,
    subject: Mapping[str, str] | None = None,
) -> None:
    """Write a recording as NWB; the same recording gives the same bytes.

    Parameters
    ----------
    recording : Recording
        What to write.
    path : str or Path
        The file; it is replaced whole or not at all.
    audio : tuple of float and numpy.ndarray, optional
        Sampling rate (Hz) and samples (n,) from time 0 on to store: int16 as they are, floats
        as int16 of the finest step that holds them. Without it, the recording's own `audio` is
        linked by a relative path, not copied.
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
        If the sound to be linked lies in the very file that is to be written.
    """
    path = Path(path)
    sound = recording.audio if audio is None else None
    if sound is not None and sound.path.resolve() == path.resolve():
        raise DataError(f"{path} holds the sound that it would be linked to; write another file.")
    keywords = ("songbird", *(["simulated"] if recording.simulated else []), *keywords)
    nwb = _nwb_file(path.stem, keywords, description, start_time, subject or {})
    nwb.units = _units_table(recording.units)
    nwb.add_time_intervals(_syllables_table(recording.syllables))
    nwb.add_time_intervals(
        _intervals_table("sessions", "Times recorded in one go.", recording.sessions, ["session"])
    )
    if audio is not None:
        rate, samples = audio
        _write(nwb, path, rate=rate, starting_time=0.0, **_int16(samples))
    elif sound is not None:
        # Relative links are followed from real folders, so a linked results/ must not mislead.
        with h5py.File(sound.path.resolve(), "r") as source:
            start = {"rate": sound.rate, "starting_time": sound.start_time}
            scale = {"conversion": sound.conversion, "offset": sound.offset}
            _write(nwb, path, data=source[sound.series]["data"], **start, **scale)
    else:
        _write(nwb, path)


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
        nwb.units = _units_table(recording.units)
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
    """Return a ragged column's index and its values, written whole."""
    values = np.concatenate([np.zeros(empty), *rows])
    stops = np.cumsum([len(r) for r in rows]).astype(np.uint64)
    column = _column(name, description, values)
    return [VectorIndex(name=f"{name}_index", data=stops, target=column), column]


def _units_table(units: Units) -> UnitsTable:

    meanings = {
        "depth": "Distance from the probe's tip in micrometres.",
        "location": "Brain area.",
        "quality": "What the spike sorter or its user made of the unit.",
    }
    ids, table = units.table.index, units.table
    columns = _ragged_columns("spike_times", "Spike times in seconds.", units.spike_times, (0,))
    if units.observed is not None:
        meaning = "Intervals in seconds in which the unit was observed."
        columns += _ragged_columns("obs_intervals", meaning, units.observed, (0, 2))
    if not pd.api.types.is_integer_dtype(ids):
        columns.append(_column("unit", "The unit's name.", ids))
        ids = np.arange(len(units))
    columns += [_column(n, meanings.get(n, f"{n} of the unit."), table[n]) for n in table]
    return UnitsTable(
        name="units",
        description="Sorted units.",
        id=np.asarray(ids, dtype=np.int64),
        columns=columns,
        resolution=units.resolution,
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


def _write(nwb: NWBFile, path: Path, **audio: object) -> None:
    """Write an NWB file whose object ids follow from its identifier, with sound if any."""
    if audio:
        nwb.add_acquisition(
            TimeSeries(name="audio", description="The sound.", unit="a.u.", **audio)
        )
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
        io.write(nwb)
