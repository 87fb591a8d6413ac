from neuro2voc.curves import Protocol
from neuro2voc.features import features_maker
from neuro2voc.figures.learning_curves import draw_learning_curves
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.learning import THESIS_DECODERS, learning_table
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    protocol = Protocol(**{**params.protocol, "feature": snakemake.wildcards.feature})
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    table = learning_table(
        recording,
        read_trials(files.trials),
        read_split(files.split),
        features_maker([protocol.feature], params.windows),
        list(dict.fromkeys([protocol.decoder, *THESIS_DECODERS])),
        params.learning["parts"],
        params.learning["repeats"],
        protocol,
    )
    save_figure(draw_learning_curves(table, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
