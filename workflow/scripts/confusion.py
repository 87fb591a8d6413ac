import json
from pathlib import Path

from neuro2voc.decoding import read_predictions
from neuro2voc.figures.confusion import confusion_table, draw_confusion
from neuro2voc.figures.style import kind_of
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job

with job(snakemake):
    files, names = snakemake.input, dict(snakemake.wildcards.items())
    frame = read_predictions(files.predictions)
    cell = frame[frame["feature"] == names["feature"]]
    about = json.loads(Path(files.metrics).read_text())["features"][names["feature"]]
    about |= {**names, "kind": kind_of(open_bird(files.recording, files.inclusion, names["bird"]))}
    save_figure(draw_confusion(cell, about), snakemake.output.figure)
    write_csv(confusion_table(cell), snakemake.output.table)
