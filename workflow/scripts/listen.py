from neuro2voc.collapse import collapses
from neuro2voc.figures.style import kind_of
from neuro2voc.files import write_text
from neuro2voc.frames import read_frames
from neuro2voc.generated import read_generated
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.listening import excerpts, write_joined
from neuro2voc.listening_page import listening_page
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    frames, trials = read_frames(files.frames), read_trials(files.trials)
    made = read_generated([files.song])
    songs = {"generated": made[params.shown]}
    if files.null:
        songs["null"] = read_generated(files.null)[params.shown]
    if (through := f"{params.shown} autoencoder") in made:
        songs["autoencoder"] = made[through]
    parts = excerpts(recording, frames, songs, trials, read_split(files.split), params.seed)
    words = {"generated": f"{params.shown}: from neurons alone, held out ({params.split})"}
    page = listening_page(
        f"{recording.name}: original and generated song",
        *(parts, frames.settings, kind_of(recording), params.split, words),
        collapses(files.latents),
    )
    write_text(page, output.page)
    for source in ("original", "generated"):
        write_joined(parts, source, output[source], frames.settings.rate)
