import json
from pathlib import Path

import pandas as pd

from neuro2voc.figures.losses import draw_losses
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job

with job(snakemake):
    files = snakemake.input
    columns = {"feature": str, "training": float, "validation": float}
    tables = {Path(path).stem: read_csv(path, columns) for path in files.losses}
    losses = pd.concat(tables, names=["decoder"]).reset_index("decoder").reset_index(drop=True)
    figure = draw_losses(
        losses,
        [json.loads(Path(path).read_text()) for path in files.metrics],
        open_bird(files.recording, files.inclusion, snakemake.wildcards.bird),
        snakemake.params.training,
    )
    save_figure(figure, snakemake.output.figure)
    write_csv(losses, snakemake.output.table)
