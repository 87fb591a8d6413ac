from neuro2voc.canonical_table import canonical_table
from neuro2voc.curves import Protocol
from neuro2voc.figures.canonical import draw_canonical
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol = Protocol(**params.protocol)
    song = read_trials(files.trials), read_split(files.split), read_frames(files.frames)
    table = canonical_table(recording, *song, params.warping, params.canonical, protocol)
    save_figure(draw_canonical(table, recording, protocol.split), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
