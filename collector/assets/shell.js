// The frame around every page: the menu on a phone, dialogs, the theme, toasts, and a bar while the server is at work.
const SLOW_MS = 400;
let waiting = 0;
let timer = 0;

function busy(on) {
  waiting = Math.max(0, waiting + (on ? 1 : -1));
  clearTimeout(timer);
  const bar = document.getElementById("progress");
  if (!bar) return;
  if (waiting) timer = setTimeout(() => (bar.hidden = false), SLOW_MS);
  else bar.hidden = true;
}

export function toast(text, kind = "info") {
  // A dialog covers the toasts: what went wrong with its form is told within it.
  const open = kind === "danger" && document.querySelector("dialog[open] .box-inner");
  const place = open || document.getElementById("toasts");
  if (!place || !text) return;
  for (const old of open ? open.querySelectorAll(".alert-important") : []) old.remove();
  place.querySelectorAll(".alert:not(.alert-danger)").forEach((one) => one.remove()); // the last word counts
  const box = document.createElement("div");
  box.className = `alert alert-${kind} alert-important shadow-sm mb-2`;
  box.setAttribute("role", kind === "danger" ? "alert" : "status");
  box.textContent = text;
  place.append(box);
  box.addEventListener("click", () => box.remove());
  setTimeout(() => box.remove(), kind === "danger" ? 12000 : 5000);
}

document.addEventListener("htmx:beforeRequest", () => busy(true));
document.addEventListener("htmx:afterRequest", () => busy(false));
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[hx-post], form[hx-get]")) return;
  setTimeout(() => event.defaultPrevented || busy(true), 0);
});
window.addEventListener("pageshow", () => {
  waiting = 0;
  busy(false);
});

document.addEventListener("htmx:responseError", (event) => {
  const said = event.detail.xhr.getResponseHeader("X-Said");
  toast(said ? decodeURIComponent(said) : document.body.dataset.failed, "danger");
});
document.addEventListener("htmx:sendError", () => toast(document.body.dataset.offline, "danger"));
document.addEventListener("htmx:timeout", () => toast(document.body.dataset.offline, "danger"));
document.addEventListener("said", (event) => toast(decodeURIComponent(event.detail.text), event.detail.kind));

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-opens], [data-closes], [data-theme-choice], [data-toggles]");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.matches("dialog")) event.target.close(); // beside the box, which fills the dialog
  if (!target) return;
  const { opens, closes, themeChoice, toggles } = target.dataset;
  if (opens) {
    event.preventDefault();
    target.closest("details.menu")?.removeAttribute("open");
    const dialog = document.getElementById(opens);
    for (const [name, value] of Object.entries(JSON.parse(target.dataset.values || "{}"))) {
      const field = dialog.querySelector(`[name="${name}"]`);
      if (field) field.value = value;
    }
    dialog.showModal();
    dialog.querySelector("[data-first], textarea, select, input:not([type=hidden])")?.focus();
  }
  if (closes !== undefined) target.closest("dialog")?.close();
  if (themeChoice) {
    window.sitewardenTheme.choose(themeChoice);
    marks();
  }
  if (toggles) document.getElementById(toggles)?.classList.toggle("is-open");
});

function marks() {
  const chosen = window.sitewardenTheme?.stored();
  for (const one of document.querySelectorAll("[data-theme-choice]")) {
    one.setAttribute("aria-pressed", String(one.dataset.themeChoice === chosen));
  }
}

// What somebody opened stays open when its part of the page is fetched anew.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  for (const one of detail.target.querySelectorAll("details[open][data-keep]")) {
    detail.fragment.querySelector(`details[data-keep="${one.dataset.keep}"]`)?.setAttribute("open", "");
  }
});

// A dialog whose form was taken is done.
document.addEventListener("htmx:afterRequest", (event) => {
  const dialog = event.detail.successful && event.detail.elt.closest?.("dialog[open]");
  if (!dialog) return;
  dialog.close();
  dialog.querySelector("form")?.reset();
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && event.detail.elt.matches?.("form[data-resets]")) event.detail.elt.reset();
});

// Filters apply as soon as they change.
document.addEventListener("change", (event) => {
  if (event.target.closest("form[data-auto]") && event.target.matches("select, input[type=checkbox]")) {
    event.target.form.requestSubmit();
  }
});
document.addEventListener("DOMContentLoaded", () => {
  marks();
  if (!window.matchMedia("(max-width: 767.98px)").matches) return;
  for (const fold of document.querySelectorAll("details[data-fold]")) fold.open = false;
});
