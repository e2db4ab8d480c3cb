"use strict";
// A page of a search that runs: asks how it stands, and takes over what has changed, in place.
(() => {
  const EVERY_MS = 2000;
  const PARTS = "header.top, main > section";
  const FOCUSABLE = "a, button, select, summary, [tabindex]";
  const SCROLLED = ".table-scroll, .plot-scroll";
  const keyOf = (part) => part.id || part.className;
  const html = (page) => new Map([...page.querySelectorAll(PARTS)].map((p) => [keyOf(p), p.outerHTML]));

  let version = document.body.dataset.version;
  // The parts as they came, before other scripts fill them.
  let came = html(document);
  const state = document.getElementById("live");
  let shown = state.innerHTML;

  function swap(old, part) {
    const drawn = new Map([...old.querySelectorAll(".plot")].map((p) => [p.dataset.figure || p.id, p]));
    for (const place of part.querySelectorAll(".plot")) {
      // Drawings move over: they keep their height, and what somebody has zoomed.
      const plot = drawn.get(place.dataset.figure || place.id);
      if (!plot) continue;
      if (place.dataset.width) {
        plot.dataset.width = place.dataset.width;
        plot.style.minWidth = place.style.minWidth;
      }
      place.replaceWith(plot);
    }
    const open = new Map([...old.querySelectorAll("details")].map((d) => [d.firstElementChild.textContent, d.open]));
    for (const details of part.querySelectorAll("details")) {
      const was = open.get(details.firstElementChild.textContent);
      if (was !== undefined) details.open = was;
    }
    const scrolled = [...old.querySelectorAll(SCROLLED)].map((e) => e.scrollLeft);
    const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    old.replaceWith(part);
    part.querySelectorAll(SCROLLED).forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    if (focused >= 0) part.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  }

  // What somebody looks at stays where it is on the screen.
  const blocks = () => [...document.querySelectorAll("header.top, main > section > *")];
  function place() {
    const block = blocks().find((b) => b.getBoundingClientRect().bottom > 0);
    const section = block.parentNode;
    const at = [...section.children].indexOf(block);
    const top = block.getBoundingClientRect().top;
    const key = keyOf(section);
    return () => {
      if (block.matches(".top")) return;
      const now = [...document.querySelectorAll(PARTS)].find((p) => keyOf(p) === key);
      const child = now && now.children[at];
      if (!child) return;
      scrollBy({ top: child.getBoundingClientRect().top - top, behavior: "instant" });
    };
  }

  function take(page) {
    const restore = place();
    const now = html(page);
    const parts = new Map([...document.querySelectorAll(PARTS)].map((p) => [keyOf(p), p]));
    for (const part of page.querySelectorAll(PARTS)) {
      const key = keyOf(part);
      if (now.get(key) !== came.get(key)) swap(parts.get(key), part);
    }
    came = now;
    for (const old of document.querySelectorAll("script[type='application/json']")) old.remove();
    document.body.append(...page.querySelectorAll("script[type='application/json']"));
    document.title = page.title;
    board.refresh();
    report.refresh();
    restore();
  }

  function show(text) {
    if (text === shown) return;
    shown = text;
    state.innerHTML = text;
  }

  async function get(path) {
    const answer = await fetch(path, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer;
  }

  async function look() {
    let now;
    try {
      now = await (await get("state")).json();
    } catch {
      show('<p class="stand"><span class="chip failed">gone</span> Nobody serves this page any more: it stays as it was.</p>');
      return;
    }
    show(now.html);
    if (now.version === version) return;
    const page = new DOMParser().parseFromString(await (await get("page")).text(), "text/html");
    take(page);
    version = page.body.dataset.version;
  }

  async function watch() {
    // A page that nobody sees costs the search nothing.
    if (!document.hidden) await look().catch((error) => console.error(error));
    setTimeout(watch, EVERY_MS);
  }
  setTimeout(watch, EVERY_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look().catch(() => {}); });
})();
