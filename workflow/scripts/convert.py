from neuro2voc.jobs import job
from neuro2voc.nwb_writing import write_recording
from neuro2voc.sources.converters import convert

with job(snakemake) as log:
    entry = snakemake.params.entry
    recording, sound = convert(entry["converter"], snakemake.input.files)
    description = f"Public recording. Licence: {entry['licence']}. Cite: {entry['citation']}."
    write_recording(recording, snakemake.output.recording, description=description, **sound)
    log.info("%d units, %d syllables", len(recording.units), len(recording.syllables))
