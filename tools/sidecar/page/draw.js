// SPDX-License-Identifier: MIT
// draw.js: counts to pixels. A cell with one call is seen, however many others have; nothing is smoothed or left out.
"use strict";

// A colour of the style sheet as [r, g, b].
function colourOf(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hex = text.length === 4 ? text.replace(/[0-9a-f]/gi, "$&$&") : text;
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function coloursNow() {
  const names = ["--back", "--text", "--dim", "--line", "--bad", "--quantile", "--ok-least", "--ok-most", "--bad-least",
    "--bad-most"];
  return Object.fromEntries(names.map((name) => [name.slice(2), colourOf(name)]));
}

function css(colour) {
  return "rgb(" + colour.join(",") + ")";
}

// From the least to the most by the logarithm of a count: one call has the least, which is 3:1 to the ground.
function shade(least, most, count, darkest) {
  const share = darkest > 1 ? Math.log(count) / Math.log(darkest) : 0;
  return css(least.map((from, i) => Math.round(from + (most[i] - from) * Math.min(1, share))));
}

// A canvas in pixels of the screen.
function prepareCanvas(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

// Calls by octave of latency in each part of time, the failed ones as a lane at the bottom.
function drawStrip(canvas, strip, colours) {
  const [context, width, height] = prepareCanvas(canvas);
  const parts = strip.calls.length, lane = 5, field = height - lane;
  let first = 99, end = 0, darkest = 1;
  for (const cells of strip.cells)
    for (let i = 0; i < cells.length; i += 2) {
      first = Math.min(first, cells[i]);
      end = Math.max(end, cells[i] + 1);
      darkest = Math.max(darkest, cells[i + 1]);
    }
  const rows = Math.max(4, end - first), high = field / rows;
  for (let part = 0; part < parts; part++) {
    const x = Math.floor(part * width / parts), wide = Math.max(1, Math.floor((part + 1) * width / parts) - x);
    if (strip.calls[part] === null) {
      context.fillStyle = css(colours.line);
      context.fillRect(x, height / 2, wide, 1);
      continue;
    }
    const cells = strip.cells[part];
    for (let i = 0; i < cells.length; i += 2) {
      context.fillStyle = shade(colours["ok-least"], colours["ok-most"], cells[i + 1], darkest);
      const y = Math.round(field - (cells[i] - first + 1) * high);
      context.fillRect(x, y, wide, Math.max(1, Math.round(field - (cells[i] - first) * high) - y));
    }
    if (strip.failed[part]) {
      const share = strip.failed[part] / strip.calls[part];
      context.fillStyle = css(colours.bad);
      context.fillRect(x, height - Math.ceil(lane * share), wide, lane);
    }
  }
}

// Cells of a column as [[bucket, count], ...].
function cellsOf(pairs) {
  const out = [];
  let bucket = -1;
  for (let i = 0; i < pairs.length; i += 2) {
    bucket += pairs[i] + 1;
    out.push([bucket, pairs[i + 1]]);
  }
  return out;
}

// Whole buckets are put together until a row is high enough to be seen.
function layOut(history, height) {
  const buckets = Math.max(8, history.bounds_ns.length);
  let together = 1;
  while (height / Math.ceil(buckets / together) < 5) together *= 2;
  const rows = Math.ceil(buckets / together);
  return { together, rows, high: height / rows, first: history.first_bucket };
}

// The counts of each row of a column, of those that succeeded and of those that failed.
function rowsOf(column, layout, outcome) {
  const rows = new Map();
  for (const [at, pairs] of [[0, column.ok], [1, column.bad]]) {
    if (outcome === "ok" && at || outcome === "bad" && !at) continue;
    for (const [bucket, count] of cellsOf(pairs)) {
      const row = Math.floor((bucket - layout.first) / layout.together);
      if (!rows.has(row)) rows.set(row, [0, 0]);
      rows.get(row)[at] += count;
    }
  }
  return rows;
}

const HEAT_LEFT = 64, HEAT_LANES = 44, HEAT_BOTTOM = 18;

// Where on the picture a moment is.
function heatX(picture, seconds) {
  return HEAT_LEFT + (seconds - picture.from) / (picture.upto - picture.from) * (picture.width - HEAT_LEFT);
}

// A column's place in whole pixels, of which it has one at least: a part of a pixel would be too faint to be seen.
function heatSpan(picture, column) {
  const x = Math.floor(heatX(picture, column.from));
  return [x, Math.max(1, Math.floor(heatX(picture, column.to)) - x)];
}

function drawLatencies(context, history, picture) {
  const { layout, columns, colours } = picture;
  for (const { column, rows } of columns) {
    const [x, wide] = heatSpan(picture, column);
    for (const [row, [ok, bad]] of rows) {
      const y = Math.round(picture.field - (row + 1) * layout.high);
      const high = Math.max(2, Math.round(picture.field - row * layout.high) - y);
      const split = ok && bad ? Math.floor(wide / 2) : wide;
      if (ok) {
        context.fillStyle = shade(colours["ok-least"], colours["ok-most"], ok, picture.darkest);
        context.fillRect(x, y, Math.max(1, split), high);
      }
      // Of both, the failed ones have the right half; in a single pixel, all of it.
      if (bad) {
        context.fillStyle = shade(colours["bad-least"], colours["bad-most"], bad, picture.darkest);
        context.fillRect(x + (ok ? split : 0), y, ok ? wide - split : wide, high);
      }
    }
  }
  context.fillStyle = css(colours.dim);
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  const each = Math.max(1, Math.ceil(26 / layout.high));
  for (let row = 0; row < layout.rows; row += each) {
    const bounds = history.bounds_ns[row * layout.together];
    if (bounds) context.fillText(latencyWord(bounds[0], false), HEAT_LEFT - 6, picture.field - row * layout.high);
  }
}

// The upper end of a quantile's bucket, column by column, and not across those that have none.
function drawQuantile(context, history, picture, name, dash) {
  const { layout } = picture;
  context.strokeStyle = css(picture.colours.quantile);
  context.setLineDash(dash);
  context.lineWidth = 1.5;
  for (const { column } of picture.columns) {
    if (!column[name]) continue;
    const most = Math.round(column[name][1] * 1e9);
    const bucket = history.bounds_ns.findIndex((bounds) => bounds[1] >= most);
    const y = picture.field - (bucket + 1) / layout.together * layout.high;
    context.beginPath();
    context.moveTo(heatX(picture, column.from), y);
    context.lineTo(heatX(picture, column.to), y);
    context.stroke();
  }
  context.setLineDash([]);
}

// Below: the share that failed, what the breaker was with each opening, and the time.
function drawLanes(context, picture) {
  const { colours, columns, field, height } = picture;
  const failed = field + 4, breaker = field + 26, marks = { open: "O", half_open: "h", closed: "" };
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.fillStyle = css(colours.dim);
  context.fillText("failed", HEAT_LEFT - 6, failed + 13);
  context.fillText("breaker", HEAT_LEFT - 6, breaker + 11);
  context.textAlign = "center";
  for (const { column } of columns) {
    const [x, wide] = heatSpan(picture, column);
    if (column.failed) {
      const share = column.failed / column.calls, high = Math.max(2, 18 * share);
      context.fillStyle = css(colours.bad);
      context.fillRect(x, failed + 18 - high, wide, high);
    }
    const openings = column.transitions[1];
    context.fillStyle = css(column.state === "open" || openings ? colours.bad : colours.line);
    if (column.state) context.fillRect(x, breaker + (column.state === "closed" ? 7 : 2), wide,
      column.state === "closed" ? 2 : column.state === "open" ? 12 : 6);
    if (openings) {
      context.fillRect(x, breaker, Math.max(2, wide), 14);
      if (wide >= 9) {
        context.fillStyle = css(colours.back);
        context.fillText(openings > 1 ? String(openings) : marks.open, x + wide / 2, breaker + 11);
      }
    }
    if (column.gaps.length) {
      context.fillStyle = css(colours.line);
      context.fillRect(x, 0, 1, field);
      context.fillRect(x + wide - 1, 0, 1, field);
    }
    if (column.marks.some((mark) => mark !== "created")) {
      context.fillStyle = css(colours.text);
      context.fillRect(x, 0, 1, field + HEAT_LANES);
    }
  }
  context.fillStyle = css(colours.dim);
  const span = picture.upto - picture.from, count = picture.width > 600 ? 6 : 3;
  for (let i = 0; i <= count; i++) {
    const at = picture.from + span * i / count;
    context.textAlign = i === count ? "right" : i ? "center" : "left";
    context.fillText(clockWord(at, span > 43200), heatX(picture, at), height - 5);
  }
}

// The whole picture of a component. darkest: of the last picture: it may grow, and does not shrink by itself.
function drawHeat(canvas, history, outcome, darkest, selected) {
  const [context, width, height] = prepareCanvas(canvas), colours = coloursNow();
  const field = height - HEAT_LANES - HEAT_BOTTOM, layout = layOut(history, field);
  const columns = history.columns.map((column) => ({ column, rows: rowsOf(column, layout, outcome) }));
  // What is not there yet needs no room, but for a minute.
  const first = columns.length ? Math.min(columns[0].column.from, history.to - 60) : history.from;
  const picture = { colours, columns, layout, field, width, height, from: Math.max(history.from, first),
    upto: history.to, darkest: Math.max(1, darkest) };
  for (const { rows } of columns)
    for (const [ok, bad] of rows.values()) picture.darkest = Math.max(picture.darkest, ok, bad);
  context.fillStyle = css(colours.line);
  context.fillRect(HEAT_LEFT - 1, 0, 1, field);
  context.fillRect(HEAT_LEFT, field, width - HEAT_LEFT, 1);
  if (history.bounds_ns.length) {
    drawLatencies(context, history, picture);
    drawQuantile(context, history, picture, "p50", []);
    drawQuantile(context, history, picture, "p99", [4, 3]);
  }
  drawLanes(context, picture);
  if (selected !== null && columns[selected]) {
    const { column } = columns[selected];
    const x = heatX(picture, column.from), wide = Math.max(2, heatX(picture, column.to) - x);
    context.strokeStyle = css(colours.text);
    context.strokeRect(x - 0.5, 0.5, wide + 1, field + HEAT_LANES - 2);
  }
  return picture;
}
