from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.files import write_csv
from neuro2voc.frames import read_frames
from neuro2voc.generated import song_activity, write_generated
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.sound_decoder import write_sound_decoders
from neuro2voc.splits import read_split
from neuro2voc.vae import around_window, vae_settings
from neuro2voc.vae_song import generate_by_vae

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    recording = open_bird(files.recording, files.inclusion, names.bird)
    frames = read_frames(files.frames)
    around = around_window(params.vae, params.around, frames.hop)
    settings = vae_settings(params.vae, params.training, around, params)
    activity = song_activity(recording, frames, around)
    learnt = generate_by_vae(frames, activity, read_split(files.split), settings)
    made, through, decoders, losses, latents = learnt
    about = {**names, "activity": around}
    about["units"] = list(map(str, recording.units.table.index))
    write_sound_decoders(snakemake.output.model, decoders, frames, settings.sizes, about)
    write_csv(losses, snakemake.output.losses)
    write_csv(latents, snakemake.output.latents)
    write_generated(snakemake.output.song, {names.vae: made, f"{names.vae} autoencoder": through})
    remove_checkpoints(params.checkpoints)
