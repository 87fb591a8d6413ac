from dataclasses import replace

from neuro2voc.figures.spectrograms import draw_spectrograms, typical_renditions
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.trials import read_trials

with job(snakemake):
    recording = Recording.open(snakemake.input.recording)
    recording = replace(recording, name=snakemake.wildcards.bird)
    trials = read_trials(snakemake.input.trials)
    save_figure(draw_spectrograms(recording, trials), snakemake.output.figure)
    write_csv(typical_renditions(trials), snakemake.output.table)
