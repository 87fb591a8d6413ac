from pathlib import Path

from neuro2voc.jobs import job
from neuro2voc.nwb_writing import write_surrogate
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.surrogates import CHANGED, surrogate
from neuro2voc.trials import read_trials

with job(snakemake.log[0]):
    kind, replicate = snakemake.params.kind
    path = snakemake.input.recording
    recording = surrogate(
        Recording.open(path),
        kind,
        snakemake.params.seed,
        read_trials(snakemake.input.trials),
        read_split(snakemake.input.split) if snakemake.input.split else None,
    )
    write_surrogate(
        recording,
        snakemake.output.recording,
        parent=Path(path).name,
        kind=kind,
        replicate=replicate,
        changed=CHANGED[kind],
    )
