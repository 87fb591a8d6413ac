from pathlib import Path

import pandas as pd

from neuro2voc.files import replacing
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.methods import methods_paragraph
from neuro2voc.recording import Recording
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    text = methods_paragraph(
        Recording.open(files.recording),
        read_inclusion(files.inclusion),
        read_trials(files.trials),
        pd.read_csv(files.comparison),
        snakemake.params.config,
    )
    with replacing(snakemake.output.text) as temporary:
        Path(temporary).write_text(text + "\n", encoding="utf-8")
