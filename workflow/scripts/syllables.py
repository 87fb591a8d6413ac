from neuro2voc.figures.syllables import draw_syllables, syllable_table
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.trials import read_trials

with job(snakemake):
    recording = Recording.open(snakemake.input.recording)
    trials = read_trials(snakemake.input.trials)
    save_figure(draw_syllables(trials, recording), snakemake.output.figure)
    write_csv(syllable_table(trials), snakemake.output.table)
