from neuro2voc.figures.style import kind_of
from neuro2voc.figures.traps import draw_trap
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.traps import duration_trap
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording, trials = Recording.open(files.recording[0]), read_trials(files.trials[0])
    split = read_split(files.split[0])
    table = duration_trap(
        recording, trials, split, params.null_seeds, params.resamples, params.seed
    )
    used = used_trials(trials)
    about = {"units": len(recording.units), "trials": len(used), "kind": kind_of(recording)}
    about |= {"bouts": used["bout"].nunique(), "classes": used["label"].nunique()}
    about |= {"replicates": len(params.null_seeds)}
    save_figure(draw_trap(table, about), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
