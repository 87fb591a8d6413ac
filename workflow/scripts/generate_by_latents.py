from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.frames import read_frames
from neuro2voc.generated import write_generated
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.joint_vae import generate_by_joint, read_joint_vaes
from neuro2voc.latent_mapper import generate_by_mapper, read_vocal_vaes
from neuro2voc.neural_vae import models_of_kind, neural_settings, read_neural_vaes
from neuro2voc.splits import read_split

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    song = (recording, read_frames(files.frames), read_split(files.split))
    settings = neural_settings(params.settings, params)
    neural = models_of_kind(read_neural_vaes(files.neural_vae)[0], params.settings["kinds"][0])
    vocal = read_vocal_vaes(files.vocal[0], *song[1:])
    made = {
        "joint": generate_by_joint(read_joint_vaes(files.joint_vae)[0], settings.windows, *song),
        "mapper": generate_by_mapper(neural, vocal, *song, settings),
    }
    write_generated(snakemake.output.song, made)
    remove_checkpoints(params.checkpoints)
