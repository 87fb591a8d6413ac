from neuro2voc.figures.style import kind_of
from neuro2voc.figures.thesis import draw_thesis
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.thesis_table import thesis_table
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    name = snakemake.wildcards.bird
    recording = open_bird(files.recording, files.inclusion, name)
    trials, split = read_trials(files.trials), read_split(files.split)
    table = thesis_table(recording, trials, split, params.null_seeds, params.resamples, params.seed)
    save_figure(draw_thesis(table, name, kind_of(recording)), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
