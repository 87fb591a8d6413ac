from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.figures.voice_to_neurons import draw_voice_to_neurons
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.joint_vae import read_joint_vaes
from neuro2voc.latent_mapper import read_vocal_vaes
from neuro2voc.neural_vae import neural_settings
from neuro2voc.sources.simulate import read_truth
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials
from neuro2voc.voice_to_neurons_report import report_voice_to_neurons

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    frames, split = read_frames(files.frames), read_split(files.split)
    null_name, shifted = f"{snakemake.wildcards.bird}~shifted", None
    if files.get("null"):
        null = open_bird(files.null_recording, files.inclusion, null_name)
        shifted = (null, read_joint_vaes(files.null)[0])
    report = report_voice_to_neurons(
        recording,
        frames,
        read_trials(files.trials),
        split,
        read_joint_vaes(files.joint_vae)[0],
        shifted,
        read_vocal_vaes(files.vocal[0], frames, split) if files.vocal else {},
        neural_settings(params.settings, params),
        params.null_seeds,
        read_truth(files.truth) if files.truth else None,
        params.resamples,
    )
    figure = draw_voice_to_neurons(report, recording, frames, params.split)
    save_figure(figure, snakemake.output.figure)
    write_csv(report.methods, snakemake.output.table)
    write_csv(report.units, snakemake.output.units)
    remove_checkpoints(params.checkpoints)
