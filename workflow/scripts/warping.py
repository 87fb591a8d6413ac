from neuro2voc.curves import Protocol
from neuro2voc.figures.warping import draw_warping
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.templates import template_table
from neuro2voc.trials import read_trials
from neuro2voc.warped_example import make_example

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol = Protocol(**params.protocol)
    song = read_trials(files.trials), read_split(files.split), read_frames(files.frames)
    table = template_table(recording, *song, params.warping, protocol)
    example = make_example(recording, *song, params.warping)
    figure = draw_warping(table, example, recording, params.warping, protocol.split)
    save_figure(figure, snakemake.output.figure)
    write_csv(table, snakemake.output.table)
