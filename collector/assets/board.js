// The board: what is new since it was last shown is marked, counted in the title, and heard where that was asked for.
let known = null;

const ids = (board) => new Set([...board.querySelectorAll("[data-ticket]")].map((row) => row.dataset.ticket));
const title = document.title;

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function beep() {
  try {
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const level = audio.createGain();
    level.gain.value = 0.08;
    tone.frequency.value = 740;
    tone.connect(level).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.18);
  } catch {
    // no sound here
  }
}

function look() {
  const board = document.getElementById("board");
  if (!board) return;
  const burning = Number(board.querySelector("[data-burning]")?.dataset.burning ?? 0);
  document.title = burning ? `(${burning}) ${title}` : title;
  const shown = ids(board);
  if (known) {
    const fresh = [...shown].filter((id) => !known.has(id));
    for (const id of fresh) board.querySelector(`[data-ticket="${CSS.escape(id)}"]`)?.classList.add("row-new");
    if (fresh.length && stored("sound") === "on") beep();
    for (const id of shown) known.add(id);
  } else known = shown;
}

document.addEventListener("htmx:afterSettle", look);
document.addEventListener("htmx:pushedIntoHistory", () => (known = null));
document.addEventListener("DOMContentLoaded", () => {
  look();
  const sound = document.getElementById("sound");
  if (!sound) return;
  const mark = () => sound.setAttribute("aria-pressed", String(stored("sound") === "on"));
  sound.addEventListener("click", () => {
    try {
      localStorage.setItem("sound", stored("sound") === "on" ? "off" : "on");
    } catch {
      return;
    }
    mark();
    if (stored("sound") === "on") beep();
  });
  mark();
});
