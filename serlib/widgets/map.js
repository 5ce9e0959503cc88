// The drawing side of map.py. The figure comes ready from Python; its last trace is the ring around the chosen clip.

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};

// plotly.js comes as text and is read once for all maps of a page. It is no part of this module, since anywidget gives
// a module two seconds to start, and a slow machine takes longer for five megabytes.
function plotly(text) {
  const parts = ["const module = { exports: {} };\n", text, "\nexport default module.exports;"];
  const address = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  globalThis.serlibPlotly ??= import(address).then((loaded) => loaded.default);
  return globalThis.serlibPlotly;
}

async function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "serlib-map";
  el.append(box);
  const { data, layout } = structuredClone(model.get("figure"));
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

  return () => {
    model.off("change:chosen", ring);
    Plotly.purge(box);
  };
}

export default { render };
