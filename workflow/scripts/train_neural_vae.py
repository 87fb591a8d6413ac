from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.files import write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.neural_vae import neural_settings, train_neural_vaes, write_neural_vaes
from neuro2voc.splits import read_split

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    recording = open_bird(files.recording, files.inclusion, names.bird)
    settings = neural_settings(params.settings, params)
    models, losses = train_neural_vaes(
        recording,
        read_frames(files.frames),
        read_split(files.split),
        params.settings["kinds"],
        settings,
    )
    write_neural_vaes(snakemake.output.models, models, recording, settings, dict(names.items()))
    write_csv(losses, snakemake.output.losses)
    remove_checkpoints(params.checkpoints)
