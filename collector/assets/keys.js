// Keys. What a page offers stands on its elements: data-key="a" clicks or focuses it, "g b" is one after the other. In
// lists, j and k move and Enter opens. Nothing happens while one types, nor with Ctrl, Alt or Meta.
const TYPING = "input, textarea, select, [contenteditable]";
let before = "";
let forget = 0;

function rows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
}

function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("row-at"));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all.forEach((row) => row.classList.toggle("row-at", row === next));
  next.scrollIntoView({ block: "nearest" });
}

function press(element) {
  if (element.matches(TYPING)) {
    element.focus();
    element.select?.();
  } else element.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const open = document.querySelector("dialog[open]");
  if (event.target.matches?.(TYPING)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (open) return; // the dialog has its own keys
  const key = event.key;
  const together = before ? `${before} ${key}` : key;
  clearTimeout(forget);
  before = "";
  const found = [...document.querySelectorAll("[data-key]")].find(
    (one) => one.dataset.key === together && (one.offsetParent !== null || one.dataset.keyHidden !== undefined),
  );
  if (found) press(found);
  else if (key === "?") document.getElementById("keys")?.showModal();
  else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "Enter" && event.target === document.body) document.querySelector(".row-at a")?.click();
  else if (key === "g") {
    before = "g";
    forget = setTimeout(() => (before = ""), 1500);
    return;
  } else return;
  event.preventDefault();
});
