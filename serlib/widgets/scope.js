// The drawing side of oscilloscope.py: axes and pictures are plain HTML and SVG, so that the theme, the width
// and the zoom of the page take care of themselves; only the playhead moves.

const STEP_S = 0.1; // what an arrow key moves
const TELL_MS = 100; // how often the kernel hears of the playhead
const DRAG_PX = 4; // a pointer that moves less has clicked

const SVG = "http://www.w3.org/2000/svg";

function make(tag, className, parent, properties = {}) {
  const node = document.createElement(tag);
  node.className = className;
  const { text, ...attributes } = properties;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function path(parent, d, attributes) {
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("d", d);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
}

function drawing(parent, className, viewBox) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  parent.append(svg);
  return svg;
}

const percent = (share) => `${100 * share}%`;

// Labels along an axis: the side it grows from, and (share, text) pairs.
function axis(node, side, ticks, name) {
  node.replaceChildren();
  for (const [share, text] of ticks) make("span", "tick", node, { text }).style[side] = percent(share);
  make("span", "name", node, { text: name });
}

// bytes from the kernel -> an address that the page can load; the one before is let go
function address(old, bytes, type) {
  if (old) URL.revokeObjectURL(old);
  return bytes && bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type })) : "";
}

function render({ model, el }) {
  const root = make("div", "serlib-scope", el, { role: "group" });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take L and the arrows for its own
  const bar = make("div", "bar", root);
  const play = make("button", "play", bar, { type: "button" });
  const loop = make("button", "loop", bar, { type: "button", text: "Loop", title: "Repeat the marked region (L)" });
  const lit = make("button", "lit", bar, { type: "button", text: "What drove the answer", "aria-pressed": "true" });
  const pair = model.get("pair");
  const rival = { A: "B", B: "A" }[model.get("letter")];
  const swap = make("button", "swap", bar, { type: "button", text: `Hear ${rival}`, title: "Keys A and B do the same" });
  swap.hidden = !pair;
  const title = make("strong", "title", bar);
  const time = make("span", "time", bar);
  const body = make("div", "body", root);
  const amplitudes = make("div", "amplitudes", body, { "aria-hidden": "true" });
  const names = make("div", "names", body, { "aria-hidden": "true" });
  const hertz = make("div", "hertz", body, { "aria-hidden": "true" });
  const stage = make("div", "stage", body, { role: "slider", tabindex: "0" });
  const decibels = make("div", "decibels", body, { "aria-hidden": "true" });
  const seconds = make("div", "seconds", body, { "aria-hidden": "true" });
  const wave = drawing(stage, "wave", "0 -1 1 2");
  const strip = make("div", "strip", stage);
  const picture = make("div", "picture", stage);
  const image = make("img", "image", picture, { draggable: "false" });
  const overlay = make("img", "overlay", picture, { alt: "", draggable: "false" });
  const lines = drawing(picture, "lines", "0 0 1 1");
  const legend = make("div", "legend", picture, { "aria-hidden": "true" });
  const region = make("div", "region", stage, { "aria-hidden": "true" });
  make("div", "playhead", stage, { "aria-hidden": "true" });
  const letters = pair ? "A and B change the sound, " : "";
  const keys = `Space plays, ${letters}← → move, Shift marks, L loops, Esc forgets the mark; or click and drag`;
  make("div", "keys", root, { text: keys });
  const audio = make("audio", "", root, { preload: "auto" });

  let clip, told, timer, frame;
  let begun = false; // a page may be opened in the middle of a clip, another clip always begins at its start
  const length = () => clip.duration_s;
  const bounds = () => (model.get("region").length ? model.get("region") : [0, length()]);
  const inside = (t) => Math.min(Math.max(t, 0), length());
  const now = () => inside(audio.currentTime);

  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }

  function tell() {
    clearTimeout(timer);
    timer = undefined;
    told = now();
    const [number, t] = model.get("at");
    if (number !== clip.number || t !== told) set({ at: [clip.number, told] });
  }

  function place() {
    const t = now();
    stage.style.setProperty("--at", t / clip.span_s);
    stage.setAttribute("aria-valuenow", t.toFixed(2));
    stage.setAttribute("aria-valuetext", `${t.toFixed(2)} of ${length().toFixed(2)} seconds`);
    time.textContent = `${t.toFixed(2)} / ${length().toFixed(2)} s`;
    timer ??= setTimeout(tell, TELL_MS);
  }

  function seek(t) {
    audio.currentTime = inside(t);
    place();
  }

  function follow() {
    const [start, end] = bounds();
    if (model.get("loop") && audio.currentTime >= end) audio.currentTime = start;
    place();
    if (!audio.paused) frame = requestAnimationFrame(follow);
  }

  async function start() {
    const [from, to] = bounds();
    if (audio.currentTime < from || audio.currentTime >= to - 0.01) audio.currentTime = from;
    document.dispatchEvent(new CustomEvent("serlib-play", { detail: audio }));
    try {
      await audio.play();
    } catch {
      set({ playing: false }); // the browser wants a click first
    }
  }

  // Of a pair, go on with the sound of this letter where the present one is.
  function change(letter) {
    if (pair) document.dispatchEvent(new CustomEvent("serlib-change", { detail: { pair, letter, t: now() } }));
  }

  const toggle = () => (audio.paused ? start() : audio.pause());

  function state() {
    const on = !audio.paused && !audio.ended;
    play.textContent = on ? "❚❚" : "▶";
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    cancelAnimationFrame(frame);
    if (on) follow();
    if (model.get("playing") !== on) set({ playing: on });
    if (!on) tell();
  }

  function mark() {
    const [start, end] = model.get("region");
    region.hidden = start === undefined;
    region.style.left = percent((start ?? 0) / clip.span_s);
    region.style.width = percent(((end ?? 0) - (start ?? 0)) / clip.span_s);
    loop.setAttribute("aria-pressed", String(model.get("loop")));
  }

  function choose(a, b) {
    set({ region: a === b ? [] : [Math.min(a, b), Math.max(a, b)], loop: a !== b });
  }

  function draw() {
    clip = model.get("clip");
    root.hidden = !clip.wave; // until the first one is loaded
    if (root.hidden) return;
    clearTimeout(timer);
    timer = undefined;
    root.setAttribute("aria-label", clip.title);
    title.textContent = clip.title;
    stage.setAttribute("aria-label", `Position in ${clip.title}`);
    stage.setAttribute("aria-valuemin", "0");
    stage.setAttribute("aria-valuemax", length().toFixed(2));
    root.style.setProperty("--colour", clip.colour);
    root.style.setProperty("--share", clip.duration_s / clip.span_s);
    root.style.setProperty("--palette", clip.palette.join(", "));

    const n = clip.wave.length;
    const top = clip.wave.map(([, high], k) => `${(k + 0.5) / n} ${-high / clip.peak}`);
    const bottom = clip.wave.map(([low], k) => `${(k + 0.5) / n} ${-low / clip.peak}`).reverse();
    wave.replaceChildren();
    path(wave, `M0 0H1M${top.join("L")}L${bottom.join("L")}Z`, {});
    strip.replaceChildren();
    names.replaceChildren();
    const tracks = [["meant", clip.meant], ["heard", clip.stretches]].filter(([, pieces]) => pieces.length);
    root.style.setProperty("--tracks", tracks.length);
    for (const [name, pieces] of tracks) {
      if (tracks.length > 1) make("span", "", names, { text: name });
      const track = make("div", "track", strip);
      for (const { start_s, end_s, label, colour } of pieces) {
        const said = `${name}: ${label}, ${start_s.toFixed(1)} to ${end_s.toFixed(1)} s`;
        const part = make("span", "", track, { text: label, title: said });
        part.style.left = percent(start_s / clip.span_s);
        part.style.width = percent((end_s - start_s) / clip.span_s);
        part.style.setProperty("--part", colour);
      }
    }
    image.src = address(image.src, clip.image, "image/png");
    image.alt = clip.alt;
    lines.replaceChildren();
    for (const { colour, pieces } of clip.lines) {
      const d = pieces.map((piece) => "M" + piece.map(([x, height]) => `${x} ${1 - height}`).join("L")).join("");
      path(lines, d, { class: "casing" });
      path(lines, d, { stroke: colour });
    }
    const loudest = clip.peak.toPrecision(2);
    axis(amplitudes, "bottom", [[0, `−${loudest}`], [0.5, "0"], [1, loudest]], "Amplitude");
    axis(hertz, "bottom", clip.hz_ticks, "Hz (mel)");
    axis(decibels, "bottom", clip.db_ticks, "dB below peak");
    axis(seconds, "left", clip.time_ticks, "Time (s)");

    audio.src = address(audio.src, clip.sound, clip.mime);
    const [number, t] = model.get("at");
    audio.currentTime = !begun && number === clip.number ? inside(t) : 0;
    begun = true;
    light();
    mark();
    state();
    place();
  }

  function light() {
    overlay.src = address(overlay.src, model.get("overlay"), "image/png");
    lit.hidden = !model.get("overlay")?.byteLength;
    const on = !lit.hidden && lit.getAttribute("aria-pressed") === "true";
    overlay.hidden = !on;
    body.classList.toggle("lit-up", on);
    const said = [...clip.lines, ...(on ? clip.overlay_colours : [])];
    legend.replaceChildren();
    for (const { name, colour } of said) make("span", "", legend, { text: name }).style.setProperty("--line", colour);
  }

  // --- what people do

  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return inside(((event.clientX - box.left) / box.width) * clip.span_s);
  };
  let down, dragged;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    [down, dragged] = [event.clientX, false];
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (down === undefined || (!dragged && Math.abs(event.clientX - down) < DRAG_PX)) return;
    dragged = true;
    choose(at({ clientX: down }), at(event));
  });
  stage.addEventListener("pointerup", (event) => {
    if (down === undefined) return;
    seek(dragged ? bounds()[0] : at(event));
    tell();
    down = undefined;
  });
  stage.addEventListener("pointercancel", () => (down = undefined));

  let anchor; // where marking with Shift began
  const actions = {
    " ": toggle,
    k: toggle,
    ArrowLeft: () => seek(now() - STEP_S),
    ArrowRight: () => seek(now() + STEP_S),
    Home: () => seek(0),
    End: () => seek(length()),
    l: () => set({ loop: !model.get("loop") }),
    a: () => change("A"),
    b: () => change("B"),
    Escape: () => set({ region: [], loop: false }),
  };
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the notebook has its own meaning for L, arrows and space
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!actions[key] || (key === " " && event.target !== stage)) return; // space on a button presses it
    event.preventDefault();
    const marking = event.shiftKey && key.startsWith("Arrow");
    anchor = marking ? (anchor ?? now()) : undefined;
    actions[key]();
    if (marking) choose(anchor, now());
  });

  play.addEventListener("click", toggle);
  loop.addEventListener("click", actions.l);
  swap.addEventListener("click", () => change(rival));
  lit.addEventListener("click", () => {
    lit.setAttribute("aria-pressed", String(lit.getAttribute("aria-pressed") !== "true"));
    light();
  });

  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, state);
  audio.addEventListener("ended", () => model.get("loop") && start());
  audio.addEventListener("seeked", place);
  const other = (event) => event.detail !== audio && audio.pause();
  document.addEventListener("serlib-play", other);
  function chosen({ detail }) {
    if (detail.pair !== pair || detail.letter !== model.get("letter")) return;
    seek(detail.t);
    start();
    stage.focus();
  }
  document.addEventListener("serlib-change", chosen);

  // --- what the kernel does

  const heard = {
    clip: draw,
    overlay: light,
    region: mark,
    loop: mark,
    playing: () => model.get("playing") === audio.paused && toggle(),
    at: () => {
      const [number, t] = model.get("at");
      if (number === clip.number && t !== told) seek(t);
    },
  };
  for (const [name, react] of Object.entries(heard)) model.on(`change:${name}`, react);
  draw();

  return () => {
    audio.pause();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    document.removeEventListener("serlib-play", other);
    document.removeEventListener("serlib-change", chosen);
    for (const [name, react] of Object.entries(heard)) model.off(`change:${name}`, react);
    for (const node of [audio, image, overlay]) address(node.src);
  };
}

export default { render };
