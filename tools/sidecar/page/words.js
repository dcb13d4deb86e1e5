// SPDX-License-Identifier: MIT
// words.js: every number of the page as a text with its unit, as promcb-top writes them. Pure.
"use strict";

const NOT_KNOWN = "–";

// Nanoseconds to three digits: a lower bound is rounded down, an upper one up.
function latencyWord(ns, up) {
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]];
  for (const [unit, name] of units) {
    if (ns < unit && unit > 1) continue;
    const digits = unit === 1 ? 0 : ns >= 100 * unit ? 0 : ns >= 10 * unit ? 1 : 2;
    const scaled = ns * 10 ** digits / unit;
    const whole = up ? Math.ceil(scaled - 1e-9) : Math.floor(scaled + 1e-9);
    return (whole / 10 ** digits).toFixed(digits) + " " + name;
  }
  return "0 ns";
}

// A quantile: the two ends of the bucket that it lies in, in seconds.
function rangeWord(pair) {
  if (!pair) return null;
  const low = latencyWord(Math.round(pair[0] * 1e9), false), high = latencyWord(Math.round(pair[1] * 1e9), true);
  const unit = high.slice(high.indexOf(" "));
  return low.endsWith(unit) ? low.slice(0, -unit.length) + "–" + high : low + "–" + high;
}

// 0.00 and 100.00 only if it is so.
function percentWord(part, whole) {
  if (!whole) return NOT_KNOWN;
  const percent = 100 * part / whole;
  if (part && percent < 0.01) return "<0.01";
  if (part < whole && percent > 99.99) return ">99.99";
  return percent.toFixed(2);
}

function rateWord(calls, seconds) {
  if (!seconds) return NOT_KNOWN;
  const rate = calls / seconds;
  if (calls && rate < 0.1) return "<0.1";
  return rate < 100000 ? rate.toFixed(1) : countWord(Math.round(rate));
}

function countWord(count) {
  return count.toLocaleString("en-US");
}

function ageWord(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 120) return s + " s";
  if (s < 7200) return Math.floor(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}

function bytesWord(bytes) {
  return (Math.floor(bytes / 104857.6) / 10).toFixed(1) + " MiB";
}

function clockWord(seconds, withDay) {
  const when = new Date(seconds * 1000), two = (n) => String(n).padStart(2, "0");
  const clock = two(when.getHours()) + ":" + two(when.getMinutes()) + ":" + two(when.getSeconds());
  return (withDay ? two(when.getMonth() + 1) + "-" + two(when.getDate()) + " " : "") + clock;
}

// The word of a breaker, with a mark where it is not closed.
function breakerWord(state, changed, now) {
  if (state === "open") return "● OPEN" + (changed ? " " + ageWord(now - changed) : "");
  if (state === "half_open") return "◐ half-open" + (changed ? " " + ageWord(now - changed) : "");
  return state === "closed" ? "closed" : NOT_KNOWN;
}

// Which quantile needs more calls than there are, as a text for its cell.
function quantileCell(pair, calls, least) {
  return pair ? rangeWord(pair) : calls ? "n<" + least : NOT_KNOWN;
}

// Calls, failures and quantiles of one window, as one sentence.
function tellWindow(window) {
  const parts = [
    countWord(window.calls) + " calls",
    countWord(window.failed) + " failed (" + percentWord(window.failed, window.calls) + " %)",
    rateWord(window.calls, window.seconds) + " calls/s",
    "p50 " + quantileCell(window.p50, window.calls, 2),
    "p90 " + quantileCell(window.p90, window.calls, 10),
    "p99 " + quantileCell(window.p99, window.calls, 100),
    "p99.9 " + quantileCell(window.p999, window.calls, 1000),
  ];
  if (window.transitions && window.transitions[1]) parts.push("opened " + window.transitions[1] + " times");
  if (window.state) parts.push("breaker " + window.state.replace("_", "-"));
  for (const mark of window.marks || []) parts.push(mark);
  for (const gap of window.gaps || []) parts.push(gap === "stopped" ? "nobody looked" : "no segment");
  return parts.join(", ");
}
