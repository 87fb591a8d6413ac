from dataclasses import replace

from neuro2voc.consistency import consistency_table
from neuro2voc.embedding_files import read_embedded
from neuro2voc.figures.embedding_consistency import draw_consistency
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = replace(Recording.open(files.recording), name=snakemake.wildcards.bird)
    birds = dict(zip(params.birds, map(read_embedded, files.points), strict=True))
    table = consistency_table(birds, params.labels)
    save_figure(draw_consistency(table, recording), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
