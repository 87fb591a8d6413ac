from pathlib import Path

import pandas as pd

from neuro2voc.figures.birds import birds_table, draw_many_birds
from neuro2voc.figures.style import kind_of
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    files, split = snakemake.input, snakemake.params.split
    kinds = {Path(path).stem: kind_of(Recording.open(path)) for path in files.recordings}
    table = birds_table({Path(path).stem: pd.read_csv(path) for path in files.tables}, split)
    save_figure(draw_many_birds(table, split, kinds), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
