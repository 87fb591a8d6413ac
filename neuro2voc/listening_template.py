"""The frame, looks and behaviour of the listening page; filled by `neuro2voc.listening_page`."""

from string import Template

# Nothing is fetched from anywhere, and the browser is told to refuse if something tried.
PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<header class="top">
<h1>$title</h1>
$kind
$warnings
<p>$chosen</p>
<p>Spectrograms have no phases; what is heard of all but the original has phases that were found by
the algorithm of Griffin and Lim. All sounds have one common gain, so that loudness can be compared.
Pictures go from 0 to $highest kHz and over 50 dB from white to black. Beneath them stand the
correlation with the original over all cells, and the mel-cepstral distortion (0 dB: the same).</p>
<details open><summary>What the sources are</summary><dl>$legend</dl></details>
<p class="keys">A click on a picture plays from there; space plays and stops, arrow keys move on.
</p>
</header>
<main>
$excerpts
</main>
<script>
$script</script>
</body>
</html>
""")

STYLE = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #767676; --line: #c8c8c8;
  --mark: #d55e00; --invert: 0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #161616; --soft: #9a9a9a; --line: #444; --mark: #ff8a3d;
    --invert: 1; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 110rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.4 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 0; }
h3 { font-size: .9rem; margin: 0; }
.top p { max-width: 46rem; margin: .5rem 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr));
  gap: .3rem 1rem; margin: .3rem 0; }
.kind { display: inline-block; margin: 0; padding: .1rem .4rem; border: 2px solid var(--mark);
  color: var(--mark); font-weight: bold; }
.warning { color: var(--mark); font-weight: bold; }
.keys, section header p, figcaption { color: var(--soft); font-size: .85rem; }
dt { font-weight: bold; font-size: .9rem; }
dd { margin: 0; font-size: .9rem; }
section { border-top: 1px solid var(--line); padding: .8rem 0; }
section header { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; }
section header p { margin: 0; }
button { font: inherit; font-size: .9rem; padding: .3rem .8rem; color: inherit;
  background: transparent; border: 1px solid var(--soft); border-radius: .3rem; cursor: pointer; }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr));
  gap: 1rem; margin-top: .5rem; }
figure { margin: 0; min-width: 0; }
figure.playing h3 { color: var(--mark); }
.labels { position: relative; height: 1.1rem; overflow: hidden; font-size: .7rem; }
.labels span { position: absolute; top: 0; border-bottom: 2px solid var(--soft);
  text-align: center; line-height: 1rem; }
.picture { position: relative; height: 7rem; border: 1px solid var(--line); cursor: pointer;
  touch-action: manipulation; }
.picture img { display: block; width: 100%; height: 100%; filter: invert(var(--invert)); }
.cursor { position: absolute; top: 0; bottom: 0; left: 0; width: 2px; background: var(--mark); }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 1px; }
audio { display: block; width: 100%; height: 2.2rem; margin: .3rem 0; }
"""

SCRIPT = """\
"use strict";
const players = Array.from(document.querySelectorAll("audio"));
const stepped = 0.1;  // s for each arrow key
const pause = 300;  // ms between two sources that are played in turn
let turn = null;

function cardOf(player) { return player.closest("figure"); }

function draw(player) {
  const card = cardOf(player), picture = card.querySelector(".picture");
  const share = player.duration ? player.currentTime / player.duration : 0;
  card.querySelector(".cursor").style.left = "calc(" + 100 * share + "% - 1px)";
  picture.setAttribute("aria-valuenow", player.currentTime.toFixed(2));
  if (!player.paused) requestAnimationFrame(() => draw(player));
}

function start(player) { return player.play().catch(() => {}); }

function endTurn() {
  if (turn === null) return;
  clearTimeout(turn.timer);
  turn.button.textContent = "play in turn";
  turn = null;
}

function next() {
  if (turn.left.length === 0) { endTurn(); return; }
  turn.now = turn.left.shift();
  turn.now.currentTime = 0;
  start(turn.now);
}

for (const player of players) {
  const picture = cardOf(player).querySelector(".picture");
  player.addEventListener("play", () => {
    for (const other of players) if (other !== player) other.pause();
    if (turn !== null && turn.now !== player) endTurn();
    cardOf(player).classList.add("playing");
    draw(player);
  });
  player.addEventListener("pause", () => cardOf(player).classList.remove("playing"));
  player.addEventListener("seeked", () => draw(player));
  player.addEventListener("ended", () => {
    if (turn !== null && turn.now === player) turn.timer = setTimeout(next, pause);
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    player.currentTime = player.duration * (event.clientX - box.left) / box.width;
    start(player);
  });
  picture.addEventListener("keydown", (event) => {
    const places = { ArrowRight: player.currentTime + stepped, Home: 0,
      ArrowLeft: player.currentTime - stepped, End: player.duration };
    if (event.key === " " || event.key === "Enter") {
      if (player.paused) start(player); else player.pause();
    } else if (event.key in places) {
      player.currentTime = Math.min(Math.max(places[event.key], 0), player.duration);
    } else { return; }
    event.preventDefault();
  });
}

for (const button of document.querySelectorAll("button.turn")) {
  button.addEventListener("click", () => {
    const mine = turn !== null && turn.button === button;
    for (const player of players) player.pause();
    endTurn();
    if (mine) return;
    const left = Array.from(button.closest("section").querySelectorAll("audio"));
    turn = { button: button, left: left, now: null, timer: null };
    button.textContent = "stop";
    next();
  });
}
"""
