#!/usr/bin/env python3
"""Train the model that serlib ships (serlib/pretrained) from RAVDESS and nEMO; three steps, seeds named.

    python bench/released.py frames ravdess data/ravdess nemo data/nemo --to checkpoints/released
    python bench/released.py tune --in checkpoints/released [--steps 600] [--seeds 0 1 2]       # PyTorch, best on a GPU
    python bench/released.py assemble --in checkpoints/released --to serlib/pretrained

`tune` needs `torch`, which serlib does not; on one H200 a seed takes 85 s beside seven others. What it does: the first
three blocks of Whisper tiny are tuned with a linear head on the third (AdamW 1e-4 for the blocks, 1e-3 for the head,
cosine with a tenth of warm-up, batches of 64 in which every corpus and within it every emotion is as likely, label
smoothing 0.1); the weights of the seeds are averaged; then a logistic regression is fitted to the mean and deviation of
the states of each layer, of the tuned and of the frozen encoder. The answer is the mean of the log-probabilities of
head, tuned probes and frozen probes. Every clip is changed while it is learned: other vocal tracts and tempi (both axes
stretched by up to 12 %), other microphones (a smooth filter), noise, a missing upper band, masks in time and frequency.

The settings were chosen on RAVDESS's actors 05 to 24: in five folds of their own, and from them to nEMO and back.
Calm counts as neutral. The temperature is chosen on speakers who do not train for it: actors 01 to 04, KD0 and WR0.
"""

import argparse
import json
import platform
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
LAYERS = (1, 2, 3)
#: Speakers who choose the temperature.
HELD_OUT = ("ravdess/01", "ravdess/02", "ravdess/03", "ravdess/04", "nemo/KD0", "nemo/WR0")
#: Strength of the logistic regressions, in scikit-learn's terms: of tuned and of frozen states.
C = {"tuned": 1e-3, "frozen": 3e-3}
STRETCH, FILTER, NOISE_SHARE, LOW_SHARE, MASKS = 0.12, 0.08, 0.5, 0.2, 2


def frames(args):
    """Whisper's log-mel of every clip and the table, to frames.npz."""
    from serlib import corpora
    from serlib.features import extract

    names, folders = args.corpus[::2], args.corpus[1::2]
    table = corpora.index(list(names), list(folders))
    features = extract(table, "whisper-frames")
    table["label"] = table.label.replace({"calm": "neutral"})
    args.to.mkdir(parents=True, exist_ok=True)
    clips = [clip[:n].astype(np.float16) for clip, n in zip(features.values, features.lengths, strict=True)]
    np.savez(args.to / "frames.npz", frames=np.concatenate(clips), lengths=features.lengths)
    table.to_csv(args.to / "table.csv", index=False)


def tune(args):
    """Weights of the blocks, of the head and of the probes, to weights.npz."""
    import pandas as pd
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    table = pd.read_csv(args.input / "table.csv", dtype=str)
    stored = np.load(args.input / "frames.npz")
    ends = np.cumsum(stored["lengths"])
    clips = [torch.tensor(part.astype(np.float32)) for part in np.split(stored["frames"], ends[:-1])]
    y = torch.tensor([LABELS.index(label) for label in table.label], device=device)
    held_out = (table.corpus + "/" + table.speaker).isin(HELD_OUT).to_numpy()
    result = {}
    for name, rows in (("", np.arange(len(table))), ("calibration/", np.flatnonzero(~held_out))):
        tuned = [_tuned(clips, y, table, rows, seed, args.steps, device) for seed in (args.seeds if not name else [0])]
        weights = {key: sum(one[key] for one in tuned) / len(tuned) for key in tuned[0]}
        encoder, head = _modules(device)
        for part, module in (("e.", encoder), ("h.", head)):
            module.load_state_dict({key[2:]: value for key, value in weights.items() if key.startswith(part)})
        frozen, _ = _modules(device)
        answers = []
        for kind, model in (("tuned", encoder.eval()), ("frozen", frozen.eval())):
            states = _states(model, clips, device)
            probe = _probe(states[rows], y[rows], _shares(table, rows), C[kind])
            result |= {f"{name}{kind}.{key}": value.cpu().numpy() for key, value in probe.items()}
            z = (states - probe["mean"]) / probe["scale"]
            logits = torch.einsum("nld,ldk->nlk", z, probe["kernel"]) + probe["bias"]
            answers.append(logits.log_softmax(-1).mean(1))
            if kind == "tuned":
                answers.append(head.eval()(states[:, -1]).log_softmax(-1))
        if name:  # what the temperature is chosen on
            log_p = torch.stack(answers).mean(0)[torch.tensor(held_out, device=device)]
            result["held_out.log_p"] = log_p.detach().cpu().numpy()
            result["held_out.y"] = y[torch.tensor(held_out, device=device)].cpu().numpy()
        else:
            result |= {key: value.float().cpu().numpy() for key, value in weights.items()}
    np.savez(args.input / "weights.npz", **result)


