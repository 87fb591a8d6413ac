from neuro2voc.jobs import job
from neuro2voc.nwb_reading import about_of
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording

with job(snakemake) as log:
    entry = snakemake.params.entry
    keys = ("intervals", "label_column", "activity", "audio")
    names = {key: entry[key] for key in keys if key in entry}
    recording = Recording.open(snakemake.input.recording, **names)
    about = about_of(snakemake.input.recording)
    write_recording(recording, snakemake.output.recording, **about)
    log.info("%d units, %d syllables", len(recording.units), len(recording.syllables))
