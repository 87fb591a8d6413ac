from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.files import write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.joint_vae import joint_settings, train_joint_vaes, write_joint_vaes
from neuro2voc.splits import read_split

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    recording = open_bird(files.recording, files.inclusion, names.bird)
    settings = joint_settings(params.settings, params.joint, params)
    frames, split = read_frames(files.frames), read_split(files.split)
    models, losses = train_joint_vaes(recording, frames, split, settings)
    write_joint_vaes(snakemake.output.models, models, recording, settings, dict(names.items()))
    write_csv(losses, snakemake.output.losses)
    remove_checkpoints(params.checkpoints)
