// The recording side of listening.py: the browser's microphone as pieces of PCM for the kernel, a level meter, and what the
// kernel answers. No sound is kept here.

const PIECE_S = 0.1; // sound that is sent at once
const SLICE = 1 << 20; // bytes of a file that are sent at once: a Jupyter server closes at 10 MB
const FLOOR_DB = -60; // left end of the level meter

// Runs in the browser's audio thread: gathers samples, sends 16 bit.
const WORKLET = `registerProcessor("serlib-pieces", class extends AudioWorkletProcessor {
  constructor() { super(); this.piece = new Int16Array(Math.round(${PIECE_S} * sampleRate)); this.n = 0; }
  process([[samples]]) {
    for (const x of samples ?? []) {
      this.piece[this.n++] = 32767 * Math.max(-1, Math.min(1, x));
      if (this.n === this.piece.length) { this.port.postMessage(this.piece.slice()); this.n = 0; }
    }
    return true;
  }
});`;

function make(tag, className, parent, { text, ...attributes } = {}) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function render({ model, el }) {
  const root = make("div", "serlib-live", el, { role: "group", "aria-label": "Speak to the model" });
  root.dataset.lmSuppressShortcuts = "true";
  const bar = make("div", "bar", root);
  const button = make("button", "record", bar, { type: "button" });
  const meter = make("div", "meter", bar, {
    role: "meter", "aria-label": "Level", "aria-valuemin": FLOOR_DB, "aria-valuemax": 0, "aria-valuenow": FLOOR_DB,
  });
  const level = make("span", "", meter);
  const decibels = make("span", "decibels", bar);
  const pick = make("label", "pick", bar, { text: "or drop a sound file here:" });
  const file = make("input", "", pick, { type: "file", accept: model.get("accept") });
  const heard = make("div", "heard", root, { "aria-live": "polite" });
  const bars = make("div", "bars", root, { role: "list", "aria-label": "Probabilities" });
  const says = make("div", "says", root, { role: "status" });

  let context, stream, node, began;
  let gone = false;

  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }

  function state() {
    const on = Boolean(context);
    button.textContent = on ? "■ Stop" : "● Record";
    button.setAttribute("aria-pressed", String(on));
    set({ recording: on });
  }

  function hear(piece) {
    const rate_hz = context.sampleRate;
    model.send({ kind: "sound", rate_hz, stamp: performance.now() }, undefined, [piece.buffer]);
    const power = piece.reduce((sum, x) => sum + x * x, 0) / piece.length / 32768 ** 2;
    const db = Math.max(FLOOR_DB, 10 * Math.log10(power + 1e-12));
    level.style.width = `${100 * (1 - db / FLOOR_DB)}%`;
    meter.setAttribute("aria-valuenow", db.toFixed(0));
    decibels.textContent = `${db.toFixed(0).replace("-", "−")} dB, ${((performance.now() - began) / 1000).toFixed(1)} s`;
  }

  async function start() {
    if (!navigator.mediaDevices) {
      says.textContent = "The browser lends its microphone only to pages from https or from localhost.";
      return;
    }
    says.textContent = "";
    button.disabled = true;
    try {
      // as it is: what makes calls pleasant takes away what an emotion sounds like
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
      stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
      if (gone) return release(); // the cell was run again while the browser asked for leave
      context = new AudioContext();
      const module = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
      await context.audioWorklet.addModule(module);
      URL.revokeObjectURL(module);
      node = new AudioWorkletNode(context, "serlib-pieces");
      node.port.onmessage = (event) => context && hear(event.data);
      model.send({ kind: "start" });
      began = performance.now();
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
    } catch (error) {
      says.textContent = `The microphone cannot be used: ${error.message}`;
      release();
    }
    button.disabled = false;
    state();
  }

  function release() {
    stream?.getTracks().forEach((track) => track.stop());
    context?.close();
    context = stream = undefined;
  }

  function stop() {
    release();
    model.send({ kind: "stop", stamp: performance.now() });
    state();
  }

  function answered() {
    const answer = model.get("answer");
    heard.textContent = "";
    if (!answer.label) return;
    make("strong", "", heard, { text: answer.label });
    const share = `${(100 * answer.confidence).toFixed(0)} %`;
    make("span", "", heard, { text: answer.final ? `${share}, of the whole recording` : share });
    bars.replaceChildren();
    for (const [label, probability, colour] of answer.bars) {
      const row = make("div", "row", bars, { role: "listitem" });
      make("span", "label", row, { text: label });
      const track = make("span", "track", row);
      const fill = make("span", "", track);
      fill.style.width = `${100 * probability}%`;
      fill.style.background = colour;
      make("span", "share", row, { text: `${(100 * probability).toFixed(0)} %` });
    }
    if (answer.stamp !== null) {
      const latency_s = (performance.now() - answer.stamp) / 1000;
      says.textContent = `answered after ${latency_s.toFixed(2)} s`;
      set({ latency_s });
    }
  }

  async function open(chosen) {
    if (!chosen) return;
    says.textContent = `reading ${chosen.name}`;
    const bytes = await chosen.arrayBuffer();
    for (let at = 0; at === 0 || at < bytes.byteLength; at += SLICE) {
      const last = at + SLICE >= bytes.byteLength;
      model.send({ kind: "file", name: chosen.name, last }, undefined, [bytes.slice(at, at + SLICE)]);
    }
    says.textContent = "";
  }

  button.addEventListener("click", () => (context ? stop() : start()));
  file.addEventListener("change", () => open(file.files[0]).then(() => (file.value = "")));
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
    root.classList.add("over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    root.classList.remove("over");
    open(event.dataTransfer.files[0]);
  });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  model.on("change:answer", answered);
  state();
  answered();

  return () => {
    gone = true;
    release();
    model.off("change:answer", answered);
  };
}

export default { render };
