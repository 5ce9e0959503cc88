"""Training: seeds, roles, augmentation, resuming after a kill."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serlib import augment
from serlib.features import FeatureSpec, extract, normalisation
from serlib.models import RECIPES, layer, stack
from serlib.splits import clips_of_role, split
from serlib.training import fitting, state
from serlib.training.run import FILES
from serlib.training.state import Training
from serlib.utils import SerlibError

#: Short frames of few columns, quick to compute and to learn from.
FRAMES = FeatureSpec(rate_hz=8000, frame=512, hop=256, kinds=("logmel",), n_mels=16, n_mfcc=13, trim_db=40)


@pytest.fixture
def frames_recipe(tiny_recipe):
    """A recipe on frames of variable length."""
    build = stack(
        layer("MaskedConv1D", 8, 3, activation="relu"),
        layer("StatisticsPooling"),
        layer("Dense", 8, activation="relu", kernel_regularizer="l2"),
        layer("Dropout", 0.1),
    )
    return replace(tiny_recipe, name="frames", features=FRAMES, build=build)


@pytest.mark.filterwarnings("ignore:Layer 'conv1d:UserWarning")
def test_layers_that_take_padding_for_sound_are_refused(frames_recipe, tone_table, tmp_path):
    """They were confident to 0.71 of a clip in evaluate and to 1.00 in predict."""
    plain = stack(layer("Conv1D", 8, 3), layer("GlobalAveragePooling1D"))
    with pytest.raises(SerlibError, match="The answers of frames depend on the padding behind a clip"):
        fitting.fit(replace(frames_recipe, build=plain), tone_table, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())  # another recipe may take the folder
    of_one_length = replace(frames_recipe, build=plain, features=replace(FRAMES, frames=20))
    assert fitting.fit(of_one_length, tone_table, out=tmp_path / "run", epochs=1).history.epoch.tolist() == [1]


def told(run):
    return run.history.drop(columns="seconds")


def test_same_seed_same_history_other_seed_another(tiny_recipe, tone_table, tmp_path):
    runs = [
        fitting.fit(tiny_recipe, tone_table, out=tmp_path / str(i), seed=seed, epochs=2)
        for i, seed in enumerate((1, 1, 2))
    ]
    first, again, other = (run.history.drop(columns="seconds") for run in runs)
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first.loss, other.loss)


def test_test_role_is_not_looked_at(tiny_recipe, tone_table, tmp_path):
    """Other labels on the test clips change nothing in training; other labels on validation clips do."""
    histories = {}
    for role in (None, "test", "validation"):
        table = tone_table.copy()
        table.attrs = tone_table.attrs
        if role:
            mask = table.role == role
            table.loc[mask, "label"] = table.loc[mask, "label"].to_numpy()[::-1]
        run = fitting.fit(tiny_recipe, table, out=tmp_path / str(role), epochs=2)
        histories[role] = run.history.drop(columns="seconds")
    pd.testing.assert_frame_equal(histories[None], histories["test"])
    assert not histories[None].val_loss.equals(histories["validation"].val_loss)


def test_published_protocol_validates_on_the_test_role(tiny_recipe, tone_index, tmp_path):
    table = split(tone_index, "published", seed=0)
    run = fitting.fit(tiny_recipe, table, out=tmp_path / "run", epochs=1)
    assert run.protocol == "published"
    assert run.info["counts"]["validation"] == run.info["counts"]["test"] == (table.role == "test").sum()


def test_interrupted_training_goes_on_as_if_nothing_had_happened(tiny_recipe, tone_table, tmp_path):
    recipe = replace(tiny_recipe, patience=9, plateau=(0.5, 1), keep="best")
    whole = fitting.fit(recipe, tone_table, out=tmp_path / "whole", epochs=5)

    def pull_the_plug(history):
        if len(history) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, after_epoch=pull_the_plug)
    assert not (tmp_path / "cut").exists()
    with pytest.raises(SerlibError, match="holds an interrupted training; go on with it"):
        fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5)
    with pytest.raises(SerlibError, match=r"other seed \(0, not 4\)"):
        fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, seed=4, resume=True)
    resumed = fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, resume=True)
    pd.testing.assert_frame_equal(whole.history.drop(columns="seconds"), resumed.history.drop(columns="seconds"))
    for ours, theirs in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(FILES)


def test_every_setting_goes_on_as_if_nothing_had_happened(frames_recipe, tone_table, tmp_path):
    recipe = replace(
        frames_recipe,
        normalise="speaker",
        label_smoothing=0.1,
        optimizer="adamw",
        weight_decay=0.01,
        schedule="cosine",
        plateau=(0.5, 1),
        balanced=True,
        augment=(augment.Copies(1, (augment.Stretch((1.1, 1.3)),)), augment.Mixup(0.3), augment.SpecAugment()),
    )
    whole = fitting.fit(recipe, tone_table, out=tmp_path / "whole", epochs=4)

    def pull_the_plug(history):
        if len(history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=4, after_epoch=pull_the_plug)
    resumed = fitting.fit(recipe, tone_table, out=tmp_path / "cut", epochs=4, resume=True)
    pd.testing.assert_frame_equal(told(whole), told(resumed))
    for ours, theirs in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    held = json.loads((tmp_path / "cut" / "run.json").read_text())["recipe"]
    assert [one["name"] for one in held["augment"]] == ["Copies", "Mixup", "SpecAugment"]
    assert held["build"][1] == "StatisticsPooling()" and held["normalise"] == "speaker"
    with pytest.raises(SerlibError, match="has other recipe"):
        fitting.fit(replace(recipe, augment=()), tone_table, out=tmp_path / "cut", epochs=4, resume=True)
    with pytest.raises(SerlibError, match="has other recipe"):
        other = stack(layer("StatisticsPooling"))
        fitting.fit(replace(recipe, build=other), tone_table, out=tmp_path / "cut", epochs=4, resume=True)


@pytest.mark.parametrize("balanced", [False, True])
def test_an_epoch_is_that_of_keras_fit(frames_recipe, tone_table, tmp_path, balanced):
    """Our loop gives the loss and accuracy of `model.fit` with the same clips, order and dropout."""
    import keras

    from serlib.training import schedule

    keep = (tone_table.label != "sad") | (tone_table.index % 4 == 0)  # a rare label
    table = tone_table[keep].reset_index(drop=True)
    table.attrs = tone_table.attrs
    recipe = replace(frames_recipe, balanced=balanced, augment=(augment.SpecAugment(),))
    run = fitting.fit(recipe, table, out=tmp_path / "run", epochs=1)

    labels = run.labels
    values, _ = normalisation.inputs(table, FRAMES, "training")
    (x, y), (val_x, val_y) = (
        (values[part.index], np.eye(7, dtype=np.float32)[[labels.index(label) for label in part.label]])
        for part in (clips_of_role(table, "train"), clips_of_role(table, "validation"))
    )
    keras.utils.set_random_seed(0)
    model = recipe.model(7, shape=(None, x.shape[2]), examples=x)
    rng = np.random.default_rng([0, 1])
    fitting._reseed(model, rng)
    [(x, y)] = schedule.draw(recipe, schedule.Examples(x, y, columns=[f"logmel_{i}" for i in range(16)]), rng)
    seen = model.fit(
        x,
        y,
        batch_size=recipe.batch_size,
        shuffle=False,
        validation_data=(val_x, val_y),
        verbose=0,
    ).history
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert run.history[name][0] == pytest.approx(seen[name][0], rel=1e-6)
    for ours, theirs in zip(run.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_mixed_precision_trains_and_keeps_a_model_in_single_precision(frames_recipe, tone_table, tmp_path):
    import keras

    before = keras.config.dtype_policy().name
    recipe = replace(frames_recipe, precision="mixed_bfloat16")
    begun = recipe.model(7, shape=(None, 16), examples=np.ones((2, 5, 16), np.float32))
    kinds = {layer.name: layer.compute_dtype for layer in begun.layers}
    assert kinds["z_score"] == kinds["probabilities"] == "float32" and "bfloat16" in kinds.values()
    assert {str(weight.dtype) for weight in begun.get_weights()} == {"float32"}
    assert keras.config.dtype_policy().name == before
    mixed, single = (
        fitting.fit(recipe, tone_table, out=tmp_path / recipe.precision, epochs=8) for recipe in (recipe, frames_recipe)
    )
    assert {layer.compute_dtype for layer in mixed.model.layers} == {"float32"}
    assert mixed.history.loss.iloc[-1] < 0.8 * mixed.history.loss[0]
    assert mixed.history.loss.tolist() == pytest.approx(single.history.loss.tolist(), rel=0.05)
    assert mixed.history.loss.tolist() != single.history.loss.tolist()
    assert [run.info["recipe"]["precision"] for run in (mixed, single)] == ["mixed_bfloat16", "float32"]


def test_features_larger_than_memory_train_the_same_model(frames_recipe, tone_table, tmp_path, monkeypatch):
    """Read piece by piece they give the weights that they give at once: the order is the same, nothing is mixed."""
    runs = []
    for size_bytes in (2**29, 2**15):
        monkeypatch.setattr(normalisation, "BLOCK_BYTES", size_bytes)
        runs.append(fitting.fit(frames_recipe, tone_table, out=tmp_path / str(size_bytes), epochs=2))
    for whole, pieces in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-7)
    assert runs[0].history.val_loss.tolist() == pytest.approx(runs[1].history.val_loss.tolist(), rel=1e-5)


def test_what_is_learned_from_is_mapped_so_that_processes_share_it(frames_recipe, tone_table):
    examples = fitting._examples(Training(frames_recipe, tone_table, 0, 1, Path("run")), jobs=1, show=False)
    for rows_of_role in (examples.x, examples.val_x):
        base = rows_of_role.values
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)


def test_changed_copies_are_those_of_the_training_role(frames_recipe, tone_table):
    change = augment.Copies(2, (augment.Stretch((1.2, 1.4)), augment.Noise()))
    recipe = replace(frames_recipe, augment=(change,), normalise="speaker")
    labels = sorted(set(tone_table.label))
    training = Training(recipe, tone_table, seed=0, epochs=1, out=Path("run"))
    examples = fitting._examples(training, jobs=1, show=False)
    x, y, copies, val_x, val_y = (getattr(examples, name) for name in ("x", "y", "copies", "val_x", "val_y"))
    assert isinstance(x, np.ndarray)  # normalised once, not in each epoch
    train, validation = clips_of_role(tone_table, "train"), clips_of_role(tone_table, "validation")
    assert len(x) == len(y) == len(train) and len(val_x) == len(val_y) == len(validation)
    assert [labels[i] for i in y.argmax(axis=1)] == train.label.tolist()
    raw = extract(tone_table, FRAMES, show=False)
    values = raw.values[:, : raw.lengths.max()]
    voices = normalisation.voices(values, tone_table)  # of the recordings, not of their copies
    np.testing.assert_array_equal(x[:, : values.shape[1]], normalisation.by_speaker(values[train.index], train, voices))
    np.testing.assert_array_equal(val_x, normalisation.by_speaker(values, tone_table, voices)[validation.index])
    made = augment.copies(tone_table, FRAMES, change, jobs=1, show=False)
    assert len(copies) == 2
    for copy, found in zip(made, copies, strict=True):
        expected = normalisation.by_speaker(copy[train.index], train, voices)
        np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
        assert found.shape == x.shape and not found[:, expected.shape[1] :].any()


def test_a_model_of_frames_takes_clips_of_any_length(frames_recipe, tone_table, tmp_path):
    run = fitting.fit(frames_recipe, tone_table, out=tmp_path / "run", epochs=1)
    assert run.model.input_shape == (None, None, 16)
    long = np.random.default_rng(0).normal(size=(2, 700, 16)).astype(np.float32)
    assert run.probabilities(long).shape == (2, 7)


def test_finished_run_is_not_overwritten_by_accident(tiny_recipe, tone_table, tmp_path):
    out = tmp_path / "run"
    run = fitting.fit(tiny_recipe, tone_table, out=out, epochs=1)
    with pytest.raises(SerlibError, match="exists already"):
        fitting.fit(tiny_recipe, tone_table, out=out, epochs=1)
    again = fitting.fit(tiny_recipe, tone_table, out=out, epochs=1, resume=True)
    assert again.info == run.info
    with pytest.raises(SerlibError, match="other epochs"):
        fitting.fit(tiny_recipe, tone_table, out=out, epochs=2, resume=True)
    assert len(fitting.fit(tiny_recipe, tone_table, out=out, epochs=2, overwrite=True).history) == 2


def test_a_training_that_cannot_begin_overwrites_nothing(tiny_recipe, frames_recipe, tone_table, tmp_path):
    """The run was thrown away before the sound was read."""
    out = tmp_path / "run"
    run = fitting.fit(tiny_recipe, tone_table, out=out, epochs=1)
    gone = tone_table.assign(speech=[tmp_path / "gone.wav", *tone_table.speech[1:]], digest="0" * 32)
    plain = stack(layer("LSTM", 4), layer("Dropout", 2.0))
    for recipe, table in ((tiny_recipe, gone), (replace(frames_recipe, build=plain), tone_table)):
        with pytest.raises((SerlibError, ValueError)):
            fitting.fit(recipe, table, out=out, epochs=1, overwrite=True)
    assert fitting.fit(tiny_recipe, tone_table, out=out, epochs=1, resume=True).info == run.info
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_nothing_but_a_run_is_replaced(tiny_recipe, tone_table, tmp_path):
    (tmp_path / "happy").mkdir()
    recording = tmp_path / "happy" / "mine.wav"
    recording.write_bytes(b"all that I have")
    for out in (tmp_path, recording):
        with pytest.raises(SerlibError, match="is no run, so it is not replaced; choose another folder"):
            fitting.fit(tiny_recipe, tone_table, out=out, epochs=1, overwrite=True)
    assert recording.read_bytes() == b"all that I have"
    for begun in (tmp_path / "empty", tmp_path / "killed.partial"):
        begun.mkdir()
    (tmp_path / "killed.partial" / "split.csv").touch()
    fitting.fit(tiny_recipe, tone_table, out=tmp_path / "empty", epochs=1, overwrite=True)
    fitting.fit(tiny_recipe, tone_table, out=tmp_path / "killed", epochs=1, overwrite=True)


def test_what_lies_in_the_place_of_an_interrupted_training_stays(tiny_recipe, tone_table, tmp_path):
    mine = tmp_path / "run.partial" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(SerlibError, match=r"run\.partial is no run, so it is not replaced"):
        fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=1, resume=True)
    assert mine.read_text() == "mine"


def test_the_folder_that_one_is_in_may_be_named(tiny_recipe, tone_table, tmp_path, monkeypatch):
    fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=1)
    monkeypatch.chdir(tmp_path / "run")
    assert fitting.fit(tiny_recipe, tone_table, out=".", epochs=1, resume=True).kind == "random"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.assign(role=["unused", *table.role[1:]]), "has the role 'unused'"),
        (lambda table: table[table.role != "train"], "has the role train"),
        (lambda table: table[(table.role != "train") | (table.label != "sad")], "No clip labelled sad has the role"),
        (lambda table: table[table.role != "validation"], "No clip has the role validation"),
    ],
)
def test_roles_that_cannot_be_trained_on_are_told_before_the_training(tiny_recipe, tone_table, tmp_path, change, said):
    """They ended in tracebacks, or in a run that could not be loaded, after all epochs."""
    with pytest.raises(SerlibError, match=said):
        fitting.fit(tiny_recipe, change(tone_table), out=tmp_path / "run", epochs=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5])
def test_a_seed_that_is_none_is_refused(tiny_recipe, tone_table, tmp_path, seed):
    with pytest.raises(SerlibError, match=f"The seed is {seed}; choose a whole number from 0"):
        fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", seed=seed)


def test_members_that_are_only_described_otherwise_are_the_same():
    recipe = json.loads(json.dumps(RECIPES["committee"].to_dict()))
    described = {**recipe, "members": [{**member, "title": "another"} for member in recipe["members"]]}
    other = {**recipe, "members": [{**member, "batch_size": 7} for member in recipe["members"]]}
    assert state._identity(described) == state._identity(recipe) != state._identity(other)


@pytest.mark.parametrize("names", [(".git", ".env"), ("split.csv",)])
def test_what_only_looks_empty_is_not_replaced(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(SerlibError, match="is no run, so it is not replaced"):
        state.throw_away(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_training_at_work_is_not_thrown_away(tiny_recipe, tone_table, tmp_path):
    with state.at_work(tmp_path / "run.partial"):
        (tmp_path / "run.partial" / "plan.json").write_text("{}")
        with pytest.raises(SerlibError, match="Another process is training in"):
            fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=1, overwrite=True)
        assert (tmp_path / "run.partial" / "plan.json").exists()


def test_nothing_is_open_in_the_folder_that_gets_its_name(tmp_path):
    """Windows renames no folder while a file in it is open, so that the lock lies beside it."""
    with state.at_work(tmp_path / "run.partial"):
        assert not list((tmp_path / "run.partial").iterdir())
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".run.partial.lock"]
    assert not list(tmp_path.iterdir())


def test_the_order_of_the_rows_is_not_their_number(tiny_recipe, tone_table, tmp_path):
    """Rows shuffled and taken out by hand keep their labels and features together."""
    expected = fitting.fit(tiny_recipe, tone_table.sort_values("speech"), out=tmp_path / "a", epochs=8)
    shuffled = tone_table.sample(frac=1, random_state=0)
    run = fitting.fit(tiny_recipe, shuffled, out=tmp_path / "b", epochs=8)
    assert min(each.info["metrics"]["accuracy"] for each in (run, expected)) > 0.6  # with labels of others: below 0.4
    assert run.info["domain"]["mean"] == pytest.approx(expected.info["domain"]["mean"], rel=1e-3)
    some = shuffled[(shuffled.role != "train") | (shuffled.label != "sad") | (shuffled.speaker == "OAF")]
    fewer = fitting.fit(tiny_recipe, some, out=tmp_path / "c", epochs=1)
    assert fewer.info["counts"]["train"] < run.info["counts"]["train"]


def test_a_table_without_digests_is_the_same_training(tiny_recipe, tone_index, tmp_path):
    table = split(tone_index[["speech", "label"]].rename(columns={"speech": "path", "label": "emotion"}), "random")
    run = fitting.fit(tiny_recipe, table, out=tmp_path / "run", epochs=1)
    facts = ["speech", "digest", "duration_s"]
    pd.testing.assert_frame_equal(run.split[facts], tone_index[facts])
    assert fitting.finished(tiny_recipe, table, out=tmp_path / "run", epochs=1)


def test_only_what_a_table_does_not_say_is_read(tone_index):
    half_known = tone_index.assign(digest=tone_index.digest.where(tone_index.index > 2))
    half_known.loc[5:, ["duration_s", "rate_hz"]] = np.nan
    columns = ["digest", "duration_s", "rate_hz"]
    pd.testing.assert_frame_equal(state.with_files(half_known)[columns], tone_index[columns], check_dtype=False)


def test_a_table_that_forgot_its_split_is_refused_before_it_is_trained(tiny_recipe, tone_table, tmp_path):
    merged = tone_table.merge(pd.DataFrame({"speaker": ["OAF", "YAF"], "age": [26, 64]}))
    with pytest.raises(SerlibError, match=r"does not say how it was split .* make it with serlib.split last"):
        fitting.fit(tiny_recipe, merged, out=tmp_path / "run", epochs=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["speaker", "text", "corpus"])
def test_other_speakers_or_texts_are_another_training(tiny_recipe, tone_table, tmp_path, column):
    fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=1)
    other = tone_table.assign(**{column: "other"})
    with pytest.raises(SerlibError, match="other clips or roles"):
        fitting.fit(tiny_recipe, other, out=tmp_path / "run", epochs=1, resume=True)


#: A process that wants to train in a folder whenever it is asked, and prints what it is told.
SECOND = """
import sys
from pathlib import Path
from serlib.training import state
from serlib.utils import SerlibError
for _ in sys.stdin:
    try:
        with state.at_work(Path(sys.argv[1])):
            print("it is free", flush=True)
    except SerlibError as error:
        print(error, flush=True)
