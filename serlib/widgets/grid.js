// The drawing side of grids.py: a table of buttons with one audio element. Arrow keys go from cell to cell.

function make(tag, className, parent, { text, ...attributes } = {}) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function render({ model, el }) {
  const shown = model.get("shown");
  const addresses = [];
  const address = (bytes, type) => addresses[addresses.push(URL.createObjectURL(new Blob([bytes], { type }))) - 1];
  const table = make("table", "serlib-grid", el);
  table.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows for its own
  make("caption", "", table, { text: `${shown.title}. ${shown.reading}. A click plays.` });
  const head = make("tr", "", table);
  make("td", "", head);
  for (const speaker of shown.speakers) make("th", "", head, { text: speaker, scope: "col" });
  const audio = make("audio", "", el);
  const buttons = new Map(); // "row,column" -> button
  let playing, frame;

  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }

  function follow() {
    playing?.style.setProperty("--at", audio.duration ? audio.currentTime / audio.duration : 0);
    if (!audio.paused) frame = requestAnimationFrame(follow);
  }

  function state() {
    const on = !audio.paused && !audio.ended;
    for (const button of buttons.values()) button.classList.toggle("playing", on && button === playing);
    cancelAnimationFrame(frame);
    if (on) follow();
    if (model.get("playing") !== on) set({ playing: on });
  }

  async function toggle(button, row, column, clip) {
    if (playing === button && !audio.paused) return audio.pause();
    playing = button;
    audio.src = clip.source ??= address(clip.sound, clip.mime);
    document.dispatchEvent(new CustomEvent("serlib-play", { detail: audio })); // everything else on the page is quiet
    set({ chosen: [row, column] });
    await audio.play().catch(() => state());
  }

  shown.cells.forEach((clips, row) => {
    const line = make("tr", "", table);
    line.style.setProperty("--colour", shown.colours[row]);
    make("th", "", line, { text: shown.labels[row], scope: "row" });
    clips.forEach((clip, column) => {
      const cell = make("td", "", line);
      if (!clip) return void (cell.textContent = "no clip");
      const said = `Play ${shown.speakers[column]}, ${shown.labels[row]}, ${clip.duration_s.toFixed(1)} s`;
      const button = make("button", "", cell, { type: "button", "aria-label": said, title: said });
      button.style.setProperty("--share", clip.duration_s / shown.span_s);
      make("img", "", button, { src: address(clip.image, "image/png"), alt: clip.alt, draggable: "false" });
      make("span", "playhead", button);
      button.addEventListener("click", () => toggle(button, row, column, clip));
      buttons.set(`${row},${column}`, button);
    });
  });

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  table.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const from = [...buttons].find(([, button]) => button === event.target)?.[0].split(",").map(Number);
    if (!steps[event.key] || !from) return;
    event.preventDefault();
    buttons.get(from.map((n, k) => n + steps[event.key][k]).join())?.focus();
  });

  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, state);
  const other = (event) => event.detail !== audio && audio.pause();
  document.addEventListener("serlib-play", other);

  return () => {
    audio.pause();
    document.removeEventListener("serlib-play", other);
    addresses.forEach((one) => URL.revokeObjectURL(one));
  };
}

export default { render };
