from dataclasses import replace

from neuro2voc.embedding_files import SCORES, read_embedded
from neuro2voc.figures.embedding import draw_embedding
from neuro2voc.figures.embedding_view import write_view
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    files, bird = snakemake.input, snakemake.wildcards.bird
    recording = replace(Recording.open(files.recording), name=bird)
    points, scores = read_embedded(files.points), read_csv(files.scores, SCORES)
    save_figure(draw_embedding(points, scores, recording), snakemake.output.figure)
    write_view(points, scores, recording, snakemake.output.page)
    write_csv(scores, snakemake.output.table)
