from neuro2voc.figures.trial import draw_trial, trial_table
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.moving import moving_window
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    window = moving_window(snakemake.params.windows)
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = read_trials(files.trials)
    save_figure(draw_trial(recording, trials, window), snakemake.output.figure)
    write_csv(trial_table(recording, trials, window), snakemake.output.table)
