import json
from pathlib import Path

from neuro2voc.comparison import fixed_fits, null_band
from neuro2voc.features import features_maker
from neuro2voc.files import write_csv
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    null = null_band(
        Recording.open(files.recording),
        read_inclusion(files.inclusion),
        read_trials(files.trials),
        read_split(files.split),
        read_split(files.kept) if files.kept else None,
        *(params.kind, params.seeds),
        fixed_fits([json.loads(Path(path).read_text()) for path in files.metrics], params.seed),
        features_maker(params.features, params.windows),
        params.trials,
    )
    write_csv(null, snakemake.output.null)
