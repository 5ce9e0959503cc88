"""Features as a layer, against the numpy functions that they repeat."""

import numpy as np
import pytest
import tensorflow as tf

from serlib import audio
from serlib.features import SPECS
from serlib.features.spec import FeatureSpec
from serlib.models import frontend
from serlib.training.run import example, probe_signals

EXPRESSIBLE = [name for name, spec in SPECS.items() if not frontend.beyond(spec)]
#: Largest value that occurs, of the features' own unit (dB, or what Whisper hears) at most this is off.
TOLERANCE = {"mfcc40-mean": 1e-3, "mfcc-frames": 5e-3, "logmel-128x87": 5e-3}


def layer(spec):
    """The layer as a graph for clips of any length, as it is exported."""
    compute = frontend.Frontend(spec)
    return tf.function(compute, input_signature=[tf.TensorSpec((1, None), tf.float32)])


@pytest.fixture
def clips(voice):
    """Voices after a silence, long, short, of fewer frames than a delta needs, and shorter than an offset."""
    speech = voice(duration_s=1.3)
    probes = list(probe_signals().values())
    return [speech, voice(310.0, duration_s=5.0), speech[3000:8000], speech[3000:6000], speech[3000:4500], *probes]


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_the_layer_gives_the_features_of_extract_clip(clips, name):
    spec = SPECS[name]
    compute = layer(spec)
    for clip in clips:
        y = audio.resample(clip, from_hz=16000, to_hz=spec.rate_hz)
        expected = example(y, spec.rate_hz, spec)
        found = compute(y[np.newaxis]).numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=TOLERANCE.get(name, 1e-4))


def test_summaries_and_offsets(clips):
    spec = FeatureSpec(rate_hz=16000, frame=512, hop=256, offset_s=0.4, summary=tuple(frontend.SUMMARIES))
    compute = layer(spec)
    for clip in clips:
        np.testing.assert_allclose(compute(clip[np.newaxis]).numpy(), example(clip, 16000, spec), atol=5e-3)


def test_what_the_layer_does_not_compute_is_named():
    assert {"pitch", "voiced", "slope"} <= set(frontend.beyond(SPECS["functionals"]))
    assert frontend.beyond(SPECS["mfcc40-mean"]) == []
    assert set(EXPRESSIBLE) == {"mfcc40-mean", "mfcc-frames", "logmel-128x87", "whisper-frames", "whisper-states"}
