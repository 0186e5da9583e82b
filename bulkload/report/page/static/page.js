"use strict";
(() => {
  // Every text that is shown goes in as text: names and messages are of others.
  const OUTCOMES = ["created", "existing", "rejected", "failed", "skipped", "not done"];
  const MARKS = { created: "✓", existing: "=", rejected: "▲", failed: "✕", skipped: "-", "not done": "○" };
  const WORST = ["failed", "rejected", "not done", "created", "existing", "skipped"];
  const MISSING = ["failed", "rejected", "not done"];
  // Tiles beyond this are marks without a name; the name is read and shown all the same.
  const MANY = 400;
  const SAY_EVERY_MS = 20000;

  const at = (id) => document.getElementById(id);
  const count = (number) => Number(number || 0).toLocaleString("en");
  const dashed = (name) => name.replace(" ", "-");
  const figure = (number) => Number(Number(number || 0).toPrecision(3)).toLocaleString("en");
  const size = (number) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let place = 0;
    let value = Number(number || 0);
    while (value >= 1000 && place < units.length - 1) { value /= 1000; place += 1; }
    return `${figure(value)} ${units[place]}`;
  };
  const duration = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  };
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC";

  const element = (name, text, classes) => {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = String(text);
    if (classes) made.className = classes;
    return made;
  };
  const drawn = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    return made;
  };
  const outcome = (name, number) => {
    const made = element("span", null, dashed(name));
    const mark = element("span", MARKS[name] || "");
    mark.setAttribute("aria-hidden", "true");
    made.append(mark, ` ${number === undefined ? "" : count(number) + " "}${name}`);
    return made;
  };
  const row = (values, numbers, labels = []) => {
    const made = element("tr");
    values.forEach((value, place) => {
      const one = element(place === 0 ? "th" : "td", value instanceof Node ? null : value);
      if (place === 0) one.scope = "row";
      if (numbers.includes(place)) one.className = "num";
      if (labels[place]) one.dataset.label = labels[place];
      if (value instanceof Node) one.append(value);
      made.append(one);
    });
    return made;
  };

  // -- What the run says of itself ---------------------------------------------------------------

  let lastSaid = "";
  let saidAt = 0;
  const say = (text) => {
    // Not each second: whoever listens to the page could do nothing else.
    const isUrgent = text.split(":")[0] !== lastSaid.split(":")[0];
    if (text === lastSaid || (!isUrgent && Date.now() - saidAt < SAY_EVERY_MS)) return;
    at("said").textContent = text;
    lastSaid = text;
    saidAt = Date.now();
  };

  // Rates are of the last seconds: of a run that is over they say nothing.
  const isAtWork = (state) => state.liveness === "alive" || state.liveness === "paused";

  const verdict = (state) => {
    const counts = state.counts || {};
    const open = counts["not done"] || 0;
    const lost = (counts.rejected || 0) + (counts.failed || 0);
    const planned = state.planned || 0;
    const done = planned - open;
    const progress = `${count(done)} of ${count(planned)} entries have an outcome`;
    const waits = (state.live && state.live.pauses || []).map((one) =>
      `${one.what}: ${one.why}${one.until ? `, until ${clock(one.until)} UTC` : ""}`).join("; ");
    if (state.liveness === "alive" && state.live && state.live.state === "planning") return ["…", "", "Planning: nothing is sent yet", ""];
    if (state.liveness === "alive") return ["▶", "", `Running: ${progress}`, waits];
    if (state.liveness === "paused") return ["Ⅱ", "is-partial", `Paused: ${progress}`, waits];
    if (state.liveness === "dead") return ["!", "is-bad", `The process is gone without an end: ${progress}`, state.live ? `To go on: ${state.live.command}` : ""];
    if (!planned) return ["…", "", "The run has not begun", ""];
    if (open) return ["!", "is-bad", `Not finished: ${progress}`, state.live ? `To go on: ${state.live.command}` : "To go on: bulkload resume, with the job folder"];
    if (lost) return ["▲", "is-partial", `Finished: ${count(lost)} of ${count(planned)} entries did not arrive`, "The causes are below; report.html in the job folder has them all."];
    return ["✓", "is-good", "Finished: everything arrived", ""];
  };

  const showNow = (state) => {
    const [mark, kind, headline, detail] = verdict(state);
    at("mark").textContent = mark;
    at("verdict").className = `verdict ${kind}`;
    at("headline").textContent = headline;
    at("detail").textContent = detail;
    say(headline);
    at("job").textContent = state.job || "bulkload";
    at("folder").textContent = state.folder || "";
    document.title = `${headline} · ${state.job || "bulkload"}`;
    at("trouble").hidden = !state.trouble;
    at("trouble").textContent = state.trouble || "";
    const counts = state.counts || {};
    at("progress").max = Math.max(1, state.planned || 0);
    at("progress").value = (state.planned || 0) - (counts["not done"] || 0);
    at("counts").replaceChildren(...[["planned", state.planned], ...OUTCOMES.map((name) => [name, counts[name] || 0])].map(([name, number], place) => {
      const made = element("li");
      if (place) made.append(element("span", place === 1 ? "=" : "+", "sign"));
      const term = element("span", null, number ? "term" : "term is-none");
      term.append(element("b", count(number)), place ? outcome(name) : name);
      made.append(term);
      return made;
    }));
    showFigures(state);
    at("seen").textContent = state.at ? `Last seen ${moment(state.at)}.` : "";
  };

  const showFigures = (state) => {
    const live = state.live;
    const figures = [];
    if (live) {
      figures.push(["elapsed", duration(live.at - live.started_at)]);
      if (isAtWork(state)) figures.push(["to the end", live.eta ? `${duration(live.eta.seconds)} (${live.eta.basis})` : "unknown"]);
      if (state.liveness !== "ended") figures.push(["waits for", live.limit.name === "none" ? "nothing for long" : live.limit.name + (live.limit.detail ? `: ${live.limit.detail}` : "")]);
      if (live.limit.change) figures.push(["what would change it", live.limit.change]);
      const pace = (rate) => isAtWork(state) ? ` (${size(rate)}/s)` : "";
      figures.push(["read", `${size(live.bytes_read)}${pace(live.bytes_read_rate)}, ${count(live.rows)} rows`]);
      figures.push(["sent", `${size(live.bytes_sent)}${pace(live.bytes_sent_rate)}`]);
      figures.push(["requests", `${count(live.requests)}, ${count(live.retries)} retries`]);
    }
    if (state.absent_parts) figures.push(["parts not in this folder", count(state.absent_parts)]);
    at("figures").replaceChildren(...figures.map(([name, value]) => {
      const made = element("div");
      made.append(element("dt", name), element("dd", value));
      return made;
    }));
  };

  const roundTop = (value) => {
    if (!(value > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((one) => one >= value * (1 - 1e-9));
  };

  const bars = (svg, layers, top) => {
    const made = [drawn("path", { class: "grid-line", d: "M0 50h600M0 1h600" })];
    const below = [];
    for (const [kind, values] of layers) {
      const width = 600 / values.length;
      let path = "";
      values.forEach((value, place) => {
        const low = below[place] || 0;
        if (value > 0) {
          const high = 100 * value / top;
          path += `M${(place * width).toFixed(2)} ${(100 * (1 - low / top)).toFixed(2)}h${width.toFixed(2)}v${(-high).toFixed(2)}h${(-width).toFixed(2)}z`;
        }
        below[place] = low + value;
      });
      made.push(drawn("path", { class: kind, d: path }));
    }
    svg.replaceChildren(...made);
  };

  const showCourse = (state) => {
    const course = state.course;
    if (!course) return;
    const names = OUTCOMES.filter((name) => course.ended[name]);
    const perMinute = 60 / course.width_s;
    const rates = names.map((name) => course.ended[name].map((value) => value * perMinute));
    const totals = course.bytes.map((_, place) => rates.reduce((sum, one) => sum + one[place], 0));
    const top = roundTop(Math.max(...totals));
    bars(at("rate"), names.map((name, place) => [`fill-${dashed(name)}`, rates[place]]), top);
    at("rate-top").textContent = `top of the scale: ${figure(top)}`;
    const now = isAtWork(state) ? `, now ${figure(totals[totals.length - 1])}` : "";
    const rateSaid = `at most ${figure(Math.max(...totals))}${now}`;
    at("rate-said").textContent = rateSaid;
    at("rate").setAttribute("aria-label", `Measurements a minute, by outcome: ${rateSaid}`);
    at("rate-legend").replaceChildren(...names.map((name) => outcome(name)));
    const stored = course.bytes.map((value) => value / course.width_s);
    const storedTop = roundTop(Math.max(...stored));
    bars(at("bytes"), [["fill-accent", stored]], storedTop);
    at("bytes-top").textContent = `top of the scale: ${size(storedTop)}/s`;
    const bytesSaid = `at most ${size(Math.max(...stored))}/s, ${size(course.bytes.reduce((one, other) => one + other, 0))} in all`;
    at("bytes-said").textContent = bytesSaid;
    at("bytes").setAttribute("aria-label", `Bytes stored a second: ${bytesSaid}`);
    for (const one of document.querySelectorAll(".axis .begin")) one.textContent = clock(course.begin);
    for (const one of document.querySelectorAll(".axis .end")) one.textContent = `${clock(course.end)} UTC`;
    if (!at("course-details").open) return;
    at("course-head").replaceChildren(...["from (UTC)", ...names, "stored", "in hand"].map((name, place) => {
      const made = element("th", name, place ? "num" : "");
      made.scope = "col";
      return made;
    }));
    const columns = names.map((_, place) => place + 1).concat([names.length + 1, names.length + 2]);
    at("course-rows").replaceChildren(...course.bytes.map((value, place) => row(
      [clock(course.begin + place * course.width_s), ...names.map((name) => count(course.ended[name][place])), size(value), count(course.in_hand[place])], columns)));
  };

  const showStages = (state) => {
    const live = state.live;
    at("no-stages").hidden = Boolean(live);
    at("stages-box").hidden = !live;
    at("stages").replaceChildren(...(live ? live.stages : []).map((one) => row(
      [one.name, count(one.queued), one.capacity ? `${count(one.in_flight)} of ${count(one.capacity)}` : count(one.in_flight), count(one.done), isAtWork(state) ? figure(one.rate) : "-"], [1, 2, 3, 4])));
    at("parts").replaceChildren(...(state.parts || []).map((one) => row(
      [one.name, `${one.liveness}, process ${one.pid} on ${one.host}`, `${count(one.done)} of ${count(one.planned)}`, one.workers === null ? "-" : count(one.workers), one.limit.name === "none" ? "-" : one.limit.name], [2, 3])));
    at("files-count").textContent = live ? count(live.files_in_hand) : "0";
    at("files").replaceChildren(...(live ? live.files : []).map((one) =>
      element("li", `${one.stage}, ${duration(one.age_s)}: ${one.path}`)));
  };

  const clipped = (text) => element("div", text, "clip");

  const showCauses = (causes) => {
    at("no-causes").hidden = Boolean(causes && causes.length);
    at("causes-box").hidden = !(causes && causes.length);
    at("causes").replaceChildren(...(causes || []).map((one) => row([one.cause, count(one.count), clipped(one.example)], [1], [null, "entries", null])));
  };

  const showEvents = (events) => {
    at("events").replaceChildren(...(events || []).map((one) => {
      const made = element("li");
      made.append(element("time", clock(one.at), "muted"), element("span", one.name, "name"));
      const link = element("button");
      link.append(element("span", one.label, "clip"));
      link.type = "button";
      link.addEventListener("click", () => showStory(one.part, one.job));
      made.append(link);
      if (one.message) made.append(clipped(one.message));
      return made;
    }));
  };

  // -- Cells --------------------------------------------------------------------------------------

  const cells = new Map();
  const keyOf = (cell) => `${cell[0]}\u0000${cell[1]}`;
  const worstOf = (counts) => WORST.find((name) => counts[name]) || "not done";
  const wordsOf = (counts) => OUTCOMES.filter((name) => counts[name]).map((name) => `${count(counts[name])} ${name}`).join(", ");

  const takeCells = (message) => {
    if (message.whole) {
      cells.clear();
      at("tiles").replaceChildren();
    }
    for (const cell of message.cells) {
      const key = keyOf(cell);
      const known = cells.get(key);
      const worst = worstOf(cell[2]);
      const tile = known ? known.tile : element("button");
      if (!known) {
        tile.type = "button";
        tile.tabIndex = -1;
        const mark = element("span", MARKS[worst], "mark");
        mark.setAttribute("aria-hidden", "true");
        tile.append(mark, element("span", cell[1], "name"));
        tile.addEventListener("click", () => showCell(cells.get(key).cell));
        at("tiles").append(tile);
      }
      tile.className = `tile is-${dashed(worst)}`;
      tile.firstChild.textContent = MARKS[worst];
      const label = `${cell[1]}, ${cell[0]}: ${wordsOf(cell[2])}`;
      tile.setAttribute("aria-label", label);
      tile.title = label;
      cells.set(key, { cell, tile, worst });
    }
    at("tiles").classList.toggle("are-many", cells.size > MANY);
    filterCells();
  };

  const filterCells = () => {
    const text = at("cell-text").value.trim().toLowerCase();
    const wanted = at("cell-outcome").value;
    const shown = [];
    for (const one of cells.values()) {
      const [spec, name, counts] = one.cell;
      const fits = `${spec} / ${name}`.toLowerCase().includes(text) &&
        (wanted === "" || (wanted === "missing" ? MISSING.some((each) => counts[each]) : Boolean(counts[wanted])));
      one.tile.hidden = !fits;
      if (fits) shown.push(one);
    }
    at("cell-count").textContent = `${count(shown.length)} of ${count(cells.size)} cells`;
    const reachable = shown.some((one) => one.tile.tabIndex === 0);
    if (!reachable) {
      for (const one of cells.values()) one.tile.tabIndex = -1;
      if (shown.length) shown[0].tile.tabIndex = 0;
    }
    if (at("cells-details").open) {
      at("cell-rows").replaceChildren(...shown.map((one) => {
        const all = element("span");
        for (const name of OUTCOMES) if (one.cell[2][name]) all.append(outcome(name, one.cell[2][name]), " ");
        return row([one.cell[1], one.cell[0], all], []);
      }));
    }
  };

  const moveAmongTiles = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 0, ArrowUp: 0, Home: 0, End: 0 };
    if (!(event.key in steps) || !event.target.classList.contains("tile")) return;
    event.preventDefault();
    const shown = [...at("tiles").children].filter((one) => !one.hidden);
    const place = shown.indexOf(event.target);
    const perRow = Math.max(1, shown.filter((one) => one.offsetTop === shown[0].offsetTop).length);
    const wanted = {
      ArrowRight: place + 1, ArrowLeft: place - 1, ArrowDown: place + perRow, ArrowUp: place - perRow,
      Home: 0, End: shown.length - 1,
    }[event.key];
    const next = shown[Math.min(Math.max(wanted, 0), shown.length - 1)];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };

  // -- One cell, one measurement ------------------------------------------------------------------

  const asked = async (address) => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  };
  let openedBy = null;

  const openStory = (title) => {
    if (at("story").hidden) openedBy = document.activeElement;
    at("story").hidden = false;
    at("h-story").textContent = title;
  };

  const showCell = async (cell) => {
    openStory(`${cell[1]} (${cell[0]})`);
    at("measurement").hidden = true;
    at("cell-list").replaceChildren(element("p", "Reading the journal", "muted"));
    at("h-story").focus();
    const query = new URLSearchParams({ id: cell[3] });
    try {
      const found = await (await asked(`cell?${query}`)).json();
      const list = element("ul", null, "plain");
      list.tabIndex = 0;
      list.setAttribute("aria-label", "Measurements of the cell");
      for (const one of found) {
        const made = element("li");
        const link = element("button");
        link.append(element("span", one.measurement, "clip"));
        link.type = "button";
        link.addEventListener("click", () => showStory(one.part, one.job));
        made.append(outcome(one.outcome), " ", link);
        if (one.rows !== null) made.append(element("span", ` ${count(one.rows)} rows`, "muted"));
        if (one.cause) made.append(element("span", ` ${one.cause}`, "muted"));
        list.append(made);
      }
      at("cell-list").replaceChildren(list);
    } catch (error) {
      at("cell-list").replaceChildren(element("p", error.message, "failed"));
    }
  };

  const showStory = async (part, job) => {
    const query = new URLSearchParams({ part, job });
    try {
      const told = await (await asked(`story?${query}`)).json();
      if (at("story").hidden) {
        openStory("Measurement");
        at("cell-list").replaceChildren();
      }
      at("measurement").hidden = false;
      at("story-title").textContent = told.title;
      const facts = [["state", told.state], ["cause", told.cause], ["message", told.findings.length ? "" : told.message],
        ["would pass with", told.remedy], ["file", told.path], ["rows", told.rows === null ? "" : count(told.rows)],
        ["size", told.source_bytes === null ? "" : size(told.source_bytes)], ["SHA-256", told.sha256],
        ["id in Studio", told.measurement_id], ["reader", told.reader],
        ...told.findings.map((text) => ["finding", text]), ...told.decisions.map((text) => ["decided", text])];
      at("story-facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) =>
        [element("dt", name, "muted"), element("dd", value)]));
      at("story-history").replaceChildren(...told.history.map((one) => element("li", `${moment(one.at)}  ${one.name}`)));
      offerPlot(told, query);
      at("story-title").focus();
      at("measurement").scrollIntoView({ block: "start" });
    } catch (error) {
      at("trouble").hidden = false;
      at("trouble").textContent = error.message;
    }
  };

  const offerPlot = (told, query) => {
    const box = at("story-plot");
    box.replaceChildren();
    if (told.plot === "kept") return drawPlot(told, query);
    if (told.plot !== "source") return undefined;
    const draw = element("button", "Plot voltage and current");
    draw.type = "button";
    draw.addEventListener("click", () => drawPlot(told, query));
    box.append(draw, element("span", " reads the file again, beside the run", "muted"));
    return undefined;
  };

  const drawPlot = async (told, query) => {
    const box = at("story-plot");
    box.replaceChildren(element("p", "Drawing", "muted"));
    try {
      const described = (await asked(`plot.svg?${query}`)).headers.get("Plot-Description");
      const picture = element("img");
      picture.src = `plot.svg?${query}`;
      picture.alt = described ? decodeURIComponent(described) : told.title;
      box.replaceChildren(picture, element("p", picture.alt, "muted"));
    } catch (error) {
      box.replaceChildren(element("p", error.message, "muted"));
    }
  };

  const closeStory = () => {
    at("story").hidden = true;
    if (openedBy && document.contains(openedBy)) openedBy.focus();
  };

  // -- The stream ---------------------------------------------------------------------------------

  let last = null;
  // What has not changed stays as it is: it keeps the focus and what is selected, and costs nothing.
  const drawnOf = new Map();
  const isNew = (name, value) => {
    const text = JSON.stringify(value);
    if (drawnOf.get(name) === text) return false;
    drawnOf.set(name, text);
    return true;
  };
  const show = (state) => {
    last = state;
    showNow(state);
    if (isNew("course", [state.course, isAtWork(state)])) showCourse(state);
    showStages(state);
    if (isNew("causes", state.causes)) showCauses(state.causes);
    // Whoever is in the list by keyboard stays there; the list goes on when they have left.
    if (!at("events").contains(document.activeElement) && isNew("events", state.events)) showEvents(state.events);
    at("cells-beyond").hidden = !state.measurements_beyond;
    at("cells-beyond").textContent = `${count(state.measurements_beyond)} measurements are of further cells: the report and the account have them.`;
  };

  const stream = new EventSource("stream");
  stream.addEventListener("state", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("cells", (event) => takeCells(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    const command = last && last.folder ? ` bulkload page ${last.folder} shows it again.` : "";
    at("detail").textContent = `No connection to the page's server since ${clock(Date.now() / 1000)} UTC: it was closed, or the tunnel is down.${command} Trying again.`;
    say("Connection lost: trying again");
  });
  at("cell-text").addEventListener("input", filterCells);
  at("cell-outcome").addEventListener("change", filterCells);
  at("cells-details").addEventListener("toggle", filterCells);
  at("course-details").addEventListener("toggle", () => last && showCourse(last));
  at("tiles").addEventListener("keydown", moveAmongTiles);
  at("story-close").addEventListener("click", closeStory);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !at("story").hidden) closeStory(); });
})();
