from neuro2voc.figures.latents import draw_latents
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.joint_vae import read_joint_vaes
from neuro2voc.latents import make_latents, neighbour_table, pictured, space_table
from neuro2voc.neural_windows import WindowSettings
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, bird = snakemake.input, snakemake.params, snakemake.wildcards.bird
    about_song = (read_frames(files.frames), read_trials(files.trials), read_split(files.split))
    recording, tables = open_bird(files.recording, files.inclusion, bird), {}
    birds = [("", recording, files.joint_vae)]
    if files.get("null"):
        null = open_bird(files.null_recording, files.inclusion, f"{bird}~shifted")
        birds.append(("null_", null, files.null))
    for prefix, one, path in birds:
        models, about = read_joint_vaes(path)
        latents = make_latents(models, WindowSettings(**about["windows"]), one, *about_song)
        tables[f"{prefix}neighbours"] = neighbour_table(latents, params.resamples, params.seed)
        tables[f"{prefix}space"] = space_table(latents)
        if not prefix:
            picture = pictured(latents, params.seed)
    figure = draw_latents(picture, tables, recording, params.split)
    save_figure(figure, snakemake.output.figure)
    write_csv(picture, snakemake.output.table)
    write_csv(tables["neighbours"], snakemake.output.neighbours)
    write_csv(tables["space"], snakemake.output.space)
