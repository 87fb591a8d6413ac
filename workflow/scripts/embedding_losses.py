from dataclasses import replace

from neuro2voc.embedding_files import CURVES
from neuro2voc.figures.embedding_losses import draw_embedding_losses
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    files = snakemake.input
    recording = replace(Recording.open(files.recording), name=snakemake.wildcards.bird)
    losses = read_csv(files.losses, CURVES)
    save_figure(draw_embedding_losses(losses, recording), snakemake.output.figure)
    write_csv(losses, snakemake.output.table)
