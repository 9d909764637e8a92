"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const views = new Map();
  const SHOWN_ROWS = 500;

  const inflate = (name) => {
    const { columns, rows } = page.datasets[name];
    return rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
  };

  const namesOf = (value, found = new Set()) => {
    if (Array.isArray(value)) value.forEach((item) => namesOf(item, found));
    else if (value && typeof value === "object") {
      if (value.data && value.data.name in page.datasets) found.add(value.data.name);
      Object.values(value).forEach((item) => namesOf(item, found));
    }
    return found;
  };

  /** A copy of a figure's specification with its data in it. */
  const specOf = (id) => {
    const spec = structuredClone(page.figures[id].spec);
    spec.datasets = Object.fromEntries([...namesOf(spec)].map((name) => [name, inflate(name)]));
    return spec;
  };

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const isDark = () => root.dataset.theme === "dark"
    || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

  /** Names that a figure gives colours to. */
  const colouredBy = (value) => {
    if (!value || typeof value !== "object") return [];
    const domain = value.color && value.color.scale && value.color.scale.domain;
    if (Array.isArray(domain) && typeof domain[0] === "string") return domain;
    return Object.entries(value).map(([key, item]) => (key === "datasets" ? [] : colouredBy(item))).find((found) => found.length) || [];
  };

  /** Columns of a legend: as many names beside each other as fit, spread evenly over its lines. */
  const legendColumns = (spec, width) => {
    const names = colouredBy(spec);
    const each = 34 + 7 * Math.min(34, Math.max(8, ...names.map((name) => name.length)));
    const lines = Math.ceil(names.length / Math.max(1, Math.floor(width / each))) || 1;
    return Math.ceil(names.length / lines) || 1;
  };

  const themed = (spec, width) => {
    const ink = colour("ink"), soft = colour("soft"), line = colour("line");
    return {
      background: "transparent",
      axis: { labelColor: ink, titleColor: soft, gridColor: line, domainColor: soft, tickColor: soft },
      legend: { labelColor: ink, titleColor: soft, columns: legendColumns(spec, width), labelLimit: Math.min(240, width - 60) },
      header: { labelColor: ink, titleColor: soft },
      rule: { color: ink },
      text: { color: ink },
    };
  };

  const eachAxis = (value, visit) => {
    if (Array.isArray(value)) value.forEach((item) => eachAxis(item, visit));
    else if (value && typeof value === "object") {
      if (value.encoding && value.encoding.y && value.encoding.y.axis) visit(value.encoding.y.axis);
      ["layer", "spec"].forEach((key) => eachAxis(value[key], visit));
    }
  };

  /** Lay a figure out for the width at hand: fewer columns of panels, shorter labels. */
  const fit = (spec, width) => {
    const room = Math.max(70, Math.round(width * 0.3));
    eachAxis(spec, (axis) => { if (axis.labelLimit) axis.labelLimit = Math.min(axis.labelLimit, room); });
    if (spec.facet) {
      const inner = spec.spec;
      if (typeof inner.width === "number") {
        let labels = 70;
        eachAxis(inner, (axis) => { if (axis.labelLimit) labels = axis.labelLimit + 30; });
        // A shared y axis stands once, an own one beside each panel.
        const own = spec.resolve && spec.resolve.scale && spec.resolve.scale.y === "independent";
        const once = own ? 0 : labels - 24;
        const each = own ? labels + 18 : 36;
        const even = spec.columns % 2 === 0;
        const panels = spec.facet.sort ? spec.facet.sort.length : 12;
        const most = Math.floor((width - once) / (Math.min(inner.width, 190) + each));
        let columns = Math.max(1, Math.min(even ? 4 : 3, panels, most));
        if (spec.columns === 1) columns = 1;
        else if (even && columns === 3) columns = 2;
        spec.columns = columns;
        inner.width = Math.max(110, Math.floor((width - once) / columns) - each);
        if (spec.facet.header) spec.facet.header.labelLimit = inner.width;
      } else if (inner.width && inner.width.step && inner.height && inner.height.step) {
        const step = Math.max(10, Math.floor((width - room - 40) / columnsOf(inner)));
        if (step < inner.width.step) inner.width.step = inner.height.step = step;
        if (width < 700) spec.columns = 1;
      }
    } else if (spec.width && spec.width.step) {
      spec.width.step = Math.max(36, Math.min(spec.width.step, Math.floor((width - room - 40) / columnsOf(spec))));
    } else if (typeof spec.width === "number" && typeof spec.height !== "number") {
      spec.width = Math.max(150, width - Math.min(room, 200) - 30);
    } else if (typeof spec.width === "number") {
      spec.width = width;
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    return spec;
  };

  /** Values on the x axis of a map, which says their order. */
  const columnsOf = (spec) => {
    const at = (spec.layer || [spec]).map((layer) => layer.encoding && layer.encoding.x && layer.encoding.x.sort);
    return Math.max(1, ...at.filter(Array.isArray).map((sort) => sort.length));
  };

  const chartOf = (figure) => figure.querySelector(".chart");

  const draw = async (figure) => {
    const box = figure.querySelector(".wide");
    const width = Math.floor(box.clientWidth) - 2;
    if (width <= 0) return;
    const old = views.get(figure.id);
    if (old && old.width === width && old.dark === isDark()) return;
    if (old && old.view) old.view.finalize();
    const now = { width, dark: isDark(), view: null };
    views.set(figure.id, now);
    const spec = fit(specOf(figure.id), width);
    delete spec.title;
    delete spec.description;
    Object.entries(themed(spec, width)).forEach(([part, values]) => {
      spec.config[part] = typeof values === "object" ? { ...spec.config[part], ...values } : values;
    });
    const rows = Math.max(...Object.values(spec.datasets).map((values) => values.length));
    const { view } = await vegaEmbed(chartOf(figure).firstElementChild, spec, {
      mode: "vega-lite", actions: false, renderer: rows > 4000 ? "canvas" : "svg",
      tooltip: { theme: now.dark ? "dark" : "light" },
    });
    if (views.get(figure.id) !== now) { view.finalize(); return; }
    now.view = view;
    chartOf(figure).classList.add("drawn");
    chartOf(figure).style.minHeight = "";
    setHighlight(figure);
  };

  const setHighlight = (figure) => {
    const entry = views.get(figure.id);
    const select = document.querySelector(`.highlight[data-prefix="${figure.dataset.prefix}"]`);
    if (!entry || !entry.view || !select) return;
    try { entry.view.signal("highlight", select.value).runAsync(); } catch { /* this figure has no lines to highlight */ }
  };

  const figures = [...document.querySelectorAll("figure")];
  const seen = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target));
  }, { rootMargin: "600px" });
  figures.forEach((figure) => seen.observe(figure));
  const later = window.requestIdleCallback || ((task) => setTimeout(task, 50));
  const drawRest = async () => {
    const next = figures.find((figure) => !views.has(figure.id));
    if (!next) { root.dataset.drawn = "all"; root.style.overflowAnchor = ""; return; }
    try { await draw(next); } finally { later(drawRest); }
  };
  addEventListener("load", () => later(drawRest));
  const again = () => figures.filter((figure) => views.has(figure.id)).forEach(draw);
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(again, 150); });
  addEventListener("beforeprint", () => figures.forEach(draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.querySelectorAll(".highlight").forEach((select) => select.addEventListener("change", () => figures.forEach(setHighlight)));

  // Numbers and files

  const save = (name, content, type) => {
    const link = document.createElement("a");
    link.download = name;
    link.href = typeof content === "string" && content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
    link.click();
    if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  /** Column names and rows of a figure's numbers, tasks by their full names. */
  const numbersOf = (figure) => {
    const { columns, rows } = page.datasets[page.figures[figure.id].table];
    const names = page.names[figure.dataset.prefix] || {};
    const named = columns.map((column) => column === "task" || column === "source");
    const full = rows.map((row) => row.map((value, index) => (named[index] && Object.hasOwn(names, value) ? names[value] : value)));
    return { columns, rows: full };
  };

  /** A cell of a CSV file; text that a spreadsheet would run as a formula is marked as text. */
  const csvCell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  const csvOf = (figure) => {
    const { columns, rows } = numbersOf(figure);
    return [columns, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
  };

  const showNumbers = (figure, button) => {
    const box = figure.querySelector(".numbers");
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden && !box.firstChild) fillNumbers(figure, box);
  };

  const fillNumbers = (figure, box) => {
    const { columns, rows } = numbersOf(figure);
    const region = box.appendChild(document.createElement("div"));
    region.className = "table";
    region.tabIndex = 0;
    region.setAttribute("role", "group");
    region.setAttribute("aria-label", `Numbers of ${figure.querySelector("h4").textContent}`);
    const table = region.appendChild(document.createElement("table"));
    const head = table.createTHead().insertRow();
    const numeric = columns.map((_, index) => rows.some((row) => typeof row[index] === "number"));
    columns.forEach((column, index) => {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      if (numeric[index]) cell.className = "number";
      const sort = cell.appendChild(document.createElement("button"));
      sort.type = "button";
      sort.className = "sort";
      sort.textContent = column;
    });
    const body = table.createTBody();
    rows.slice(0, SHOWN_ROWS).forEach((row) => {
      const line = body.insertRow();
      row.forEach((value, index) => {
        const cell = line.insertCell();
        if (numeric[index]) cell.className = "number";
        if (typeof value === "number") cell.dataset.v = value;
        cell.appendChild(document.createElement("bdi")).textContent = value === null ? "–" : String(value);
      });
    });
    if (rows.length > SHOWN_ROWS) {
      const note = box.appendChild(document.createElement("p"));
      note.className = "note";
      note.textContent = `The first ${SHOWN_ROWS} of ${rows.length} rows; the CSV file has all.`;
    }
  };

  /** A figure as it is printed: light, with its title, in its own size. */
  const printed = async (id, use) => {
    const { view } = await vegaEmbed(document.createElement("div"), specOf(id), { mode: "vega-lite", actions: false });
    try { return await use(view); } finally { view.finalize(); }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.classList.contains("sort")) { sortNext(button.closest("th")); return; }
    const figure = button.closest("figure");
    if (!figure) return;
    const id = figure.id;
    if (button.dataset.do === "numbers") showNumbers(figure, button);
    if (button.dataset.do === "csv") save(`${id}.csv`, csvOf(figure), "text/csv;charset=utf-8");
    if (button.dataset.do === "svg") save(`${id}.svg`, await printed(id, (view) => view.toSVG()), "image/svg+xml");
    if (button.dataset.do === "png") save(`${id}.png`, await printed(id, (view) => view.toImageURL("png", 2)), "image/png");
  });

  // Tables

  /** Sort a table by a column: numbers from the largest on at first, text from A on, and the other way the next time. */
  const sortNext = (header) => sortBy(header, header.getAttribute("aria-sort") === "ascending"
    || (header.classList.contains("number") && !header.hasAttribute("aria-sort")));

  const sortBy = (header, descending) => {
    const table = header.closest("table");
    const index = [...header.parentNode.children].indexOf(header);
    header.parentNode.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (row) => {
      const cell = row.children[index];
      return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    };
    const text = (row) => row.children[index].textContent;
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null && y === null) return text(a).localeCompare(text(b), undefined, { numeric: true }) * (descending ? -1 : 1);
      if (x === null || y === null) return x === null ? 1 : -1;
      return (x - y) * (descending ? -1 : 1);
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(order));
  };

  // Colours and updates

  /** What a browser keeps for this page; one that forbids it loses a choice and nothing else. */
  const store = (name) => ({
    get: (key) => { try { return window[name].getItem(key); } catch { return null; } },
    set: (key, value) => { try { window[name].setItem(key, value); } catch { /* forbidden */ } },
  });
  const kept = store("localStorage");
  const theme = document.getElementById("theme");
  theme.value = kept.get("apportion-theme") || "auto";
  const applyTheme = () => {
    if (theme.value === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme.value;
    again();
  };
  theme.addEventListener("change", () => { kept.set("apportion-theme", theme.value); applyTheme(); });
  applyTheme();

  // A page that loads itself anew stays as its reader left it: place, focus, what was opened, sorted and highlighted.

  const passing = store("sessionStorage");
  const PLACE = `apportion-place-${location.pathname}`;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const STOPS = "a, button, select, summary, [tabindex]";
  const headers = () => all("table[id] thead th");

  const remember = () => passing.set(PLACE, JSON.stringify({
    scroll: scrollY,
    focus: all(STOPS).indexOf(document.activeElement) - all(STOPS).length, // from the end: the last page has no button to pause
    open: all("details").flatMap((item, index) => (item.open ? [index] : [])),
    numbers: figures.filter((figure) => !figure.querySelector(".numbers").hidden).map((figure) => figure.id),
    sorts: headers().flatMap((item, index) => (item.hasAttribute("aria-sort") ? [[index, item.getAttribute("aria-sort")]] : [])),
    highlights: all(".highlight").map((select) => select.value),
    heights: figures.map((figure) => [figure.id, chartOf(figure).offsetHeight]),
  }));

  const restore = () => {
    const place = JSON.parse(passing.get(PLACE) || "null");
    if (!place) return;
    passing.set(PLACE, "null");
    const figureOf = (id) => figures.find((figure) => figure.id === id);
    place.heights.forEach(([id, height]) => { if (figureOf(id)) chartOf(figureOf(id)).style.minHeight = `${height}px`; });
    place.numbers.map(figureOf).filter(Boolean).forEach((figure) => showNumbers(figure, figure.querySelector("[data-do=numbers]")));
    all("details").forEach((item, index) => { item.open = place.open.includes(index); });
    const heads = headers();
    place.sorts.forEach(([index, order]) => { if (heads[index]) sortBy(heads[index], order === "descending"); });
    all(".highlight").forEach((select, index) => {
      if ([...select.options].some((option) => option.value === place.highlights[index])) select.value = place.highlights[index];
    });
    const stop = all(STOPS).at(place.focus);
    if (stop) stop.focus({ preventScroll: true });
    root.style.overflowAnchor = "none"; // until all is drawn: figures keep their heights, and so does the place
    scrollTo({ top: place.scroll, behavior: "instant" });
  };
  restore();

  const pause = document.getElementById("pause");
  if (pause) {
    let timer = 0;
    const reload = () => {
      remember();
      history.scrollRestoration = "manual"; // else the browser restores the place once more, after the page has
      location.reload();
    };
    const start = () => { timer = setTimeout(reload, 1000 * Number(document.body.dataset.refresh)); };
    pause.addEventListener("click", () => {
      const paused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(paused));
      clearTimeout(timer);
      if (!paused) start();
    });
    start();
  }
})();
