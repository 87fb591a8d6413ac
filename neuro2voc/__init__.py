"""neuro2voc: from recordings of a brain and a voice to results one can believe."""

__version__ = "0.1.0"
