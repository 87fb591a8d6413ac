from neuro2voc.figures.voice import draw_voice, voice_table
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.generated import read_generated
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials
from neuro2voc.vae_song import collapsed_folds

LATENTS = {"fold": int, "spread": float}

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    frames, trials = read_frames(files.frames), read_trials(files.trials)
    made = read_generated([files.song])[params.shown]
    null = read_generated(files.null)[params.shown] if files.null else None
    collapsed = collapsed_folds(read_csv(files.latents[0], LATENTS)) if files.latents else []
    song = (frames, made, null, trials, read_split(files.split))
    save_figure(
        draw_voice(recording, *song, params.shown, params.split, params.surrogate, collapsed),
        snakemake.output.figure,
    )
    write_csv(voice_table(*song), snakemake.output.table)
