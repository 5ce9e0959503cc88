// The drawing side of map.py, after plotly.js, which map.py puts in front of it and which is called Plotly here.
// The figure comes ready from Python; the last trace is the ring around the chosen clip.

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "serlib-map";
  el.append(box);
  const { data, layout } = structuredClone(model.get("figure"));
  const places = new Map(); // row of the index -> its point
  for (const { customdata, x, y } of data) customdata?.forEach((row, k) => places.set(row, [x[k], y[k]]));

  function ring() {
    const [x, y] = places.get(model.get("chosen"));
    Plotly.restyle(box, { x: [[x]], y: [[y]] }, [data.length - 1]);
  }

  const drawn = Plotly.newPlot(box, data, layout, CONFIG).then(() => {
    ring();
    box.on("plotly_click", ({ points }) => {
      const point = points.find(({ customdata }) => customdata !== undefined);
      if (!point) return;
      model.set("chosen", point.customdata);
      model.set("clicks", model.get("clicks") + 1); // the same clip again is asked for again
      model.save_changes();
    });
  });
  model.on("change:chosen", ring);

  return () => {
    model.off("change:chosen", ring);
    drawn.then(() => Plotly.purge(box));
  };
}

export default { render };
