import json
from pathlib import Path

from neuro2voc.comparison import null_band
from neuro2voc.files import write_csv
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake.log[0]):
    params = snakemake.params
    null = null_band(
        Recording.open(snakemake.input.recording),
        read_inclusion(snakemake.input.inclusion),
        read_trials(snakemake.input.trials),
        read_split(snakemake.input.split),
        read_split(snakemake.input.kept) if snakemake.input.kept else None,
        params.kind,
        params.seeds,
        [json.loads(Path(path).read_text()) for path in snakemake.input.metrics],
        params.windows,
        params.trials,
        params.seed,
    )
    write_csv(null, snakemake.output.null)
