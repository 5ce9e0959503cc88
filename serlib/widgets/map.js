// The drawing side of maps.py. The figure comes ready from Python; its last trace is the ring around the chosen clip.

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};

const INK = "#222222";
const LAYOUT = {
  height: 560,
  margin: { l: 60, r: 20, t: 50, b: 55 },
  paper_bgcolor: "white",
  plot_bgcolor: "white",
  font: { color: INK, size: 13 },
  hovermode: "closest",
};
const AXIS = { gridcolor: "#dddddd", linecolor: INK, zeroline: false };

// plotly.js comes as text and is read once for all maps of a page. It is no part of this module, since anywidget gives
// a module two seconds to start, and a slow machine takes longer for five megabytes.
function plotly(text) {
  if (globalThis.serlibPlotly) return globalThis.serlibPlotly;
  const parts = ["const module = { exports: {} };\n", text, "\nexport default module.exports;"];
  const address = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  globalThis.serlibPlotly = import(address).then((loaded) => loaded.default).finally(() => URL.revokeObjectURL(address));
  return globalThis.serlibPlotly;
}

async function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "serlib-map";
  el.append(box);
  const { data, layout } = structuredClone(model.get("figure"));
  Object.assign(layout, LAYOUT);
  Object.assign(layout.title, { x: 0.01, xanchor: "left" });
  for (const axis of [layout.xaxis, layout.yaxis]) {
    Object.assign(axis, AXIS);
    axis.title.font = { size: 13 };
  }
  const Plotly = await plotly(model.get("library"));
  const places = new Map(); // row of the index -> its point
  for (const { customdata, x, y } of data) customdata?.forEach((row, k) => places.set(row, [x[k], y[k]]));

  function ring() {
    const [x, y] = places.get(model.get("chosen"));
    Plotly.restyle(box, { x: [[x]], y: [[y]] }, [data.length - 1]);
  }

  await Plotly.newPlot(box, data, layout, CONFIG);
  ring();
  box.on("plotly_click", ({ points }) => {
    const point = points.find(({ customdata }) => customdata !== undefined);
    if (!point) return;
    model.set("chosen", point.customdata);
    model.set("clicks", model.get("clicks") + 1); // the same clip again is asked for again
    model.save_changes();
  });
  model.on("change:chosen", ring);

  // The nearest point in the direction of an arrow key, in pixels; what lies aside counts double.
  function neighbour(right, down) {
    const { xaxis, yaxis } = box._fullLayout;
    const [x, y] = places.get(model.get("chosen"));
    let nearest = null;
    let least = Infinity;
    for (const [row, [u, v]] of places) {
      const across = xaxis.l2p(u) - xaxis.l2p(x);
      const downwards = yaxis.l2p(v) - yaxis.l2p(y);
      const along = across * right + downwards * down;
      const aside = Math.abs(across * down) + Math.abs(downwards * right);
      if (along > 0.5 && along + 2 * aside < least) {
        nearest = row;
        least = along + 2 * aside;
      }
    }
    return nearest;
  }

  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Map of clips: the arrow keys choose a clip, Enter plays it");
  box.addEventListener("keydown", (event) => {
    const row = STEPS[event.key] && neighbour(...STEPS[event.key]);
    if (row != null) model.set("chosen", row);
    else if (event.key === "Enter" || event.key === " ") model.set("clicks", model.get("clicks") + 1);
    else if (!STEPS[event.key]) return;
    model.save_changes();
    event.preventDefault();
    event.stopPropagation(); // the notebook has other plans for these keys
  });

  return () => {
    model.off("change:chosen", ring);
    Plotly.purge(box);
  };
}

export default { render };
