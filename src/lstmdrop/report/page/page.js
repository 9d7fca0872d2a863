"use strict";
(() => {
  const { runs } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const isNumber = (value) => typeof value === "number";
  const compact = (value) => (isNumber(value) ? String(Number(value.toPrecision(4))) : "none");
  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  // Charts: colours are the style sheet's, so that a chart follows the scheme without being drawn again

  const STYLE = { background: "transparent", color: "var(--ink)", fontSize: "12px", fontFamily: "inherit" };

  /** Draws into `holder`, and again when its width changes. */
  function drawn(holder, draw) {
    let width = 0;
    const redraw = () => {
      width = holder.clientWidth;
      if (width > 0) holder.replaceChildren(draw(Math.max(240, width), holder.clientHeight));
    };
    new ResizeObserver(() => {
      if (Math.abs(holder.clientWidth - width) > 2) redraw();
    }).observe(holder);
    return redraw;
  }

  function pointsOf(lines) {
    return lines.flatMap(({ run, color, label }) => {
      const { epochs, training, validation } = runs[run].curves;
      return epochs.map((epoch, at) => ({
        epoch, color, label, run, training: training[at] ?? NaN, validation: validation[at] ?? NaN,
      }));
    });
  }

  /** Where a log has no training side, that of the weights that were kept, which the result may tell. */
  function keptOf(lines) {
    return lines.flatMap(({ run, color, label }) => {
      const { curves, scores } = runs[run];
      const [training, validation] = ["train", "valid"].map((split) => scores[`${split} ${curves.metric}`]);
      if (curves.training.some(isNumber) || !isNumber(training) || !isNumber(validation)) return [];
      return [{ epoch: curves.kept, color, label, run, training, validation }];
    });
  }

  function scaleOf(metric, points) {
    const values = points.flatMap(({ training, validation }) => [training, validation]).filter(Number.isFinite);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const plain = { label: null, grid: true, tickFormat: compact };
    if (metric !== "perplexity" || !(low > 0)) return { ...plain, nice: true, ticks: 6 };
    const domain = [low * 0.95, high * 1.05];
    return { ...plain, type: "log", domain, ticks: roundValues(...domain) };
  }

  /** Round values of each decade, or even ones where those would leave less than three. */
  function roundValues(low, high) {
    const decades = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    const values = decades.flatMap((decade) => [1, 2, 3, 5].map((step) => step * 10 ** decade)).filter((value) => low <= value && value <= high);
    return values.length > 2 ? values : d3.ticks(low, high, 5);
  }

  function wholeNumbers(epochs) {
    const [low, high] = d3.extent(epochs);
    return d3.ticks(low, high, 10).filter(Number.isInteger);
  }

  function inWords(points, kept) {
    const ends = points.filter((point, at) => points[at + 1]?.run !== point.run);
    const said = (label, training, validation, when) => `${label}: training ${compact(training)}, validation ${compact(validation)} ${when}`;
    return [
      ...ends.map(({ label, training, validation }) => said(label, training, validation, "after the last epoch")),
      ...kept.map(({ label, epoch, training, validation }) => said(label, training, validation, `of the weights kept, epoch ${epoch}`)),
    ].join("; ");
  }

  /** Training dashed, validation solid, the gap between them shaded. */
  function curvesChart(lines, metric, width, height) {
    const [points, kept] = [pointsOf(lines), keptOf(lines)];
    const stroke = { x: "epoch", z: "run", stroke: "color" };
    return Plot.plot({
      width, height, marginLeft: 44, marginRight: 12, marginBottom: 40, marginTop: 10, style: STYLE,
      ariaLabel: `${metric} by epoch`, ariaDescription: inWords(points, kept),
      x: { label: "epoch", labelOffset: 36, tickFormat: "d", ticks: wholeNumbers(points.map(({ epoch }) => epoch)) },
      y: scaleOf(metric, [...points, ...kept]),
      marks: [
        Plot.areaY(points, { x: "epoch", z: "run", fill: "color", fillOpacity: 0.12, y1: "training", y2: "validation", className: "gap" }),
        Plot.lineY(points, { ...stroke, y: "training", strokeDasharray: "5 4", strokeWidth: 1.5, className: "training" }),
        Plot.lineY(points, { ...stroke, y: "validation", strokeWidth: 2, className: "validation" }),
        Plot.ruleX(kept, { x: "epoch", y1: "training", y2: "validation", stroke: "color", strokeOpacity: 0.25, strokeWidth: 8, className: "gap" }),
        Plot.dot(kept, { x: "epoch", y: "training", stroke: "color", strokeWidth: 2, r: 4, className: "training" }),
        Plot.tip(points, Plot.pointer({
          x: "epoch", y: "validation", fill: "var(--paper)",
          title: ({ label, epoch, training, validation }) =>
            `${label}\nepoch ${epoch}\ntraining ${compact(training)}\nvalidation ${compact(validation)}`,
        })),
      ],
    });
  }

  function attentionChart({ source, target, weights }, width) {
    const cells = weights.flatMap((row, at) => row.map((weight, from) => ({ x: from, y: at, weight })));
    return Plot.plot({
      width: Math.min(width, 140 + 34 * source.length), height: 90 + 22 * target.length, marginLeft: 100, marginTop: 80, style: STYLE,
      ariaLabel: "attention: which source token each written token looked at",
      x: { axis: "top", tickFormat: (at) => source[at], tickRotate: -50, label: null },
      y: { tickFormat: (at) => target[at], label: null },
      marks: [Plot.cell(cells, {
        x: "x", y: "y", fill: "var(--c1)", fillOpacity: "weight", stroke: "var(--rule)",
        title: ({ x, y, weight }) => `${target[y]} looks at ${source[x]}: ${weight}`,
      })],
      opacity: { domain: [0, 1], range: [0, 1] },
    });
  }

  // Curves of the runs that are ticked

  function ticked(details) {
    return [...details.querySelectorAll(".seeds input:checked")].map((box) => ({
      run: Number(box.value), label: box.ariaLabel, color: box.closest("li").style.getPropertyValue("--color"),
    }));
  }

  /** How the training side of these curves was measured, if it was. */
  function trainingSaid(lines) {
    const measured = lines.map(({ run }) => runs[run].curves).filter(({ training }) => training.some(isNumber));
    if (measured.length === 0 && keptOf(lines).length) return "Solid: validation. Ring and band: training, and the gap, of the weights that were kept.";
    if (measured.length === 0) return "Solid: validation. Training was not measured by epoch.";
    const how = measured.some(({ withDropout }) => withDropout) ? "as the epoch ran, dropout on" : "dropout off";
    return `Solid: validation. Dashed: training, ${how}. Shaded: the gap.`;
  }

  function drawCurves(details) {
    const [holder, title, caption] = [".curves", "figure h4", ".curves + figcaption"].map((one) => details.querySelector(one));
    if (!holder) return;
    const redraw = drawn(holder, (width, height) => {
      const lines = ticked(details);
      if (lines.length === 0) return element("p", {}, "Tick a seed beside.");
      const curves = runs[lines[0].run].curves;
      const alike = lines.filter(({ run }) => runs[run].curves.metric === curves.metric);
      title.textContent = `${capital(curves.title)} by epoch${curves.metric === "perplexity" ? " (log scale)" : ""}`;
      caption.textContent = trainingSaid(alike);
      return curvesChart(alike, curves.title, width, height);
    });
    details.addEventListener("change", redraw);
    redraw();
  }

  function showGroups() {
    const groups = [...document.querySelectorAll("details.group")];
    const done = new Set();
    const drawOnce = (details) => {
      if (!details.open || done.has(details)) return;
      done.add(details);
      drawCurves(details);
    };
    groups.forEach((details) => {
      details.addEventListener("toggle", () => drawOnce(details));
      drawOnce(details);
    });
    const printed = "details.group, details.notes, .results details"; // paper cannot unfold them
    window.addEventListener("beforeprint", () => document.querySelectorAll(printed).forEach((details) => {
      details.open = true;
      if (details.matches(".group")) drawOnce(details);
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
    table.querySelectorAll("thead th").forEach((other) => other.setAttribute("aria-sort", "none"));
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

  const ruleOf = ({ settings }) => settings["regularizer.rule"];
  const said = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));

  function showDifferences() {
    const section = document.getElementById("differences");
    const selects = [document.getElementById("first"), document.getElementById("second")];
    if (runs.length < 2) { section.hidden = true; return; }
    selects.forEach((select, which) => { // at first two that differ in their rule
      select.append(...runs.map(({ name }, at) => element("option", { value: at, textContent: name })));
      select.selectedIndex = which === 0 ? 0 : Math.max(1, runs.findIndex((run) => ruleOf(run) !== ruleOf(runs[0])));
      select.addEventListener("change", update);
    });
    function update() {
      const rows = rowsOf(...selects.map((select) => runs[select.value]));
      const head = element("tr", {}, ...["what", "one", "other"].map((text) => element("th", { scope: "col", textContent: text })));
      const body = rows.map(([key, ...values]) => element("tr", {}, element("th", { scope: "row", textContent: key }),
        ...values.map((value) => element("td", { textContent: said(value) }))));
      const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
      section.querySelector(".wide").replaceChildren(rows.length ? table : element("p", {}, "They are alike in all that is known of them."));
    }
    update();
  }

  // Colours: the system's, until the reader chooses

  function showTheme() {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const button = document.getElementById("theme");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const update = () => button.setAttribute("aria-pressed", String(isDark()));
    system.addEventListener("change", update);
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      update();
    });
    update();
  }

  showTheme();
  showGroups();
  showAttention();
  makeSortable();
  showDifferences();
})();