def _modules(device):
    """Whisper tiny's first three blocks as shipped, and a new head, in PyTorch."""
    import torch
    from torch import nn
    from torch.nn import functional

    from serlib.features import encoder as front
    from serlib.features import weights

    class Block(nn.Module):
        def __init__(self, d=384):
            super().__init__()
            self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(d), nn.LayerNorm(d)
            self.self_attn = nn.ModuleDict(
                {f"{part}_proj": nn.Linear(d, d, bias=part != "k") for part in ("q", "k", "v", "out")}
            )
            self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

        def forward(self, x, real):
            n, t, d = x.shape
            normed = self.self_attn_layer_norm(x)
            q, k, v = (self.self_attn[f"{p}_proj"](normed).view(n, t, -1, front.HEAD).transpose(1, 2) for p in "qkv")
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None])
            x = x + self.self_attn["out_proj"](mixed.transpose(1, 2).reshape(n, t, d))
            return x + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x))))

    class Encoder(nn.Module):
        def __init__(self, d=384):
            super().__init__()
            self.conv1 = nn.Conv1d(front.MELS, d, 3, padding=1)
            self.conv2 = nn.Conv1d(d, d, 3, stride=2, padding=1)
            self.layers = nn.ModuleList(Block(d) for _ in LAYERS)
            self.register_buffer("positions", torch.tensor(front.positions(front.POSITIONS, d)), persistent=False)

        def forward(self, x, real):
            x = functional.gelu(self.conv1(x.transpose(1, 2))) * real[:, None]
            x = functional.gelu(self.conv2(x)).transpose(1, 2)
            x, real = x + self.positions[: x.shape[1]], real[:, ::2]
            pooled = []
            for block in self.layers:
                x = block(x, real)
                pooled.append(_pooled(x, real))
            return torch.stack(pooled, 1)

    encoder = Encoder()
    values, _, _ = weights.find("whisper-tiny", LAYERS)
    encoder.load_state_dict({name: torch.tensor(np.ascontiguousarray(value.T)) for name, value in values.items()})
    head = nn.Sequential(nn.BatchNorm1d(768, affine=False), nn.Dropout(0.3), nn.Linear(768, len(LABELS)))
    return encoder.to(device), head.to(device)


def _pooled(x, real):
    """Mean and deviation over the real states."""
    import torch

    share = real[..., None].to(x.dtype)
    count = share.sum(1).clamp(min=1)
    mean = (x * share).sum(1) / count
    variance = ((x - mean[:, None]) ** 2 * share).sum(1) / count
    return torch.cat([mean, variance.clamp(min=1e-5).sqrt()], -1)


def _batch(clips, rows, device):
    """Padded clips and which frames are real."""
    import torch

    some = [clips[row] for row in rows]
    x = torch.nn.utils.rnn.pad_sequence(some, batch_first=True).to(device)
    lengths = torch.tensor([len(clip) for clip in some], device=device)
    return x, torch.arange(x.shape[1], device=device) < lengths[:, None]


