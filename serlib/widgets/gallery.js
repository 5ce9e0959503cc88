// The drawing side of galleries.py: a confusion matrix whose cells are buttons. Arrow keys go from cell to cell.

// How much of its shade, in per cent, a cell has that holds its whole row: the figure in it must stay readable.
const DEEPEST = 65;

function make(tag, className, parent, { text, ...attributes } = {}) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function render({ model, el }) {
  const table = make("table", "serlib-confusion", el);
  table.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows for its own
  const at = (node) => [node.dataset.row, node.dataset.column].map(Number);
  const button = (row, column) => table.querySelector(`button[data-row="${row}"][data-column="${column}"]`);

  function mark() {
    const [row, column] = model.get("chosen");
    for (const node of table.querySelectorAll("button")) {
      const [i, j] = at(node);
      node.setAttribute("aria-pressed", String(i === row && j === column));
    }
  }

  function draw() {
    const labels = model.get("labels");
    const focus = table.contains(document.activeElement) ? at(document.activeElement) : undefined;
    table.replaceChildren();
    make("caption", "", table, { text: model.get("title") });
    const head = make("tr", "", table);
    make("td", "corner", head, { text: "meant ↓  heard as →" });
    for (const label of labels) make("th", "", head, { text: label, scope: "col" });
    model.get("counts").forEach((counts, row) => {
      const line = make("tr", "", table);
      make("th", "", line, { text: labels[row], scope: "row" });
      const total = counts.reduce((sum, n) => sum + n, 0);
      counts.forEach((n, column) => {
        const share = total ? n / total : 0;
        const said = `meant ${labels[row]}, heard as ${labels[column]}: ${n} clip${n === 1 ? "" : "s"}`;
        const cell = make("button", row === column ? "right" : "wrong", make("td", "", line), {
          type: "button", "aria-label": said, title: said, "data-row": row, "data-column": column,
        });
        cell.style.setProperty("--share", `${Math.round(DEEPEST * share)}%`);
        cell.disabled = !n;
        make("span", "n", cell, { text: n || "·" });
      });
    });
    mark();
    if (focus) button(...focus)?.focus();
  }

  table.addEventListener("click", (event) => {
    const cell = event.target.closest("button");
    if (!cell) return;
    model.set("chosen", at(cell));
    model.save_changes();
  });
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  table.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const step = steps[event.key];
    if (!step || event.target.tagName !== "BUTTON") return;
    event.preventDefault();
    let [row, column] = at(event.target);
    let next;
    do {
      [row, column] = [row + step[0], column + step[1]];
      next = button(row, column);
    } while (next?.disabled); // over what is empty
    next?.focus();
  });

  const heard = { counts: draw, chosen: mark };
  for (const [name, react] of Object.entries(heard)) model.on(`change:${name}`, react);
  draw();
  return () => {
    for (const [name, react] of Object.entries(heard)) model.off(`change:${name}`, react);
  };
}

export default { render };
