"use strict";
const report = (() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)");
  // A4 or Letter within the page's margins and the card's padding, in CSS pixels.
  const PAPER_WIDTH = 650;

  // Figures are written in the colours of a light page; these are their match on a dark one.
  const DARK = {
    "#0072b2": "#6fc1f0", "#56b4e9": "#2f86bd", "#d55e00": "#ff8a3d", "#e69f00": "#f5b933",
    "#cc79a7": "#e5a0c6", "#8a8a8a": "#9b9b9b", "#009e73": "#3cc79b",
  };
  const config = {
    responsive: true, displaylogo: false, displayModeBar: touch.matches ? false : "hover",
    // What a report holds stays with its reader: no button that uploads a figure.
    showSendToCloud: false, plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  const json = (id) => JSON.parse(document.getElementById(id).textContent);

  let printing = false;
  const isDark = () => dark.matches && !printing;

  function themed(value) {
    if (typeof value === "string") return isDark() ? DARK[value.toLowerCase()] || value : value;
    if (Array.isArray(value)) return value.map(themed);
    if (value && typeof value === "object") {
      // Typed arrays travel as base64; there is no colour in them.
      if ("bdata" in value) return value;
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v)]));
    }
    return value;
  }

  function template() {
    const ink = isDark() ? "#d8d5cf" : "#3d3b37";
    const grid = isDark() ? "#34383d" : "#e9e6e0";
    const axis = { gridcolor: grid, linecolor: grid, tickcolor: grid };
    return {
      layout: {
        font: { color: ink, size: 13, family: getComputedStyle(document.body).fontFamily },
        xaxis: axis, yaxis: axis,
        hoverlabel: { bgcolor: isDark() ? "#2b2f34" : "#ffffff", font: { color: ink } },
        annotationdefaults: { font: { color: ink } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: grid, activecolor: ink },
      },
    };
  }

  // What a person has zoomed or hidden stays as it is while `name` does, also with new data.
  function draw(element, figure, name = "same") {
    const layout = { ...themed(figure.layout), uirevision: name };
    layout.template = template();
    layout.autosize = !printing;
    // On paper: as wide as the page, a figure that is wider by nature made smaller as a whole.
    const width = Math.max(PAPER_WIDTH, Number(element.dataset.width || 0));
    if (printing) layout.width = width;
    element.style.zoom = printing ? PAPER_WIDTH / width : "";
    if (touch.matches) layout.dragmode = false;
    element.redraw = () => draw(element, figure, name);
    return Plotly.react(element, themed(figure.data), layout, config).then(() => {
      element.dataset.drawn = "yes";
    });
  }

  // Draw when someone comes near, or prints.
  const waiting = new Map();
  function whenNear(element, action) {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) start(element);
    }, { rootMargin: "600px" });
    waiting.set(element, () => { observer.disconnect(); action(); });
    observer.observe(element);
  }
  function start(element) {
    const action = waiting.get(element);
    waiting.delete(element);
    if (action) action();
  }
  function redraw() {
    for (const element of document.querySelectorAll(".plot")) if (element.redraw) element.redraw();
  }
  window.addEventListener("beforeprint", () => {
    printing = true;
    for (const element of [...waiting.keys()]) start(element);
    redraw();
  });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
  dark.addEventListener("change", redraw);

  // Draw what the page holds now: at once where there is a drawing of it already.
  function show(element, action) {
    if (element.redraw) action();
    else if (!waiting.has(element)) whenNear(element, action);
  }
  function showFigures() {
    for (const element of document.querySelectorAll("[data-figure]")) {
      const source = document.getElementById(`figure-${element.dataset.figure}`).textContent;
      if (element.source !== source) show(element, () => drawFigure(element));
    }
  }
  function drawFigure(element) {
    element.source = document.getElementById(`figure-${element.dataset.figure}`).textContent;
    draw(element, JSON.parse(element.source));
  }
  function fill(select, options) {
    const chosen = select.value;
    const now = [...select.options].map((option) => [option.value, option.text]);
    if (JSON.stringify(now) === JSON.stringify(options)) return;
    select.replaceChildren(...options.map(([value, title]) => new Option(title, value)));
    if (options.length) select.value = options.some(([value]) => value === chosen) ? chosen : options[0][0];
  }

  // Losses of one trial.
  let curves = {};
  let trials = [];
  const objective = document.body.dataset.objective;
  const byId = (id) => document.getElementById(id);
  const SERIES = [
    ["adversarial", "#0072b2", "y"], ["reconstruction", "#e69f00", "y2"],
    ["discriminator, real", "#009e73", "y"], ["discriminator, fake", "#cc79a7", "y"],
  ];

  function lossFigure(curve) {
    const data = [];
    SERIES.forEach(([name, colour, yaxis], i) => {
      const line = { x: curve.epoch, type: "scatter", mode: "lines", yaxis, legendgroup: name };
      data.push({
        ...line, y: curve.raw[i], opacity: 0.28, line: { color: colour, width: 1 },
        showlegend: false, hoverinfo: "skip",
      });
      data.push({
        ...line, y: curve.average[i], name, line: { color: colour, width: 2.4 },
        hovertemplate: "epoch %{x:.1f}: %{y:.3g}",
      });
    });
    if (curve.line) {
      data.push({
        x: curve.line[0], y: curve.line[1], type: "scatter", mode: "lines", name: "drift",
        line: { color: "#d55e00", width: 2.4, dash: "dash" },
      });
    }
    const shapes = curve.flat === null ? [] : [{
      type: "line", x0: curve.flat, x1: curve.flat, yref: "y domain", y0: 0, y1: 1,
      line: { color: "#8a8a8a", width: 1.5, dash: "dot" },
    }];
    const [epochs, values] = curve.validation;
    if (epochs.length) {
      data.push({
        x: epochs, y: values, type: "scatter", mode: "lines+markers", yaxis: "y3", name: objective,
        line: { color: "#56b4e9", width: 2.4 }, hovertemplate: "epoch %{x:.1f}: %{y:.4g}",
      });
    }
    return {
      data,
      layout: {
        height: 660, hovermode: "x", shapes, margin: { l: 60, r: 20, t: 40, b: 50 },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: { title: { text: "epoch" }, anchor: "y3", zeroline: false },
        yaxis: { title: { text: "adversarial" }, domain: [0.54, 1], zeroline: false, automargin: true },
        yaxis2: { title: { text: "reconstruction" }, domain: [0.27, 0.48], zeroline: false, automargin: true },
        yaxis3: { title: { text: objective }, domain: [0, 0.21], zeroline: false, automargin: true },
      },
    };
  }

  function showTrial(id) {
    if (!(id in curves)) return;
    byId("trial-picker").value = id;
    byId("trial-words").textContent = curves[id].words;
    draw(byId("trial-losses"), lossFigure(curves[id]), id);
  }
  function showLosses() {
    curves = json("loss-curves");
    trials = Object.keys(curves).sort((a, b) => curves[a].rank - curves[b].rank);
    const picker = byId("trial-picker");
    const plot = byId("trial-losses");
    fill(picker, trials.map((id) => [id, curves[id].title]));
    plot.closest("figure").classList.toggle("empty", !trials.length);
    if (trials.length) show(plot, () => showTrial(picker.value));
  }
  const step = (by) => showTrial(trials[trials.indexOf(byId("trial-picker").value) + by]);

  // Contours.
  function showContours() {
    const picker = byId("contour-picker");
    if (!picker) return;
    fill(picker, Object.keys(json("figure-contour")).map((name) => [name, name]));
    show(byId("contour"), showContour);
  }
  function showContour() {
    const name = byId("contour-picker").value;
    draw(byId("contour"), json("figure-contour")[name], name);
  }

  // Listeners outlive the parts of the page that they are for.
  document.addEventListener("change", ({ target }) => {
    if (target.id === "trial-picker") showTrial(target.value);
    if (target.id === "contour-picker") showContour();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.id === "previous-trial") step(-1);
    if (target.id === "next-trial") step(1);
    const link = target.closest("[data-trial]");
    if (link) showTrial(link.dataset.trial);
    const button = target.closest(".enlarge");
    if (button) enlarge(button);
  });

  // Pictures, enlarged by a whole number so that every pixel is what the generator made.
  const dialog = document.getElementById("enlarged");
  const large = new Image();
  dialog.prepend(large);
  const [previous, next, close] = dialog.querySelectorAll("button");
  let siblings = [];
  let at = 0;
  function turnTo(position) {
    at = (position + siblings.length) % siblings.length;
    const image = siblings[at].querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    dialog.querySelector("span").textContent = `${image.alt} (${at + 1} of ${siblings.length})`;
    const room = Math.min(innerWidth * 0.9 / image.naturalWidth, innerHeight * 0.78 / image.naturalHeight);
    large.width = image.naturalWidth * (room >= 1 ? Math.floor(room) : room);
  }
  function enlarge(button) {
    siblings = [...button.closest(".triple").querySelectorAll(".enlarge")];
    turnTo(siblings.indexOf(button));
    dialog.showModal();
  }
  previous.addEventListener("click", () => turnTo(at - 1));
  next.addEventListener("click", () => turnTo(at + 1));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") turnTo(at - 1);
    if (event.key === "ArrowRight") turnTo(at + 1);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  function refresh() {
    for (const each of waiting.keys()) if (!each.isConnected) waiting.delete(each);
    showFigures();
    showLosses();
    showContours();
  }
  refresh();
  return { refresh };
})();
