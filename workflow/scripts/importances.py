from dataclasses import replace

from neuro2voc.curves import Protocol
from neuro2voc.figures.importances import draw_importances
from neuro2voc.files import save_figure, write_csv
from neuro2voc.importances import importances
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials, split = read_trials(files.trials), read_split(files.split)
    protocol = replace(Protocol(**params.protocol), feature=snakemake.wildcards.feature)
    table = importances(recording, trials, split, params.windows, protocol)
    save_figure(draw_importances(table, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
