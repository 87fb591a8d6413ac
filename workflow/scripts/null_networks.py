import json
from pathlib import Path

from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.comparison import null_band
from neuro2voc.files import write_csv
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.network_null import network_null
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    metrics = json.loads(Path(files.metrics).read_text())
    null = null_band(
        Recording.open(files.recording),
        read_inclusion(files.inclusion),
        read_trials(files.trials),
        read_split(files.split),
        read_split(files.kept) if files.kept else None,
        *(params.kind, params.seeds),
        *network_null(names.decoder, names.split, params, metrics),
        params.trials,
    )
    write_csv(null, snakemake.output.null)
    remove_checkpoints(params.checkpoints)
