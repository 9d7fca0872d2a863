"use strict";
(() => {
  const LIGHT = ["#0072B2", "#D55E00", "#007a59", "#a3438c", "#7a5c00", "#3a6ea5", "#000000", "#8a4b2d"];
  const DARK = ["#56B4E9", "#FF9E4A", "#2fc99b", "#e58fc2", "#f0e442", "#9ec5f3", "#ffffff", "#d8a58c"];
  const OPEN_GROUPS = 6; // more would keep a reader waiting: the others are drawn when they are opened
  const { runs, groups } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const drawings = [];

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const isDark = () => root.dataset.theme === "dark";
  const palette = () => (isDark() ? DARK : LIGHT);
  const colorOf = (index) => palette()[index % palette().length];
  const isNumber = (value) => typeof value === "number";
  const compact = (value) => (isNumber(value) ? String(Number(value.toPrecision(4))) : "none");

  // Charts

  function style() {
    return { background: "transparent", color: isDark() ? "#e6e9ec" : "#1b1f24", fontSize: "12px", fontFamily: "inherit" };
  }

  /** What draws into `holder`; it is called again when the width or the theme changes. */
  function drawn(holder, draw) {
    let width = 0;
    const redraw = () => {
      width = holder.clientWidth;
      if (width > 0) holder.replaceChildren(draw(Math.max(240, width)));
    };
    new ResizeObserver(() => {
      if (Math.abs(holder.clientWidth - width) > 2) redraw();
    }).observe(holder);
    drawings.push(redraw);
    return redraw;
  }

  function pointsOf(chosen) {
    return chosen.flatMap(({ run, color, label }) => {
      const { epochs, training, validation } = runs[run].curves;
      return epochs.map((epoch, at) => ({
        epoch, color, label, run, training: training[at] ?? NaN, validation: validation[at] ?? NaN,
      }));
    });
  }

  /** Where a log has no training side, that of the weights that were kept, which the result may tell. */
  function keptOf(chosen) {
    return chosen.flatMap(({ run, color, label }) => {
      const { curves, scores } = runs[run];
      const [training, validation] = ["train", "valid"].map((split) => scores[`${split} ${curves.metric}`]);
      if (curves.training.some(isNumber) || !isNumber(training) || !isNumber(validation)) return [];
      return [{ epoch: curves.kept, color, label, run, training, validation }];
    });
  }

  function scaleOf(metric, points) {
    const values = points.flatMap(({ training, validation }) => [training, validation]).filter(Number.isFinite);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (metric !== "perplexity" || !(low > 0)) return { label: metric, grid: true, nice: true, tickFormat: compact, ticks: 6 };
    const domain = [low * 0.95, high * 1.05];
    return { label: `${metric} (log scale)`, grid: true, type: "log", domain, tickFormat: compact, ticks: roundValues(...domain) };
  }

  /** Round values of each decade, or even ones where those would leave less than three. */
  function roundValues(low, high) {
    const decades = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    const values = decades.flatMap((decade) => [1, 2, 3, 5].map((step) => step * 10 ** decade)).filter((value) => low <= value && value <= high);
    return values.length > 2 ? values : d3.ticks(low, high, 5);
  }

  function wholeNumbers(epochs) {
    const [low, high] = d3.extent(epochs);
    return d3.ticks(low, high, 12).filter(Number.isInteger);
  }

  /** Training dashed, validation solid, the gap between them shaded. */
  function curvesChart(chosen, metric, width) {
    const [points, kept] = [pointsOf(chosen), keptOf(chosen)];
    const lines = { x: "epoch", z: "run", stroke: "color" };
    const ends = points.filter((point, at) => points[at + 1]?.run !== point.run);
    return Plot.plot({
      width, height: Math.min(380, Math.max(240, width * 0.55)), marginLeft: 52, marginRight: 16, marginBottom: 42, marginTop: 28, style: style(),
      ariaLabel: `${metric} by epoch`,
      ariaDescription: ends.map(({ label, training, validation }) =>
        `${label}: training ${compact(training)}, validation ${compact(validation)} after the last epoch`)
        .concat(kept.map(({ label, epoch, training, validation }) =>
          `${label}: training ${compact(training)}, validation ${compact(validation)} of the weights kept, epoch ${epoch}`)).join("; "),
      x: { label: "epoch", labelOffset: 38, tickFormat: "d", ticks: wholeNumbers(points.map(({ epoch }) => epoch)) },
      y: scaleOf(metric, [...points, ...kept]),
      marks: [
        Plot.areaY(points, { x: "epoch", z: "run", fill: "color", fillOpacity: 0.12, y1: "training", y2: "validation", className: "gap" }),
        Plot.lineY(points, { ...lines, y: "training", strokeDasharray: "5 4", strokeWidth: 1.5, className: "training" }),
        Plot.lineY(points, { ...lines, y: "validation", strokeWidth: 2, className: "validation" }),
        Plot.dot(ends, { x: "epoch", y: "validation", fill: "color", r: 3 }),
        Plot.ruleX(kept, { x: "epoch", y1: "training", y2: "validation", stroke: "color", strokeOpacity: 0.25, strokeWidth: 8, className: "gap" }),
        Plot.dot(kept, { x: "epoch", y: "training", stroke: "color", strokeWidth: 2, r: 4, className: "training" }),
        Plot.tip(points, Plot.pointer({
          x: "epoch", y: "validation", fill: isDark() ? "#14181d" : "#ffffff",
          title: ({ label, epoch, training, validation }) =>
            `${label}\nepoch ${epoch}\ntraining ${compact(training)}\nvalidation ${compact(validation)}`,
        })),
      ],
    });
  }

  /** The mean of each rule with its 95% interval, and every seed. */
  function rulesChart(group, width) {
    const lines = group.lines.map((line, at) => ({ ...line, color: colorOf(at) })).filter(({ mean }) => mean !== null);
    const seeds = lines.flatMap(({ name, values, color }) => values.map((value) => ({ name, value, color })));
    const longest = Math.max(...lines.map(({ name }) => name.length), 6);
    const longestWord = Math.max(...lines.flatMap(({ name }) => name.split(" ")).map(({ length }) => length));
    const left = Math.min(24 + 7 * longest, Math.max(width * 0.45, 24 + 7 * longestWord), width * 0.7);
    const rows = Math.ceil((24 + 7.5 * longest) / left); // a long name is broken into so many
    const better = group.higherIsBetter ? "higher" : "lower";
    return Plot.plot({
      width, height: 70 + Math.max(34, 8 + 15 * rows) * lines.length, marginLeft: left, marginRight: 20, marginBottom: 44, style: style(),
      ariaLabel: `${group.split} ${group.metric} by rule`,
      ariaDescription: lines.map(({ name, mean, margin, values }) =>
        `${name}: ${compact(mean)}${margin === null ? "" : ` plus or minus ${compact(margin)}`} over ${values.length} seeds`).join("; "),
      x: { label: `${group.split} ${group.metric} (${better} is better)`, labelOffset: 40, grid: true, nice: true, tickFormat: compact, ticks: Math.max(3, width / 110) },
      y: { label: null, domain: lines.map(({ name }) => name) },
      marks: [
        Plot.axisY({ label: null, lineWidth: (left - 20) / 12, tickSize: 4 }),
        Plot.ruleY(lines.filter(({ margin }) => margin !== null), {
          y: "name", x1: ({ mean, margin }) => mean - margin, x2: ({ mean, margin }) => mean + margin, stroke: "color",
          strokeWidth: 3, strokeOpacity: 0.55, className: "interval",
        }),
        Plot.dot(seeds, { x: "value", y: "name", stroke: "color", r: 4 }),
        Plot.tickX(lines, { x: "mean", y: "name", stroke: "color", strokeWidth: 3, inset: 6, className: "mean" }),
        Plot.tip(lines, Plot.pointer({
          x: "mean", y: "name", fill: isDark() ? "#14181d" : "#ffffff",
          title: ({ name, mean, margin, values }) =>
            `${name}\n${compact(mean)}${margin === null ? "" : ` ± ${compact(margin)}`}\n${values.length} seed${values.length > 1 ? "s" : ""}`,
        })),
      ],
    });
  }

  function attentionChart({ source, target, weights }, width) {
    const cells = weights.flatMap((row, at) => row.map((weight, from) => ({ x: from, y: at, weight })));
    return Plot.plot({
      width: Math.min(width, 140 + 34 * source.length), height: 90 + 22 * target.length, marginLeft: 100, marginTop: 80, style: style(),
      ariaLabel: "attention: which source token each written token looked at",
      x: { axis: "top", tickFormat: (at) => source[at], tickRotate: -50, label: null },
      y: { tickFormat: (at) => target[at], label: null },
      color: { scheme: isDark() ? "viridis" : "blues", domain: [0, 1] },
      marks: [Plot.cell(cells, { x: "x", y: "y", fill: "weight", title: ({ x, y, weight }) => `${target[y]} looks at ${source[x]}: ${weight}` })],
    });
  }

  // Groups of runs

  const hasCurves = (run) => runs[run].curves !== null;

  /** The first seed of the best rule with dropout, and of the same settings without. */
  function firstChoice(group) {
    const sign = group.higherIsBetter ? -1 : 1;
    const drawable = group.lines.filter((line) => line.runs.some(hasCurves));
    const plainOf = (line) => drawable.find((other) => other === group.lines[line.plain]);
    const ranked = drawable.filter((line) => plainOf(line) !== line && line.mean !== null).sort((a, b) => sign * (a.mean - b.mean));
    const best = ranked.find(plainOf) ?? ranked[0];
    const lines = best ? [plainOf(best), best].filter(Boolean) : [];
    return new Set((lines.length ? lines : drawable.slice(0, 1)).map((line) => line.runs.find(hasCurves)));
  }

  function choices(group, chosen, changed) {
    const boxes = group.lines.flatMap((line, at) => line.runs.filter(hasCurves).map((run) => {
      const box = element("input", { type: "checkbox", checked: chosen.has(run) });
      box.addEventListener("change", () => {
        box.checked ? chosen.add(run) : chosen.delete(run);
        changed();
      });
      const swatch = element("span", { className: "swatch" });
      drawings.push(() => { swatch.style.background = colorOf(at); });
      swatch.style.background = colorOf(at);
      return element("label", {}, box, swatch, `${line.name}, seed ${runs[run].seed}`);
    }));
    return element("div", { className: "choices", role: "group", ariaLabel: "Runs to draw" }, ...boxes);
  }

  function chosenLines(group, chosen) {
    return group.lines.flatMap((line, at) => line.runs.filter((run) => chosen.has(run)).map((run) =>
      ({ run, color: colorOf(at), label: `${line.name}, seed ${runs[run].seed}` })));
  }

  /** How the training side of these curves was measured, if it was. */
  function trainingSaid(lines) {
    const measured = lines.map(({ run }) => runs[run].curves).filter(({ training }) => training.some(isNumber));
    if (measured.length === 0 && keptOf(lines).length) return "validation; ring and band: training, and the gap, of the weights that were kept";
    if (measured.length === 0) return "validation only, training was not measured by epoch";
    return measured.some(({ withDropout }) => withDropout) ? "training as the epoch ran, dropout on" : "training with dropout off";
  }

  function curvesFigure(group) {
    const chosen = firstChoice(group);
    const holder = element("div", { className: "chart curves" });
    const caption = element("figcaption", { className: "key" });
    const draw = (width) => {
      const lines = chosenLines(group, chosen);
      const metric = lines.length ? runs[lines[0].run].curves.metric : group.metric;
      const alike = lines.filter(({ run }) => runs[run].curves.metric === metric);
      caption.textContent = alike.length ? `${metric}; ${trainingSaid(alike)}` : "";
      return alike.length ? curvesChart(alike, metric, width) : element("p", {}, "Choose a run below.");
    };
    const redraw = drawn(holder, draw);
    return [element("figure", {}, holder, caption, choices(group, chosen, redraw)), redraw];
  }

  function rulesFigure(group) {
    const holder = element("div", { className: "chart rules" });
    const caption = element("figcaption", { className: "key", textContent: "Circles: seeds. Tick: their mean. Bar: its 95% confidence interval." });
    return [element("figure", {}, holder, caption), drawn(holder, (width) => rulesChart(group, width))];
  }

  function fill(details, group) {
    const figures = [];
    if (group.lines.some((line) => line.runs.some(hasCurves))) figures.push(curvesFigure(group));
    if (group.lines.some(({ mean }) => mean !== null)) figures.push(rulesFigure(group));
    details.append(element("div", { className: "pair" }, ...figures.map(([figure]) => figure)));
    figures.forEach(([, redraw]) => redraw());
  }

  function showGroups() {
    const section = document.getElementById("rules");
    groups.forEach((group, at) => {
      const details = element("details", { className: "group" }, element("summary", {}, `${group.name}: ${group.metric}`));
      section.append(details);
      const fillOnce = () => { if (details.open && details.children.length === 1) fill(details, group); };
      details.addEventListener("toggle", fillOnce);
      details.open = at < OPEN_GROUPS;
      fillOnce();
    });
    const printed = "details.group, #tables details"; // signatures too: paper cannot unfold them
    window.addEventListener("beforeprint", () => document.querySelectorAll(printed).forEach((details) => {
      details.open = true;
      details.dispatchEvent(new Event("toggle")); // the browser's own comes later, perhaps after the printing
    }));
  }

  function showAttention() {
    document.querySelectorAll("details.attention").forEach((details) => {
      details.addEventListener("toggle", () => {
        const holder = details.querySelector(".chart");
        if (!details.open || holder.children.length) return;
        drawn(holder, (width) => attentionChart(JSON.parse(details.querySelector("script").textContent), width))();
      });
    });
  }

  // Tables

  /** Numbers before text, what is missing last, whichever way. */
  function order(a, b, sign) {
    if (a === b) return 0;
    if (a === "") return 1;
    if (b === "") return -1;
    const [x, y] = [Number(a), Number(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return sign * (Number.isNaN(x) ? a.localeCompare(b) : x - y);
  }

  function sortBy(head) {
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    table.querySelectorAll("th").forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", direction);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
    rows.sort(([a], [b]) => order(a, b, direction === "ascending" ? 1 : -1));
    body.append(...rows.map(([, row]) => row));
  }

  function makeSortable() {
    document.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (head) sortBy(head);
    });
  }

  // Differences between two runs

  function rowsOf(one, other) {
    const pairs = ["settings", "scores", "provenance"].map((part) => [one[part], other[part]]);
    return pairs.flatMap(([ours, theirs]) => [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
      .filter((key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]))
      .map((key) => [key, ours[key], theirs[key]]));
  }

  const said = (value) => (value === undefined || value === null ? "" : isNumber(value) ? String(value) : typeof value === "string" ? value : JSON.stringify(value));

  function showDifferences() {
    const section = document.getElementById("differences");
    const selects = [document.getElementById("first"), document.getElementById("second")];
    if (runs.length < 2) { section.hidden = true; return; }
    selects.forEach((select, which) => {
      select.append(...runs.map(({ name }, at) => element("option", { value: at, textContent: name })));
      select.selectedIndex = which;
      select.addEventListener("change", update);
    });
    function update() {
      const rows = rowsOf(...selects.map((select) => runs[select.value]));
      const head = element("tr", {}, ...["what", "one", "other"].map((text) => element("th", { scope: "col", textContent: text })));
      const body = rows.map((row) => element("tr", {}, ...row.map((value) => element("td", { textContent: said(value) }))));
      const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
      section.querySelector(".wide").replaceChildren(rows.length ? table : element("p", {}, "They are alike in all that is known of them."));
    }
    update();
  }

  // Theme: the system's, until the reader chooses

  function setTheme(dark) {
    root.dataset.theme = dark ? "dark" : "light";
    document.getElementById("theme").setAttribute("aria-pressed", String(dark));
  }

  function showTheme() {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    setTheme(system.matches);
    const change = (dark) => { setTheme(dark); drawings.forEach((redraw) => redraw()); };
    system.addEventListener("change", ({ matches }) => change(matches));
    document.getElementById("theme").addEventListener("click", () => change(!isDark()));
    let wasDark = false;
    window.addEventListener("beforeprint", () => { wasDark = isDark(); if (wasDark) change(false); });
    window.addEventListener("afterprint", () => { if (wasDark) change(true); });
  }

  showTheme();
  showGroups();
  showAttention();
  makeSortable();
  showDifferences();
})();
