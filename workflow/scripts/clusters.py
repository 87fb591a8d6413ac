from neuro2voc.clusters import cluster_table, find_clusters
from neuro2voc.curves import Protocol
from neuro2voc.features import features_maker
from neuro2voc.figures.clusters import draw_clusters
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, feature = snakemake.input, snakemake.params, snakemake.wildcards.feature
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    clusters = find_clusters(
        recording,
        read_trials(files.trials),
        feature,
        features_maker([feature], params.windows),
        Protocol(**params.protocol),
    )
    save_figure(draw_clusters(clusters, recording, feature), snakemake.output.figure)
    write_csv(cluster_table(clusters), snakemake.output.table)