"""


def test_two_trainings_do_not_share_a_folder(tiny_recipe, tone_table, tmp_path):
    """What the second is told while the first is at work; nothing of the first is lost."""
    command = [sys.executable, "-c", SECOND, str(tmp_path / "run.partial")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second:

        def ask(history=None):
            second.stdin.write("\n")
            second.stdin.flush()
            told.append(second.stdout.readline())

        told = []
        run = fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=2, after_epoch=ask)
        ask()
    *during, after = told
    assert len(during) == 2 and all("Another process is training in" in answer for answer in during)
    assert after == "it is free\n"
    assert len(run.history) == 2 and {path.name for path in run.folder.iterdir()} == {*FILES}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_model_that_cannot_be_loaded_again_is_refused_after_an_epoch(tiny_recipe, tone_table, tmp_path):
    import keras

    def build(x, n_labels):
        return keras.layers.Dense(n_labels, activation="softmax")(keras.layers.Lambda(lambda x: 2 * x)(x))

    epochs = []
    with pytest.raises(SerlibError, match=r"tiny cannot be loaded again once it is saved .* build it without Lambda"):
        fitting.fit(
            replace(tiny_recipe, build=build), tone_table, out=tmp_path / "run", epochs=5, after_epoch=epochs.append
        )
    assert not epochs


def test_best_weights_are_kept_where_the_recipe_asks(tiny_recipe, tone_table, tmp_path):
    recipe = replace(tiny_recipe, keep="best", learning_rate=0.3, patience=3)  # so high that the loss goes up again
    run = fitting.fit(recipe, tone_table, out=tmp_path / "run", epochs=8)
    assert run.info["kept_epoch"] == int(run.history.val_loss.argmin()) + 1
    assert run.info["metrics"]["val_loss"] == pytest.approx(run.history.val_loss.min(), abs=1e-5)


def test_numbers_of_numpy_are_numbers(tiny_recipe, tone_index, tmp_path):
    """run.json could not be written: with a split's after all epochs, with a training's before the first."""
    table = split(tone_index, "random", seed=np.int64(1), fold=np.int64(0), folds=np.int64(4))
    for seed in np.arange(1, 2):
        options = {"out": tmp_path / "run", "seed": seed, "epochs": np.int64(1)}
        run = fitting.fit(tiny_recipe, table, **options)
        assert fitting.finished(tiny_recipe, table, **options)
    assert (run.info["seed"], run.info["epochs"]) == (1, 1)
    assert [run.info["split"][name] for name in ("seed", "fold", "folds")] == [1, 0, 4]


def test_a_loss_that_is_not_finite_is_said(tiny_recipe, tone_table, tmp_path, monkeypatch):
    with pytest.raises(SerlibError, match="not finite in epoch"):
        fitting.fit(replace(tiny_recipe, learning_rate=1e38), tone_table, out=tmp_path / "run", epochs=5)
    monkeypatch.setattr(fitting, "_validate", lambda *_: {"val_loss": np.nan, "val_accuracy": 0.1})
    with pytest.raises(SerlibError, match="not finite in epoch 1"):  # argmin would take it for the best
        fitting.fit(replace(tiny_recipe, keep="best"), tone_table, out=tmp_path / "best", epochs=2)
    for epochs in (0, 1.5, "3"):
        with pytest.raises(SerlibError, match=f"at least one epoch, not {epochs}; choose a whole number"):
            fitting.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=epochs)


@pytest.mark.real
def test_system_a_reaches_95_percent_on_tess_under_the_published_protocol(real_index, home, tmp_path):
    from serlib.evaluation import evaluate

    table = split(real_index("tess"), "published", seed=0)
    report = evaluate(fitting.fit("lstm-256", table, out=tmp_path / "run", epochs=15))
    assert report.accuracy >= 0.95
    assert report.n_test == 560
