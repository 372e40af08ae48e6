const SECONDS_PER_AXIS = 4; // of a traversal
const UNUSED = 0.01; // nats, as in reports
const AXES = { latents: "Latents", noise: "Noise axes", image: "Noise axes of this image" };

const data = JSON.parse(document.getElementById("data").textContent);
const models = data.models.map((facts) => ({
  facts,
  decoder: new Decoder(facts.decoder),
  z: new Float64Array(facts.size), // Latents, or the continuous codes of an InfoGAN.
  category: 0,
  rows: [],
}));
// Bars of all models and axes have one scale.
const largestShare = Math.max(0.01, ...models.flatMap(({ facts }) =>
  facts.axes.flatMap(({ tells }) => (tells ? tells.shares.flat() : []))));
const numStarts = Math.max(...models.map(({ facts }) => (facts.noises || facts.starts).length));
if (models.every(({ facts }) => facts.kind === "infogan")) AXES.latents = "Codes";
const state = { start: 0, axes: "latents", playing: null, saved: null };

/* ---- What the state means ---- */

function startOf({ facts }) {
  return facts.starts.length ? facts.starts[state.start] : null;
}

function axesOf(model) {
  if (state.axes === "image" && startOf(model)) return startOf(model).axes;
  return (state.axes !== "latents" && model.facts.axes[1]) || model.facts.axes[0];
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/* Moves along an axis to a coordinate; the axes are orthonormal. */
function moveTo(model, axis, coordinate) {
  const distance = coordinate - dot(axis, model.z);
  for (let i = 0; i < axis.length; i++) model.z[i] += distance * axis[i];
}

/* Returns what the decoder takes: latents, or category, continuous codes and noise side by side. */
function codeOf(model, z, start = state.start, category = model.category) {
  const parts = {
    latent_vectors: z,
    continuous: z,
    noise: model.facts.noises ? model.facts.noises[start] : [],
    categorical: Array.from({ length: model.facts.num_categories || 0 }, (_, k) => Number(k === category)),
  };
  return model.decoder.parts.flatMap(([name]) => Array.from(parts[name] || z));
}

function limitOf(model, axes) {
  const reached = model.facts.starts.flatMap(({ mean }) => axes.axes.map((a) => Math.abs(dot(a, mean))));
  return Math.max(model.facts.limit, ...reached.map((value) => Math.ceil(value * 10) / 10));
}

/* ---- Pictures ---- */

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function canvasFor([height, width], label) {
  return element("canvas", { width, height, role: "img", "aria-label": label });
}

/* Draws values in [0, 1], or bytes if scale is 1. */
function draw(canvas, values, channels, scale = 255) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const size = canvas.width * canvas.height;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) {
      pixels.data[4 * p + c] = scale * values[p * channels + (channels === 3 ? c : 0)]; // Rounded there.
    }
    pixels.data[4 * p + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

function drawNow(model) {
  draw(model.now, model.decoder.decode(codeOf(model, model.z)), model.decoder.shape[2]);
}

function imageOf({ facts }, start) {
  return facts.images === null ? null : bytesOf(data.image_sets[facts.images][start]);
}

/* ---- One model ---- */

function figure(kind, canvas, caption) {
  return element("figure", { class: kind }, canvas, element("figcaption", {}, caption));
}

function buildModel(model) {
  const { facts, decoder } = model;
  model.now = canvasFor(decoder.shape, `Image that ${facts.title} decodes`);
  const pictures = element("div", { class: "pictures" }, figure("now", model.now, "Decoded"));
  if (facts.images !== null) {
    model.original = canvasFor(decoder.shape, "Image of the data set");
    model.reconstruction = canvasFor(decoder.shape, "Its reconstruction");
    pictures.append(figure("", model.original, "Image"), figure("", model.reconstruction, "Reconstruction"));
  }
  model.score = element("p", { class: "note" });
  model.list = element("ol", { "aria-label": `Sliders of ${facts.title}` });
  const card = element("section", { class: "model", "aria-label": facts.title },
    element("h2", {}, facts.title), element("p", { class: "note" }, facts.description), pictures);
  if (facts.num_categories) card.append(buildCategories(model));
  card.append(model.score, model.list);
  return card;
}

function buildCategories(model) {
  const group = element("div", { class: "group", role: "group", "aria-label": "Category" }, "Category");
  model.categories = Array.from({ length: model.facts.num_categories }, (_, category) =>
    element("button", { onclick: () => { model.category = category; moved(model); saveState(); } },
      String(category)));
  group.append(...model.categories);
  return group;
}

/* Makes the sliders of a model along the axes that are chosen. */
function buildRows(model) {
  const axes = axesOf(model);
  const limit = limitOf(model, axes);
  const { tells } = axes;
  model.rows = axes.labels.map((label, k) => {
    const row = { axis: axes.axes[k], kl: axes.kl ? axes.kl[k] : null };
    row.input = element("input", {
      type: "range", min: -limit, max: limit, step: 0.01, "aria-label": `${label} of ${model.facts.title}`,
      oninput: () => { pause(); moveTo(model, row.axis, Number(row.input.value)); moved(model); },
      onchange: saveState,
    });
    row.output = element("output");
    row.button = element("button", {
      "aria-label": `Play ${label}`, title: `Play ${label}`, onclick: () => togglePlay(model, k),
    }, "\u25b6");
    const slider = element("div", { class: "slider" }, row.input);
    if (startOf(model)) slider.append(...bandOf(startOf(model), row.axis, limit));
    row.line = element("li", { class: "axis" }, element("span", { class: "name" }, label), row.button,
      slider, row.output, ...tellsOf(tells, k), klOf(row));
    return row;
  });
  model.list.replaceChildren(...model.rows.map((row) => row.line));
  const along = { latent: "the latents", code: "the codes" }[axes.name] || "these axes";
  const bars = tells
    ? `Bars, from left: ${tells.names.join(", ")}; each the ${tells.measure}, at most ${percent(largestShare)} here.`
    : "";
  model.score.textContent = `${tells && tells.score ? `${tells.score} along ${along}. ` : ""}${bars}`;
}

function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`;
}

function bandOf({ mean, scale_tril: scale }, axis, limit) {
  const middle = dot(axis, mean);
  const stddev = Math.hypot(...scale.map((_, column) => scale.reduce((sum, line, i) => sum + axis[i] * line[column], 0)));
  const place = (value) => Math.min(Math.max((value + limit) / (2 * limit), 0), 1);
  const [from, to] = [place(middle - stddev), place(middle + stddev)];
  const title = `q(z|x) of the image: ${middle.toFixed(2)} \u00b1 ${stddev.toFixed(2)}`;
  const band = element("span", { class: "band", title });
  band.style.setProperty("--from", from);
  band.style.setProperty("--width", to - from);
  const mark = element("span", { class: "mean", title });
  mark.style.setProperty("--from", place(middle));
  return [band, mark];
}

function tellsOf(tells, k) {
  const bars = element("span", { class: "bars" });
  const text = element("span", { class: "tells" });
  if (!tells) return [bars, text];
  const shares = tells.shares[k];
  const told = tells.names.map((name, i) => `${name} ${percent(shares[i])}`);
  bars.title = text.title = told.join(", ");
  bars.setAttribute("role", "img");
  bars.setAttribute("aria-label", bars.title);
  for (const share of shares) {
    const bar = element("i");
    bar.style.setProperty("--share", `${100 * Math.min(share / largestShare, 1)}%`);
    bars.append(bar);
  }
  const best = shares.indexOf(Math.max(...shares));
  text.textContent = told[best];
  return [bars, text];
}

function klOf(row) {
  if (row.kl === null) return element("span", { class: "kl" });
  row.isUnused = row.kl < UNUSED;
  const text = row.isUnused ? "unused" : `${row.kl.toFixed(2)} nats`;
  return element("span", { class: "kl", title: `KL to the prior: ${row.kl.toFixed(3)} nats` }, text);
}

/* Shows where a model is now. */
function moved(model) {
  for (const row of model.rows) {
    const coordinate = dot(row.axis, model.z);
    row.input.value = coordinate;
    row.output.textContent = coordinate.toFixed(2).replace("-0.00", "0.00").replace("-", "\u2212");
    row.line.classList.toggle("unused", Boolean(row.isUnused));
    row.line.classList.toggle("moving", row.isMoving === true);
  }
  (model.categories || []).forEach((button, k) => button.setAttribute("aria-pressed", k === model.category));
  drawNow(model);
}

/* ---- Start and axes, for all models ---- */

function goToStart(start) {
  pause();
  state.start = start;
  for (const model of models) {
    const from = startOf(model);
    model.z.set(from ? from.mean : new Float64Array(model.facts.size));
  }
  showAll();
  saveState();
}

function showAll() {
  const focused = document.activeElement;
  for (const model of models) {
    const image = imageOf(model, state.start);
    if (image) {
      const channels = model.decoder.shape[2];
      draw(model.original, image, channels, 1);
      draw(model.reconstruction, model.decoder.decode(codeOf(model, startOf(model).mean)), channels);
    }
    const index = model.rows.findIndex((row) => row.line.contains(focused));
    const kind = focused.tagName === "BUTTON" ? "button" : "input";
    buildRows(model);
    moved(model);
    if (index >= 0) model.rows[Math.min(index, model.rows.length - 1)][kind].focus();
  }
  controls.starts.forEach((button, k) => button.setAttribute("aria-pressed", k === state.start));
  for (const [name, button] of Object.entries(controls.axes)) {
    button.setAttribute("aria-pressed", name === state.axes);
  }
}

function chooseAxes(name) {
  pause();
  state.axes = name;
  showAll();
  saveState();
}

function goTo(z) {
  pause();
  models.forEach((model) => { model.z.set(z(model)); moved(model); });
  saveState();
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/* Returns the button of a start with what it looks like: its image, or what its noise becomes. */
function startButton(start) {
  const model = models.find(({ facts }) => start < (facts.noises || facts.starts).length);
  const canvas = canvasFor(model.decoder.shape, `Start ${start + 1}`);
  const values = imageOf(model, start) || model.decoder.decode(codeOf(model, model.z, start, 0));
  draw(canvas, values, model.decoder.shape[2], model.facts.images === null ? 255 : 1);
  return element("button", { class: "start", title: `Start ${start + 1}`, onclick: () => goToStart(start) }, canvas);
}

function buildControls() {
  const names = Object.keys(AXES).filter((name) => name === "latents" ||
    models.some(({ facts }) => (name === "noise" ? facts.axes.length > 1 : facts.starts.length)));
  const made = {
    starts: Array.from({ length: numStarts }, (_, start) => startButton(start)),
    axes: Object.fromEntries(names.map((name) =>
      [name, element("button", { onclick: () => chooseAxes(name) }, AXES[name])])),
    play: element("button", { class: "play", onclick: () => togglePlay(null, 0) }, "\u25b6 Play"),
  };
  const group = (label, ...children) => element("div", { class: "group", role: "group", "aria-label": label }, ...children);
  document.getElementById("controls").append(
    group("Play", made.play,
      element("button", { onclick: () => goToStart(state.start) }, "Reset"),
      element("button", { onclick: () => goTo(({ z }) => z.map(() => 0)), title: "All sliders at the prior's mean" }, "z = 0"),
      element("button", { onclick: () => goTo(({ z }) => z.map(normal)), title: "A draw of the prior" }, "Random")),
    ...(names.length > 1 ? [group("Axes", ...Object.values(made.axes))] : []),
    ...(numStarts ? [group("Start from", ...made.starts)] : []));
  return made;
}

/* ---- Traversals ---- */

/* Returns the coordinate at a time in [0, 1): up to range, down to -range and back to the start. */
function traversal(start, range, time) {
  const from = Math.min(Math.max(start, -range), range);
  const distance = (from + range + 4 * range * time) % (4 * range);
  return range - Math.abs(distance - 2 * range);
}

function playedRows(model) {
  const used = model.rows.filter((row) => !row.isUnused);
  return used.length ? used : model.rows;
}

function togglePlay(model, index) {
  const playing = state.playing;
  pause();
  if (playing && playing.model === model && (model === null || playing.index === index)) {
    saveState();
    return;
  }
  state.playing = { model, index, frame: null, began: null, starts: new Map() };
  controls.play.textContent = "\u275a\u275a Pause";
  state.playing.frame = requestAnimationFrame(playFrame);
}

function pause() {
  if (!state.playing) return;
  cancelAnimationFrame(state.playing.frame);
  state.playing = null;
  controls.play.textContent = "\u25b6 Play";
  for (const model of models) for (const row of model.rows) row.isMoving = false;
  models.forEach(moved);
}

function playFrame(now) {
  const playing = state.playing;
  playing.began ??= now;
  const time = (now - playing.began) / 1000 / SECONDS_PER_AXIS;
  const ends = time >= 1;
  for (const model of playing.model ? [playing.model] : models) {
    const rows = playing.model ? model.rows : playedRows(model);
    const row = rows[playing.index % rows.length];
    if (!playing.starts.has(row)) playing.starts.set(row, dot(row.axis, model.z));
    const start = playing.starts.get(row);
    row.isMoving = !ends;
    moveTo(model, row.axis, ends ? start : traversal(start, model.facts.range, time));
    moved(model);
  }
  if (ends) {
    playing.began = now;
    playing.starts.clear();
    if (!playing.model) playing.index += 1;
  }
  playing.frame = requestAnimationFrame(playFrame);
}

/* ---- The address ---- */

function saveState() {
  const words = [`start=${state.start}`, `axes=${state.axes}`];
  models.forEach((model, m) => {
    const from = startOf(model);
    if (model.z.some((value, i) => Math.abs(value - (from ? from.mean[i] : 0)) > 5e-4)) {
      words.push(`z${m}=${Array.from(model.z, (value) => Number(value.toFixed(3))).join(",")}`);
    }
    if (model.category) words.push(`category${m}=${model.category}`);
  });
  const hash = `#${words.join("&")}`;
  state.saved = hash;
  if (hash !== location.hash) location.replace(hash);
}

