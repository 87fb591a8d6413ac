from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.figures.neural_vae import draw_neural_vae
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.neural_vae import neural_settings, read_neural_vaes
from neuro2voc.neural_vae_report import report_neural_vaes
from neuro2voc.sources.simulate import read_truth
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    report = report_neural_vaes(
        recording,
        read_frames(files.frames),
        read_trials(files.trials),
        read_split(files.split),
        read_neural_vaes(files.neural_vae)[0],
        neural_settings(params.settings, params),
        params.control,
        read_truth(files.truth) if files.truth else None,
        params.resamples,
    )
    save_figure(draw_neural_vae(report, recording, params.split), snakemake.output.figure)
    write_csv(report.table, snakemake.output.table)
    write_csv(report.decoding, snakemake.output.decoding)
    remove_checkpoints(params.checkpoints)
