"""The sample corpus: synthetic speech in the shape of TESS, made offline; all runs without a download."""

from serlib.corpora.sample.making import CORPUS, EMOTIONS, PROSODY, VOICES, clip, make, parse, plan, vary

__all__ = ["CORPUS", "EMOTIONS", "PROSODY", "VOICES", "clip", "make", "parse", "plan", "vary"]
