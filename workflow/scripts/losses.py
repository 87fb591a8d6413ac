import json
from pathlib import Path

from neuro2voc.figures.losses import draw_losses
from neuro2voc.files import read_csv, save_figure
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    files = snakemake.input
    figure = draw_losses(
        read_csv(files.losses, {"feature": str, "validation": float}),
        json.loads(Path(files.metrics).read_text()),
        Recording.open(files.recording),
        snakemake.params.training,
    )
    save_figure(figure, snakemake.output.figure)
