"use strict";
(() => {
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

  function draw(element, figure) {
    const layout = themed(figure.layout);
    layout.template = template();
    layout.autosize = !printing;
    // On paper: as wide as the page, a figure that is wider by nature made smaller as a whole.
    const width = Math.max(PAPER_WIDTH, Number(element.dataset.width || 0));
    if (printing) layout.width = width;
    element.style.zoom = printing ? PAPER_WIDTH / width : "";
    if (touch.matches) layout.dragmode = false;
    element.redraw = () => draw(element, figure);
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
  for (const element of document.querySelectorAll("[data-figure]")) {
    whenNear(element, () => draw(element, json(`figure-${element.dataset.figure}`)));
  }
  dark.addEventListener("change", redraw);

  // Losses of one trial.
  const curves = json("loss-curves");
  const trials = Object.keys(curves);
  const objective = document.body.dataset.objective;
  const picker = document.getElementById("trial-picker");
  const plot = document.getElementById("trial-losses");
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
    picker.value = id;
    document.getElementById("trial-words").textContent = curves[id].words;
    draw(plot, lossFigure(curves[id]));
  }
  if (trials.length) {
    trials.sort((a, b) => curves[a].rank - curves[b].rank);
    for (const id of trials) picker.add(new Option(curves[id].title, id));
    picker.addEventListener("change", () => showTrial(picker.value));
    const step = (by) => {
      const next = trials[trials.indexOf(picker.value) + by];
      if (next !== undefined) showTrial(next);
    };
    document.getElementById("previous-trial").addEventListener("click", () => step(-1));
    document.getElementById("next-trial").addEventListener("click", () => step(1));
    picker.value = trials[0];
    whenNear(plot, () => showTrial(picker.value));
  } else {
    plot.closest("figure").innerHTML = '<p class="undetermined">No trial has stored a curve.</p>';
  }
  for (const link of document.querySelectorAll("[data-trial]")) {
    link.addEventListener("click", () => showTrial(link.dataset.trial));
  }

  // Pictures, enlarged by a whole number so that every pixel is what the generator made.
  const dialog = document.getElementById("enlarged");
  const large = new Image();
  dialog.prepend(large);
  const [previous, next, close] = dialog.querySelectorAll("button");
  let siblings = [];
  let at = 0;
  function show(position) {
    at = (position + siblings.length) % siblings.length;
    const image = siblings[at].querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    dialog.querySelector("span").textContent = `${image.alt} (${at + 1} of ${siblings.length})`;
    const room = Math.min(innerWidth * 0.9 / image.naturalWidth, innerHeight * 0.78 / image.naturalHeight);
    large.width = image.naturalWidth * (room >= 1 ? Math.floor(room) : room);
  }
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      siblings = [...button.closest(".triple").querySelectorAll(".enlarge")];
      show(siblings.indexOf(button));
      dialog.showModal();
    });
  }
  previous.addEventListener("click", () => show(at - 1));
  next.addEventListener("click", () => show(at + 1));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // Contours.
  const pairs = document.getElementById("contour-picker");
  if (pairs) {
    const figures = json("figure-contour");
    const target = document.getElementById("contour");
    for (const name of Object.keys(figures)) pairs.add(new Option(name, name));
    pairs.addEventListener("change", () => draw(target, figures[pairs.value]));
    whenNear(target, () => draw(target, figures[pairs.value]));
  }

  // The leaderboard: sortable, its first rows shown.
  const FIRST_ROWS = 25;
  const body = document.querySelector(".board tbody");
  const more = document.querySelector(".more");
  const folded = document.querySelector(".folded");
  let all = false;
  function fold() {
    [...body.rows].forEach((row, i) => { row.hidden = !all && i >= FIRST_ROWS; });
    more.hidden = all || body.rows.length <= FIRST_ROWS;
    folded.hidden = more.hidden;
  }
  more.addEventListener("click", () => { all = true; fold(); });
  fold();

  // The best first, as the command line sorts; chosen again, the worst.
  const REVERSED = { ascending: "descending", descending: "ascending", other: "other" };
  function sortBy(header, index) {
    const up = header.dataset.sorted !== "best first";
    for (const other of header.parentNode.cells) {
      other.removeAttribute("aria-sort");
      delete other.dataset.sorted;
    }
    header.dataset.sorted = up ? "best first" : "best last";
    const first = header.dataset.first;
    header.setAttribute("aria-sort", up ? first : REVERSED[first]);
    const text = header.classList.contains("text");
    const key = (row) => {
      const cell = row.cells[index];
      if (text) return cell.textContent.trim();
      return cell.dataset.key === "" ? null : Number(cell.dataset.key);
    };
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = text ? a.localeCompare(b) : a - b;
      return up ? order : -order;
    });
    body.append(...rows.map(([, row]) => row));
    fold();
  }
  document.querySelectorAll(".board th").forEach((header, index) => {
    header.querySelector("button").addEventListener("click", () => sortBy(header, index));
  });
})();
