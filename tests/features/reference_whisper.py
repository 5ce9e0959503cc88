"""Write reference_whisper.npz: what Hugging Face's Whisper makes of a seeded sound with seeded small weights.

    pip install torch transformers
    python tests/features/reference_whisper.py

Only this file needs them; the test reads the figures, and draws the same weights and sound by the functions here.
"""

from pathlib import Path

import numpy as np

#: A Whisper of two heads and two blocks that hears 60 frames.
WIDTH, BLOCKS, FRAMES = 128, 2, 60
FILE = Path(__file__).with_suffix(".npz")


def sound():
    """Half a second of a noisy tone at 16 kHz [shape=(8000,)], float32."""
    t = np.arange(8000) / 16000
    noise = np.random.default_rng(0).standard_normal(8000)
    return (0.3 * np.sin(2 * np.pi * 440 * t) * t + 0.01 * noise).astype(np.float32)


def weights(shapes):
    """Name -> seeded values of a shape, in the order of the names."""
    rng = np.random.default_rng(1)
    return {name: rng.normal(scale=0.1, size=shapes[name]).astype(np.float32) for name in sorted(shapes)}


def frames():
    """Seeded features [shape=(60, 80)], float32."""
    return np.random.default_rng(2).normal(size=(FRAMES, 80)).astype(np.float32)


def main():
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=WIDTH,
        encoder_layers=BLOCKS,
        encoder_attention_heads=WIDTH // 64,
        encoder_ffn_dim=4 * WIDTH,
        num_mel_bins=80,
        max_source_positions=FRAMES // 2,
    )
    encoder = WhisperEncoder(config).eval()
    state = encoder.state_dict()
    ours = {name: value for name, value in state.items() if not name.startswith("embed_positions")}
    # In torch's order of axes; the test turns them into Keras's.
    values = weights({name: tuple(value.shape) for name, value in ours.items()})
    encoder.load_state_dict({name: torch.tensor(value) for name, value in values.items()}, strict=False)
    with torch.no_grad():
        out = encoder(torch.tensor(frames().T[None]), output_hidden_states=True)
    mel = WhisperFeatureExtractor()(
        sound(), sampling_rate=16000, padding=False, truncation=False, return_tensors="np"
    ).input_features[0]
    np.savez_compressed(
        FILE,
        log_mel=mel.T,
        before=out.hidden_states[0][0].numpy(),
        middle=out.hidden_states[1][0].numpy(),
        last=out.last_hidden_state[0].numpy(),
        names=sorted(values),
        shapes=[str(values[name].shape) for name in sorted(values)],
    )


if __name__ == "__main__":
    main()
