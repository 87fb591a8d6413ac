from neuro2voc.figures.rates import draw_rates
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.rates import syllable_rates, unit_rates
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = read_trials(files.trials)
    units = unit_rates(recording, trials, snakemake.params.seed)
    syllables = syllable_rates(recording, trials)
    save_figure(draw_rates(units, syllables, recording), snakemake.output.figure)
    write_csv(units.merge(syllables, on="unit"), snakemake.output.table)