def _shares(table, rows):
    """How much each clip counts: every corpus the same, and within it every emotion."""
    group = table.corpus.iloc[rows] + "/" + table.label.iloc[rows]
    size = group.map(group.value_counts()).to_numpy(float)
    labels = table.iloc[rows].groupby("corpus").label.nunique()
    share = 1 / size / table.corpus.iloc[rows].map(labels).to_numpy(float)
    return share / share.sum()


def _tuned(clips, y, table, rows, seed, steps, device):
    """Tune the blocks with one seed; all weights by name."""
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    draw = torch.Generator(device=device).manual_seed(seed)
    encoder, head = _modules(device)
    for name, weight in encoder.named_parameters():
        weight.requires_grad_(name.startswith("layers."))
    tuned = [weight for weight in encoder.parameters() if weight.requires_grad]
    rates = (1e-4, 1e-3)
    groups = [{"params": part, "lr": rate} for part, rate in zip((tuned, list(head.parameters())), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    shares = _shares(table, rows)
    for step in range(steps):
        warm, cool = min(1, (step + 1) / (0.1 * steps)), max(0, (step - 0.1 * steps) / (0.9 * steps))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * warm * 0.5 * (1 + np.cos(np.pi * cool))
        some = rows[rng.choice(len(rows), 64, p=shares)]
        x, real = _changed(*_batch(clips, some, device), draw)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            pooled = encoder(x * real[..., None], real)[:, -1]
        loss = torch.nn.functional.cross_entropy(head(pooled.float()), y[some], label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned, 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"seed {seed} step {step} loss {loss.item():.3f}", flush=True)
    parts = (("e", encoder.state_dict()), ("h", head.state_dict()))
    return {f"{part}.{name}": value.float() for part, state in parts for name, value in state.items()}


def _changed(x, real, draw):
    """Other voices, microphones and rooms: the log-mel of a batch, changed at random; 1 is 40 dB."""
    import torch
    from torch.nn import functional

    n, _, bands = x.shape
    device = x.device

    def uniform(low, high):
        return torch.rand(n, device=device, generator=draw) * (high - low) + low

    def between(x, place, axis):
        low = place.floor().long()
        high = torch.minimum(low + 1, place.amax(1, keepdim=True).ceil().long())
        index = [
            at.unsqueeze(3 - axis).expand(*[-1 if k != 3 - axis else x.shape[k] for k in range(3)])
            for at in (low, high)
        ]
        part = (place - low).unsqueeze(3 - axis)
        return x.gather(axis, index[0]) * (1 - part) + x.gather(axis, index[1]) * part

    lengths = real.sum(1)
    tempo = uniform(1 - STRETCH, 1 + STRETCH)
    longer = (lengths / tempo).long().clamp(min=10)
    steps = torch.arange(int(longer.max()), device=device)
    x = between(x, torch.minimum(steps * tempo[:, None], (lengths - 1)[:, None].float()), 1)
    tract = uniform(1 - STRETCH, 1 + STRETCH)
    x = between(x, (torch.arange(bands, device=device) * tract[:, None]).clamp(max=bands - 1), 2)
    real = steps < longer[:, None]

    knots = torch.randn(n, 1, 5, device=device, generator=draw) * FILTER
    x = x + functional.interpolate(knots, size=bands, mode="linear", align_corners=True)
    noisy = (uniform(0, 1) < NOISE_SHARE).float()[:, None, None]
    slope = torch.linspace(0.3, -0.3, bands, device=device) * uniform(-0.5, 1)[:, None]
    floor = x.amax((1, 2), keepdim=True) - 1.2 + 0.6 * uniform(-1.0, 0.25)[:, None, None] + slope[:, None]
    floor = floor + 0.06 * torch.randn(x.shape, device=device, generator=draw)
    power = 4 * np.log(10)
    x = noisy * torch.logaddexp(x * power, floor * power) / power + (1 - noisy) * x
    top = torch.where(uniform(0, 1) < LOW_SHARE, uniform(45, 80), torch.full((n,), float(bands), device=device))
    x = torch.where((torch.arange(bands, device=device) > top[:, None])[:, None], x.amin((1, 2), keepdim=True), x)

    x = x.masked_fill(~real[..., None], -9)
    x = torch.maximum(x, x.amax((1, 2), keepdim=True) - 2.0)  # Whisper's own floor
    mean = (x * real[..., None]).sum((1, 2), keepdim=True) / (longer[:, None, None] * bands)
    for _ in range(MASKS):
        for axis, size, widest in ((2, torch.full_like(tempo, bands), 12.0), (1, longer.float(), 0.12 * longer)):
            wide = uniform(0, 1) * widest
            first = uniform(0, 1) * (size - wide)
            place = torch.arange(x.shape[axis], device=device)
            hidden = (place >= first[:, None]) & (place < (first + wide)[:, None])
            x = torch.where(hidden.unsqueeze(3 - axis), mean, x)
    return x, real


def _states(encoder, clips, device):
    """Mean and deviation of the states of each layer [shape=(clips, layers, 768)]."""
    import torch

    order = np.argsort([len(clip) for clip in clips])
    parts = []
    with torch.no_grad():
        for first in range(0, len(order), 64):
            x, real = _batch(clips, order[first : first + 64], device)
            parts.append(encoder(x, real).float())
    states = torch.empty(len(order), *parts[0].shape[1:], device=device)
    states[torch.tensor(order, device=device)] = torch.cat(parts)
    return states


def _probe(states, y, shares, c):
    """A logistic regression for each layer, on z-scores."""
    import torch

    mean, scale = states.mean(0), states.std(0) + 1e-5
    x = ((states - mean) / scale).transpose(0, 1)
    weight = torch.tensor(shares * len(y), dtype=torch.float32, device=y.device)
    kernel = torch.zeros(len(LAYERS), x.shape[2], len(LABELS), device=y.device, requires_grad=True)
    bias = torch.zeros(len(LAYERS), 1, len(LABELS), device=y.device, requires_grad=True)
    solver = torch.optim.LBFGS([kernel, bias], max_iter=60, history_size=20, line_search_fn="strong_wolfe")

    def loss():
        solver.zero_grad()
        logits = torch.bmm(x, kernel) + bias
        each = torch.nn.functional.cross_entropy(
            logits.permute(1, 2, 0), y[:, None].expand(-1, len(LAYERS)), reduction="none"
        )
        total = c * (each * weight[:, None]).sum() + 0.5 * (kernel**2).sum()
        total.backward()
        return total

    solver.step(loss)
    return {"mean": mean, "scale": scale, "kernel": kernel.detach(), "bias": bias.detach()[:, 0]}


def assemble(args):
    """The run folder that serlib ships: model, run.json, split.csv."""
    import pandas as pd

    from serlib.features.spec import SPECS
    from serlib.training import calibration, novelty
    from serlib.training import run as runs

    stored = dict(np.load(args.input / "weights.npz"))
    table = pd.read_csv(args.input / "table.csv", dtype={"speaker": str, "text": str}).assign(role="train")
    args.to.mkdir(parents=True, exist_ok=True)
    save(model(stored), args.to / "model.keras")
    loaded = runs.load_model(args.to / "model.keras")
    learned = novelty.learn(table)
    table["speech"] = [Path(file).name for file in table.speech]
    table[["speech", "label", "speaker", "text", "corpus", "digest", "role"]].to_csv(args.to / "split.csv", index=False)
    (args.to / "history.csv").write_text("epoch,loss,val_loss\n")
    spec = SPECS["whisper-frames"]
    info = {
        "format": runs.FORMAT,
        "recipe": {
            "name": "released",
            "title": "Whisper tiny's first three blocks, tuned and frozen, on RAVDESS and nEMO",
            "source": "this project, bench/released.py; README.md beside this file",
            "normalise": "none",
            "features": spec.to_dict(),
        },
        "seed": list(args.seeds),
        "labels": list(LABELS),
        "features": spec.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": {"kind": "speaker", "protocol": "held-out"},
        "counts": {"train": len(table), "validation": 0, "test": 0},
        "parameters": loaded.count_params(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")},
        },
        "calibration": calibration.fit(stored["held_out.y"], np.exp(stored["held_out.log_p"])),
        "probes": runs.probe(loaded, spec, list(LABELS)),
        "domain": learned,
    }
    (args.to / "run.json").write_text(json.dumps(info, indent=1), encoding="utf-8")
    runs.Run.load(args.to)


def model(stored):
    """The Keras model of the weights that `tune` wrote: log-mel in, probabilities out."""
    import keras

    from serlib.features import encoder, weights
    from serlib.models import layers

    inputs = keras.Input((None, encoder.MELS), name="features")
    answers = []

    def head(x, name, layer, kernel, bias, mean, scale):
        """A linear layer on the z-scores of one layer's means and deviations, the z-score folded into it."""
        kernel = kernel / scale[:, None]
        place = 384 * (layer - 1)
        whole = np.zeros((2 * 384 * len(LAYERS), len(LABELS)), np.float32)
        whole[place : place + 384] = kernel[:384]
        whole[384 * len(LAYERS) + place : 384 * len(LAYERS) + place + 384] = kernel[384:]
        dense = keras.layers.Dense(len(LABELS), activation="softmax", name=name)
        answers.append(dense(x))
        dense.set_weights([whole, (bias - mean @ kernel).astype(np.float32)])

    for kind in ("tuned", "frozen"):
        values, _, _ = weights.find("whisper-tiny", LAYERS)
        if kind == "tuned":
            values = {name: np.ascontiguousarray(stored[f"e.{name}"].T) for name in values}
        part = encoder.WhisperEncoder(LAYERS, source="whisper-tiny", name=kind)
        pooled = layers.StatisticsPooling(name=f"{kind}_statistics")(part(inputs))
        part.set(values)
        if kind == "tuned":
            kernel, bias = stored["h.2.weight"].T, stored["h.2.bias"]
            scale = np.sqrt(stored["h.0.running_var"] + 1e-5)
            head(pooled, "tuned_head", LAYERS[-1], kernel, bias, stored["h.0.running_mean"], scale)
        for n, layer in enumerate(LAYERS):
            parts = [stored[f"{kind}.{key}"][n] for key in ("kernel", "bias", "mean", "scale")]
            head(pooled, f"{kind}_probe_{layer}", layer, *parts)
    answer = layers.Committee((1 / 3, *[1 / 9] * 6), name="probabilities")(answers)
    made = keras.Model(inputs, answer, name="released")
    made.compile(loss="categorical_crossentropy", metrics=["accuracy"])  # to be judged, not to be trained
    return made


def save(made, path):
    """A `.keras` file, compressed: what was tuned is a few steps of a byte away from its source."""
    raw = path.with_name("raw.keras")
    made.save(raw)
    with zipfile.ZipFile(raw) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as small:
        for name in plain.namelist():
            small.writestr(name, plain.read(name))
    raw.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("frames")
    step.add_argument("corpus", nargs="+", help="ravdess FOLDER nemo FOLDER")
    step.add_argument("--to", type=Path, required=True)
    step.set_defaults(run=frames)
    step = steps.add_parser("tune")
    step.add_argument("--in", dest="input", type=Path, required=True)
    step.add_argument("--steps", type=int, default=600)
    step.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    step.set_defaults(run=tune)
    step = steps.add_parser("assemble")
    step.add_argument("--in", dest="input", type=Path, required=True)
    step.add_argument("--to", type=Path, required=True)
    step.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    step.set_defaults(run=assemble)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
