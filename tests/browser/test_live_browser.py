"""serlib.widgets.listening in a real browser, whose microphone is fed from a file."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serlib import Recognizer, audio
from serlib.widgets.oscilloscope import stretches


@pytest.fixture(scope="module")
def opened(module_lab, live_run, spoken):
    """A notebook with `live`, in a browser whose microphone plays the clip once."""
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    cells = [
        "import serlib\nfrom serlib import widgets",
        f"live = widgets.live(serlib.Recognizer({str(live_run.folder)!r}), folder='mine')\nlive",
    ]
    notebook = module_lab.open(cells=cells, flags=(*flags, f"--use-file-for-fake-audio-capture={spoken[1]}%noloop"))
    notebook.run()
    notebook.page.get_by_role("button", name="Record").wait_for()
    return notebook


def predicted(live_run, path):
    """What the command says of a file."""
    command = [sys.executable, "-m", "serlib", "predict", str(live_run.folder), str(path), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_what_the_microphone_hears_is_what_predict_says(opened, live_run, spoken):
    page = opened.page
    page.evaluate("""() => {
        window.answers = [];
        new MutationObserver(() => {
            const bars = [...document.querySelectorAll(".serlib-live .row .share")].map((node) => node.textContent);
            const label = document.querySelector(".serlib-live .heard strong")?.textContent;
            if (label) window.answers.push([performance.now(), label, bars.join(" ")]);
        }).observe(document.querySelector(".serlib-live .says"), { childList: true });
        const meter = document.querySelector(".serlib-live .meter");
        new MutationObserver(() => {
            if (meter.getAttribute("aria-valuenow") > -40) window.loud = performance.now();
        }).observe(meter, { attributeFilter: ["aria-valuenow"] });
    }""")
    page.get_by_role("button", name="Record").click()
    opened.until("live.microphone.recording")
    page.wait_for_function("document.querySelector('.serlib-live .meter').getAttribute('aria-valuenow') > -30")
    opened.picture("live-speaking", page.locator(".serlib-live"))
    page.wait_for_function("window.answers.length >= 4")  # while the recording goes on
    page.wait_for_function("performance.now() - window.loud > 500 && window.answers.at(-1)[0] > window.loud")
    times = [time for time, *_ in page.evaluate("window.answers")]
    assert opened.evaluate("live.microphone.recording") == "True"
    page.get_by_role("button", name="Stop").click()
    opened.until("live.microphone.answer['final']")
    expected = predicted(live_run, spoken[0])
    assert page.locator(".serlib-live .heard strong").inner_text() == expected["label"]
    opened.until(f"live.microphone.answer['label'] == {expected['label']!r} and not live.microphone.recording")
    latency_s = float(opened.evaluate("live.microphone.latency_s"))
    rate = (len(times) - 1) / (times[-1] - times[0]) * 1000
    word_end = page.evaluate("window.loud")
    after_s = (min(time for time in times if time > word_end) - word_end) / 1000
    print(f"\n{rate:.1f} answers a second, the last {latency_s:.2f} s after the sound; {after_s:.2f} s after the word")
    assert rate > 2


def test_the_take_is_replayed_and_saved(opened, spoken):
    page = opened.page
    scope = page.locator(".serlib-scope")
    scope.wait_for()
    data = scope.evaluate(
        "async (node) => [...new Uint8Array(await (await fetch(node.querySelector('audio').src)).arrayBuffer())]"
    )
    y, rate_hz = soundfile.read(io.BytesIO(bytes(data)))
    spoken, spoken_hz = audio.load(spoken[0])
    assert len(y) / rate_hz == pytest.approx(len(spoken) / spoken_hz + 0.2, abs=0.2)
    heard, said = (
        np.fft.rfftfreq(len(s), 1 / r)[abs(np.fft.rfft(s)).argmax()] for s, r in ((y, rate_hz), (spoken, spoken_hz))
    )
    assert heard == pytest.approx(said, abs=8)  # it is that clip
    scope.get_by_role("button", name="Play").click()
    stage = scope.get_by_role("slider").element_handle()
    page.wait_for_function("stage => stage.getAttribute('aria-valuenow') > 0.1", arg=stage)
    page.get_by_label("Label:").fill("happy")
    page.get_by_label("Label:").press("Enter")
    page.get_by_role("button", name="Save this take").click()
    page.get_by_text("me_happy_001.wav").wait_for()
    assert opened.evaluate("serlib.index('folder', 'mine').label.tolist()") == "['happy']"
    opened.picture("live-take", page.locator(".widget-vbox").first)


def test_a_file_is_opened_and_a_long_one_has_a_timeline(opened, live_run, tone_index, tmp_path):
    path = tone_index.speech.iloc[0]
    choose = opened.page.locator(".serlib-live input[type=file]")
    choose.set_input_files(path)
    opened.until("live.microphone.answer['label']", repr(predicted(live_run, path)["label"]))
    y = np.concatenate([audio.load(speech)[0] for speech in tone_index.speech[::4]])
    soundfile.write(tmp_path / "long.wav", y, 16000)
    always = "setattr(live._recognizer, 'threshold', 0), setattr(live._recognizer, '_domain', None)"
    assert opened.evaluate(always) == "(None, None)"  # tones are no speech: it would be unsure throughout
    choose.set_input_files(tmp_path / "long.wav")
    opened.page.get_by_role("group", name="long.wav").wait_for()
    told = Recognizer(live_run, threshold=0).timeline(tmp_path / "long.wav")
    expected = [each["label"] for each in stretches(told, len(y) / 16000)]
    assert len(expected) > 1, "nothing to see"
    assert opened.page.locator(".strip span").all_inner_texts() == expected
    for theme in ("dark", "light"):
        opened.theme(theme)
        opened.picture(f"live-long-{theme}", opened.page.locator(".widget-vbox").first)


def test_a_file_is_dropped(opened, tone_index):
    data = list(Path(tone_index.speech.iloc[-1]).read_bytes())
    opened.page.evaluate(
        """(data) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "dropped.wav", { type: "audio/wav" }));
            const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
            document.querySelector(".serlib-live").dispatchEvent(drop);
        }""",
        data,
    )
    opened.page.get_by_role("group", name="dropped.wav").wait_for()


def test_a_page_that_may_not_use_the_microphone_says_so(opened):
    opened.page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true })")
    try:
        opened.page.get_by_role("button", name="Record").click()
        opened.page.get_by_text("only to pages from https").wait_for()
    finally:
        opened.page.evaluate("delete navigator.mediaDevices")
