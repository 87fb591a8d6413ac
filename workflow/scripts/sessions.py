from neuro2voc.curves import Protocol
from neuro2voc.features import features_maker
from neuro2voc.figures.sessions import draw_sessions
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.session_transfer import session_table
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    protocol = Protocol(**params.protocol)
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    features_of = features_maker([protocol.feature], params.windows)
    table = session_table(recording, read_trials(files.trials), features_of, protocol)
    save_figure(draw_sessions(table, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
