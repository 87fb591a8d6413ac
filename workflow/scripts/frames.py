from neuro2voc.frames import make_frames, write_frames
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.trials import read_trials

with job(snakemake) as log:
    frames = make_frames(
        Recording.open(snakemake.input.recording),
        read_trials(snakemake.input.trials),
        SpectrogramSettings(**snakemake.params.settings),
    )
    write_frames(frames, snakemake.output.frames)
    log.info(
        "%d frames of %g ms in %d pieces",
        *(len(frames.level), 1000 * frames.hop, len(frames.pieces)),
    )
