// ipywidgets (8.1) gives the handles of its sliders no name: a screen reader would say "slider" and a number. On a page
// with this widget each handle takes the words that stand before its slider.

function name() {
  for (const slider of document.querySelectorAll(".widget-slider")) {
    const words = slider.querySelector(".widget-label")?.textContent.trim();
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      if (words && handle.getAttribute("aria-label") !== words) handle.setAttribute("aria-label", words);
    }
  }
}

function render({ el }) {
  el.hidden = true;
  let frame;
  const observer = new MutationObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(name);
  });
  observer.observe(document.body, { childList: true, subtree: true });
  name();
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
  };
}

export default { render };
