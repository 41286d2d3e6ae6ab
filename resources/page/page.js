"use strict";
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const element = (parent, name, attributes = {}, text = "") => {
    const made = parent.namespaceURI === SVG || name === "svg"
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  };
  const root = document.documentElement;
  const shown = run.states; // numbers of the states, in the order of the run
  const order = run.into_noise ? shown.map((_, i) => shown.length - 1 - i) : shown.map((_, i) => i);
  let place = 0; // where in `order`
  let playing = false, timer = 0, direction = 1;

  // ---- colours
  const setTheme = (name) => { root.dataset.theme = name; };
  setTheme(run.theme === "dark" || (run.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches) ? "dark" : "light");
  $("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));

  // ---- icons
  const ICONS = {
    first: "M3 3h2.4v14H3zM17 3v14L7 10z", back: "M11 3v14L3 10zM14 3h2.6v14H14z", play: "M5 3v14l11-7z",
    pause: "M4 3h4.2v14H4zM11.8 3H16v14h-4.2z", forward: "M9 3v14l8-7zM3.4 3H6v14H3.4z",
    last: "M14.6 3H17v14h-2.4zM3 3v14l10-7z",
    theme: "M10 2a8 8 0 1 0 0 16zM10 3.6V2a8 8 0 0 1 0 16v-1.6a6.4 6.4 0 0 0 0-12.8z",
  };
  const draw = (button, icon) => {
    button.textContent = "";
    element(element(button, "svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }), "path", { d: ICONS[icon] });
  };
  for (const id of ["first", "back", "play", "forward", "last", "theme"]) draw($(id), id);

  // ---- heading
  $("what").textContent = run.title[0] || "A run";
  $("facts").textContent = run.title.slice(1).join(" · ");
  const list = (id, rows) => {
    for (const [name, text] of rows) { element($(id), "dt", {}, name); element($(id), "dd", {}, text); }
    if (!rows.length) $(id).parentElement.remove();
  };
  list("made-with", run.facts);
  list("terms", run.terms);

  // ---- pictures
  const stage = $("stage");
  stage.classList.toggle("sheet", run.is_sheet);
  stage.classList.toggle("fine", run.size[0] > 400);
  const canvases = run.kinds.map((kind) => {
    const figure = element(stage, "figure");
    const canvas = element(figure, "canvas", { width: run.size[0], height: run.size[1], role: "img" });
    const caption = element(figure, "figcaption");
    return { kind, canvas, pen: canvas.getContext("2d"), label: element(caption, "span", {}, kind.label),
      note: element(caption, "span") };
  });
  let waiting = 0;
  const sheets = run.kinds.map((kind) => kind.sheets.map((source) => {
    const image = new Image();
    waiting += 1;
    image.onload = image.onerror = () => { waiting -= 1; show(); root.dataset.ready = waiting ? "no" : "yes"; };
    image.src = source;
    return image;
  }));
  const paint = (i) => {
    const [width, height] = run.size, [cellWidth, cellHeight] = run.cell;
    canvases.forEach(({ kind, canvas, pen, note }, number) => {
      const sheet = sheets[number][Math.floor(i / run.per_sheet)], inside = i % run.per_sheet;
      const x = (inside % run.columns) * cellWidth, y = Math.floor(inside / run.columns) * cellHeight;
      if (sheet && sheet.complete && sheet.naturalWidth) pen.drawImage(sheet, x, y, width, height, 0, 0, width, height);
      note.textContent = kind.notes[i] || "";
      canvas.setAttribute("aria-label", `${kind.label}, ${run.captions[i]}`);
    });
  };

  // ---- the timeline: phases in the order in which they are played
  const steps = run.steps;
  const along = (k) => (run.into_noise ? steps - k : k) / steps; // 0 to 1
  const spans = run.phases.map((phase) => ({ ...phase, from: Math.min(along(phase.first - 1), along(phase.last)),
    to: Math.max(along(phase.first - 1), along(phase.last)) })).sort((a, b) => a.from - b.from);
  let end = 0;
  for (const span of spans) {
    const segment = element($("phases"), "button", { type: "button", tabindex: "-1",
      title: `${span.name}: ${span.meaning}`, style: `width:${100 * (span.to - span.from)}%;margin-left:${100 * (span.from - end)}%;--fill:var(--phase-${span.key})` }, span.name);
    segment.addEventListener("click", () => go(nearest(run.into_noise ? span.last : span.first)));
    span.segment = segment;
    span.names = [span.name, span.short, ""]; // of which the first is shown that has room
    end = span.to;
  }
  const nearest = (k) => order.reduce((best, i, at) => (Math.abs(shown[i] - k) < Math.abs(shown[order[best]] - k) ? at : best), 0);
  const scrubber = $("scrubber");
  scrubber.max = order.length - 1;
  scrubber.addEventListener("input", () => { stop(); go(Number(scrubber.value)); });

  // ---- plots
  const plots = $("plots");
  const movers = []; // called with the place among the shown states
  const DASH = { layout: "", structure: "9 5", detail: "2 4", polish: "10 4 2 4" };
  const frame = (title, bottom, left) => {
    const box = element(plots, "div");
    element(box, "h2", {}, title);
    const W = 360, H = 200, area = { left: 46, right: 350, top: 8, bottom: 168 };
    const svg = element(box, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
    element(svg, "text", { x: (area.left + area.right) / 2, y: 197, "text-anchor": "middle" }, bottom);
    const middle = (area.top + area.bottom) / 2;
    element(svg, "text", { x: 9, y: middle, "text-anchor": "middle", transform: `rotate(-90 9 ${middle})` }, left);
    return { box, svg, area };
  };
  const path = (values, x, y) => {
    let d = "", pen = "M";
    values.forEach((value, i) => {
      if (value === null) { pen = "M"; return; }
      d += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`; pen = "L";
    });
    return d;
  };
  const range = (lists) => {
    const all = lists.flat().filter((value) => value !== null);
    const high = Math.max(...all), low = Math.max(Math.min(...all), high - run.decades);
    return high - low < 0.2 ? [low - 0.1, high + 0.1] : [low, high];
  };
  const ticks = (low, high) => {
    const step = high - low > 4 ? 2 : high - low > 1.5 ? 1 : 0.5, found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) found.push(v);
    return found;
  };
  const power = (value) => (Number.isInteger(value) ? `10${String(value).replace(/[-0-9]/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻")}` : (10 ** value).toPrecision(2));
  const grid = ({ svg, area }, low, high, y) => {
    for (const value of ticks(low, high)) {
      element(svg, "line", { x1: area.left, x2: area.right, y1: y(value), y2: y(value), class: "axis" });
      element(svg, "text", { x: area.left - 4, y: y(value) + 4, "text-anchor": "end" }, power(value));
    }
  };
  if (run.bands.length) {
    const name = run.source === "guess" ? "of the current guess" : "of the noisy state";
    const chart = frame(`Energy per band ${name}`, run.into_noise ? "layer of noise" : "step", "power");
    const { box, svg, area } = chart;
    const [low, high] = range(run.bands.map((band) => band.values));
    const x = (k) => area.left + along(k) * (area.right - area.left);
    const y = (value) => area.top + (high - Math.max(value, low)) / (high - low) * (area.bottom - area.top);
    for (const span of spans) element(svg, "rect", { x: area.left + span.from * (area.right - area.left), y: area.bottom,
      width: (span.to - span.from) * (area.right - area.left), height: 5, fill: `var(--phase-${span.key})` });
    grid(chart, low, high, y);
    for (const k of [0, steps / 2, steps]) if (Number.isInteger(k)) element(svg, "text", { x: x(k), y: area.bottom + 17, "text-anchor": "middle" }, String(run.into_noise ? steps - k : k));
    const legend = element(box, "div", { class: "legend" });
    for (const band of run.bands) {
      const ink = `var(--band-${band.key})`;
      element(svg, "path", { d: path(band.values, x, y), class: "line", stroke: ink, "stroke-dasharray": DASH[band.key] });
      const entry = element(legend, "span", { title: band.meaning });
      element(element(entry, "svg", { viewBox: "0 0 22 8" }), "path", { d: "M0 4H22", class: "line", stroke: ink, "stroke-dasharray": DASH[band.key] });
      entry.append(band.name);
      if (band.settled !== null && band.values[band.settled] !== null) {
        const ring = element(svg, "circle", { cx: x(band.settled), cy: y(band.values[band.settled]), r: 4.5, class: "ring", stroke: ink });
        element(ring, "title", {}, `${band.name} settled at step ${band.settled}`);
      }
    }
    const playhead = element(svg, "line", { y1: area.top, y2: area.bottom, class: "playhead" });
    const dots = run.bands.map((band) => element(svg, "circle", { r: 3.2, fill: `var(--band-${band.key})` }));
    movers.push((i) => {
      const k = shown[i];
      playhead.setAttribute("x1", x(k)); playhead.setAttribute("x2", x(k));
      run.bands.forEach((band, n) => {
        const value = band.values[k];
        dots[n].setAttribute("visibility", value === null || value === undefined ? "hidden" : "visible");
        if (value !== null && value !== undefined) { dots[n].setAttribute("cx", x(k)); dots[n].setAttribute("cy", y(value)); }
      });
    });
    scrub(svg, (event, rect) => nearest(Math.round((run.into_noise ? (s) => steps - s : (s) => s)(
      ((event.clientX - rect.left) / rect.width * 360 - area.left) / (area.right - area.left) * steps))));
  }
  if (run.spectrum.frequencies.length > 1) {
    const chart = frame(run.source === "guess" ? "Spectrum of the current guess" : "Spectrum of the noisy state", "cycles per image", "power");
    const { svg, area } = chart, { frequencies, powers } = run.spectrum;
    const [low, high] = range(powers.filter((row) => row !== null).concat([[0]]));
    const first = Math.log(frequencies[0]), wide = Math.log(run.spectrum.last) - first;
    const x = (i) => area.left + (Math.log(frequencies[i]) - first) / wide * (area.right - area.left);
    const y = (value) => area.top + (high - Math.max(value, low)) / (high - low) * (area.bottom - area.top);
    grid(chart, low, high, y);
    for (const f of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) {
      const at = area.left + (Math.log(f) - first) / wide * (area.right - area.left);
      if (at >= area.left - 1 && at <= area.right + 1) element(svg, "text", { x: at, y: area.bottom + 14, "text-anchor": "middle" }, String(f));
    }
    const lines = powers.filter((row) => row !== null);
    if (lines.length) element(svg, "path", { d: path(lines[lines.length - 1], x, y), class: "line", stroke: "var(--muted)", "stroke-dasharray": "2 3", "stroke-width": 1.4 });
    const line = element(svg, "path", { class: "line", stroke: "var(--text)" });
    const legend = element(chart.box, "div", { class: "legend muted" });
    element(legend, "span", {}, "dotted: at the end");
    movers.push((i) => line.setAttribute("d", powers[i] === null ? "" : path(powers[i], x, y)));
  }
  if (!movers.length) { plots.remove(); document.querySelector("main").classList.add("plain"); }
  const marks = []; // one for each step at which bands settled, with their names
  for (const band of run.bands) {
    if (band.settled === null || run.into_noise) continue;
    let mark = marks.find((each) => each.step === band.settled);
    if (!mark) marks.push(mark = { step: band.settled, bands: [] });
    mark.bands.push(band);
  }
  marks.sort((a, b) => a.step - b.step);
  for (const mark of marks) {
    const meaning = mark.bands.map((band) => `${band.name} ${run.settled_meaning}`).join("\n");
    mark.tip = element($("marks"), "i", { title: meaning, style: `left:${100 * along(mark.step)}%;color:var(--band-${mark.bands[0].key})` }, "▴");
    mark.text = element($("marks"), "span", { title: meaning });
  }
  if (!marks.length) $("marks").remove();
  else $("marks").title = "The steps from which each band of the guess stays as it is at the end";

  // ---- words that have room
  const isCut = (box) => box.scrollWidth > box.clientWidth;
  const write = (mark, isNamed) => {
    mark.text.textContent = "";
    mark.bands.forEach((band, i) => {
      const isLast = i === mark.bands.length - 1;
      const words = [isNamed ? band.name : "", isLast ? ` ${mark.step}` : isNamed ? ", " : ""].join("");
      if (words) element(mark.text, "b", { style: `color:var(--band-${band.key})` }, words);
    });
  };
  const placeMarks = () => {
    const room = $("marks").clientWidth, gap = 8;
    for (const isNamed of [true, false]) {
      for (const mark of marks) write(mark, isNamed);
      const widths = marks.map((mark) => mark.text.offsetWidth);
      if (isNamed && widths.reduce((sum, width) => sum + width + gap, 0) > room) continue;
      const lefts = []; // each as near to its mark as its neighbours let it
      marks.forEach((mark, i) => lefts.push(Math.max(i ? lefts[i - 1] + widths[i - 1] + gap : 0, along(mark.step) * room - widths[i] / 2)));
      for (let i = marks.length - 1, end = room; i >= 0; i -= 1) { lefts[i] = Math.max(0, Math.min(lefts[i], end - widths[i])); end = lefts[i] - gap; }
      marks.forEach((mark, i) => { mark.text.style.left = `${lefts[i]}px`; });
      return;
    }
  };
  const fitWords = () => {
    for (const span of spans) for (const name of span.names) { span.segment.textContent = name; if (!isCut(span.segment)) break; }
    if (marks.length) placeMarks();
  };
  addEventListener("resize", fitWords);
  fitWords();

  // ---- going from state to state
  const phaseOf = (k) => spans.find((span) => k >= span.first && k <= span.last);
  function show() {
    const i = order[place], k = shown[i];
    paint(i);
    scrubber.value = place;
    scrubber.setAttribute("aria-valuetext", run.captions[i]);
    $("caption").textContent = run.captions[i];
    for (const span of spans) span.segment.classList.toggle("coming", along(k) <= span.from && along(k) < 1 && !(k === 0 && !run.into_noise && span.from === 0));
    for (const move of movers) move(i);
  }
  function go(to) { place = Math.max(0, Math.min(order.length - 1, to)); show(); }
  function stop() { playing = false; clearTimeout(timer); draw($("play"), "play"); $("play").setAttribute("aria-label", "Play (space)"); }
  function play() {
    if (order.length < 2) return;
    if (place === order.length - 1 && !run.ping_pong) place = 0;
    direction = place === order.length - 1 ? -1 : 1;
    playing = true; draw($("play"), "pause"); $("play").setAttribute("aria-label", "Pause (space)");
    show();
    wait();
  }
  function wait() {
    const isHeld = place === order.length - 1 || (run.into_noise && place === 0);
    const time = (isHeld ? Math.max(run.hold_ms, run.delay_ms) : run.delay_ms) / Number($("speed").value);
    timer = setTimeout(tick, time);
  }
  function tick() {
    if (place + direction >= order.length) {
      if (run.ping_pong) direction = -1;
      else if (!$("loop").checked) { stop(); return; }
      else place = -1;
    } else if (place + direction < 0) {
      if (!$("loop").checked) { stop(); return; }
      direction = 1;
    }
    go(place + direction);
    wait();
  }
  $("loop").checked = run.loop;
  const step = (by) => { stop(); go(place + by); };
  const toPhase = (way) => {
    const starts = [...new Set([0, ...spans.map((span) => nearest(run.into_noise ? span.last : span.first)), order.length - 1])].sort((a, b) => a - b);
    const found = way > 0 ? starts.find((at) => at > place) : starts.reverse().find((at) => at < place);
    stop(); go(found === undefined ? place : found);
  };
  $("first").addEventListener("click", () => { stop(); go(0); });
  $("back").addEventListener("click", () => step(-1));
  $("forward").addEventListener("click", () => step(1));
  $("last").addEventListener("click", () => { stop(); go(order.length - 1); });
  $("play").addEventListener("click", () => (playing ? stop() : play()));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
    if (event.key === " " && /^(BUTTON|SUMMARY|INPUT)$/.test(event.target.tagName) && event.target.id !== "scrubber") return;
    const act = { " ": () => (playing ? stop() : play()), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      Home: () => { stop(); go(0); }, End: () => { stop(); go(order.length - 1); },
      PageUp: () => toPhase(-1), PageDown: () => toPhase(1) }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // ---- dragging over pictures and plot; touch as well as mouse
  function scrub(target, placeAt) {
    target.style.cursor = "ew-resize";
    const move = (event) => { stop(); go(placeAt(event, target.getBoundingClientRect())); };
    target.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      target.setPointerCapture(event.pointerId);
      target.dataset.drag = `${event.clientX} ${place}`;
      move(event);
    });
    target.addEventListener("pointermove", (event) => { if (target.hasPointerCapture(event.pointerId)) move(event); });
  }
  for (const { canvas } of canvases) {
    scrub(canvas, (event, rect) => {
      const [from, at] = canvas.dataset.drag.split(" ").map(Number);
      return Math.round(at + (event.clientX - from) / rect.width * order.length);
    });
  }
  place = run.into_noise ? 0 : order.length - 1;
  show();
})();
