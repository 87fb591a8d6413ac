from pathlib import Path

from neuro2voc.jobs import job
from neuro2voc.nwb_writing import write_surrogate
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.surrogates import CHANGED, surrogate
from neuro2voc.trials import read_trials

with job(snakemake):
    files, seed = snakemake.input, snakemake.params.seed
    kind, replicate = snakemake.params.kind
    parent, trials = Recording.open(files.recording), read_trials(files.trials)
    split = read_split(files.split) if files.split else None
    write_surrogate(
        surrogate(parent, kind, seed, trials, split),
        snakemake.output.recording,
        parent=Path(files.recording).name,
        kind=kind,
        replicate=replicate,
        changed=CHANGED[kind],
    )
