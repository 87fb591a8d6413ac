from neuro2voc.figures.bout import bout_table, draw_bout
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = read_trials(snakemake.input.trials)
    save_figure(draw_bout(recording, trials), snakemake.output.figure)
    write_csv(bout_table(recording, trials), snakemake.output.table)
