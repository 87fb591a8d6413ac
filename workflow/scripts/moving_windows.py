from neuro2voc.curves import Protocol
from neuro2voc.figures.moving_windows import draw_moving_windows
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.moving import moving_window, unit_table, window_table
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    window, protocol = moving_window(params.windows), Protocol(**params.protocol)
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials, split = read_trials(files.trials), read_split(files.split)
    windows = window_table(recording, trials, split, window, protocol)
    units = unit_table(recording, trials, split, window, protocol)
    figure = draw_moving_windows(windows, units, recording, protocol.split, window.align)
    save_figure(figure, snakemake.output.figure)
    write_csv(windows, snakemake.output.table)
    write_csv(units, snakemake.output.units)
