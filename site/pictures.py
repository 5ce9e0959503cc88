"""Take the pictures of the README and of notebook 09 in a real JupyterLab, on the sample corpus.

    python site/pictures.py

writes `docs/pictures/widgets.png` (explorer, gallery and microphone) and `docs/pictures/microphone.png`, which
notebooks/build.py puts in the microphone's place in notebook 09. The model in
them is system A, trained for the picture on a small sample corpus: its answers are no result. Chromium must be
installed; the JupyterLab and the browser are those of `tests/browser`.
"""

import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURES = CHECKOUT / "docs" / "pictures"
WORDS = 12
COLOURS = 256
#: What is to be seen, for those who cannot see it.
DESCRIPTIONS = {
    "widgets": "Three widgets of the notebooks: a clip as waveform and spectrogram with its pitch, a confusion matrix "
    "whose cells list their clips with what drove the answer, and the microphone with an answer and a bar for each "
    "emotion.",
    "microphone": "The microphone widget after a take: a Record button and a level meter, the answer angry with a bar "
    "for each emotion, and the waveform and spectrogram of what was said. Here a clip of the sample corpus was played "
    "to it.",
}

CELLS = """
import serlib
from serlib import widgets
index = serlib.index("sample", {corpus!r}, show=False)
run = serlib.Run.load({run!r})
report = serlib.evaluate(run, show=False)
---
widgets.explorer(index)
---
widgets.gallery(report, run)
---
widgets.live(serlib.Recognizer(run, threshold=0))
"""


def train(folder):
    """Make a small sample corpus and a run; returns their folders and the clip that the microphone will hear."""
    import serlib
    from serlib.corpora import sample

    corpus = sample.make(folder / "sample", words=WORDS, show=False)
    index = serlib.index("sample", corpus, show=False)
    recipe = replace(serlib.RECIPES["lstm-256"], batch_size=16, epochs=60, learning_rate=0.002, schedule="cosine")
    table = serlib.split(index, "random", seed=0)
    run = serlib.fit(recipe, table, out=folder / "run", show=False)
    clip = index[index.label == "angry"].iloc[0]
    y, rate_hz = soundfile.read(clip.speech)
    room = 1e-4 * np.random.default_rng(0).standard_normal(5 * rate_hz)
    fed = folder / "fed.wav"
    soundfile.write(fed, np.concatenate([room[:rate_hz], y, room]), rate_hz, subtype="PCM_16")
    return corpus, run.folder, fed


def shot(cell, *, down_to):
    """The widget in a cell's output as PIL's image, from its top to the lower end of one of its parts."""
    whole = cell.locator(".widget-vbox").first
    whole.scroll_into_view_if_needed()
    picture = Image.open(io.BytesIO(whole.screenshot())).convert("RGB")
    box, last = whole.bounding_box(), cell.locator(down_to).first.bounding_box()
    return picture.crop((0, 0, picture.width, round(last["y"] + last["height"] - box["y"])))


def stack(*pictures):
    """Pictures one below the other on white."""
    gap = 16
    height = sum(picture.height + gap for picture in pictures) - gap
    sheet = Image.new("RGB", (max(picture.width for picture in pictures), height), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    return sheet


def write(picture, name):
    """Write a picture with few colours, so that it stays small, and with its description in it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    info = PngInfo()
    info.add_itxt("Description", DESCRIPTIONS[name])
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True, pnginfo=info)
    print(f"{path.relative_to(CHECKOUT)}: {picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB")


def main():
    """Take all pictures."""
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]
    from browser.conftest import CHROMIUM, FLAGS, Lab, Server

    with tempfile.TemporaryDirectory(prefix="serlib-") as folder, sync_playwright() as playwright:
        folder = Path(folder)
        corpus, run, fed = train(folder)
        (folder / "lab").mkdir()
        server = Server(folder / "lab")
        try:
            server.wait()
            microphone = (
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={fed}%noloop",
            )
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *microphone])
            lab = Lab(server, lambda *flags: browser, folder)
            cells = CELLS.format(corpus=str(corpus), run=str(run)).split("---")
            notebook = lab.open(cells=[text.strip() for text in cells])
            notebook.run()
            page = notebook.page
            page.get_by_text("of its").or_(page.get_by_text("No single stretch")).first.wait_for()
            explorer = shot(notebook.cell(1), down_to=".serlib-scope .body")
            gallery = shot(notebook.cell(2), down_to=".serlib-scope .body")
            live = notebook.cell(3)
            live.get_by_role("button", name="Record").click()
            live.locator(".heard strong").wait_for()
            page.wait_for_timeout(4000)
            live.get_by_role("button", name="Stop").click()
            live.get_by_text("of the whole recording").wait_for()
            live.locator(".serlib-scope .stage").wait_for()
            write(stack(explorer, gallery, shot(live, down_to=".serlib-live")), "widgets")
            write(shot(live, down_to=".serlib-scope .body"), "microphone")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