/* Takes what it can of an address that somebody may have typed. */
function readState() {
  pause();
  const words = new URLSearchParams(location.hash.slice(1));
  const whole = (name, end) => {
    const found = Number(words.get(name));
    return Number.isInteger(found) && found >= 0 && found < end ? found : 0;
  };
  state.start = whole("start", Math.max(numStarts, 1));
  state.axes = words.get("axes") in controls.axes ? words.get("axes") : "latents";
  models.forEach((model, m) => {
    const from = startOf(model);
    const z = (words.get(`z${m}`) || "").split(",").map(Number);
    const isWhole = words.has(`z${m}`) && z.length === model.z.length && z.every((v) => Math.abs(v) <= 100);
    model.z.set(isWhole ? z : from ? from.mean : new Float64Array(model.facts.size));
    model.category = whole(`category${m}`, model.facts.num_categories || 1);
  });
  showAll();
}

/* ---- Keys ---- */

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const names = Object.keys(controls.axes);
  const actions = {
    " ": () => togglePlay(null, 0),
    a: () => chooseAxes(names[(names.indexOf(state.axes) + 1) % names.length]),
    n: () => numStarts && goToStart((state.start + 1) % numStarts),
    p: () => numStarts && goToStart((state.start + numStarts - 1) % numStarts),
    r: () => goToStart(state.start),
  };
  const key = event.key.toLowerCase();
  const isPress = key === " " && event.target.closest("button, summary"); // The browser's own.
  if (!actions[key] || isPress) return;
  event.preventDefault();
  actions[key]();
}

const controls = buildControls();
document.getElementById("models").append(...models.map(buildModel));
readState();
addEventListener("hashchange", () => location.hash === state.saved || readState());
addEventListener("keydown", onKey);
