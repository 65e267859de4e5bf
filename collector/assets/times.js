// Times that go on: "5 minutes ago" and the clocks of tickets. The server's clock counts, not that of this device.
const html = document.documentElement;
const skew = Number(html.dataset.now || Date.now()) - Date.now();
const relative = new Intl.RelativeTimeFormat(html.lang || "en", { numeric: "auto", style: "short" });
const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [86400 * 30, "day", 86400],
  [86400 * 365, "month", 86400 * 30],
  [Infinity, "year", 86400 * 365],
];

export const now = () => Date.now() + skew;

function ago(ms) {
  const seconds = (ms - now()) / 1000;
  const [, unit, size] = STEPS.find(([under]) => Math.abs(seconds) < under);
  return relative.format(Math.round(seconds / size), unit);
}

const two = (number) => String(number).padStart(2, "0");

// Days and hours while there is much left, minutes and seconds near the end; a minus sign once it is over.
export function left(ms) {
  const whole = Math.floor(Math.abs(ms) / 1000);
  const [days, hours, minutes, seconds] = [86400, 3600, 60, 1].map((unit, place) =>
    Math.floor(place ? (whole % [0, 86400, 3600, 60][place]) / unit : whole / unit),
  );
  const sign = ms < 0 ? "−" : "";
  if (days) return `${sign}${days} d ${two(hours)} h`;
  if (hours) return `${sign}${hours}:${two(minutes)}:${two(seconds)}`;
  return `${sign}${minutes}:${two(seconds)}`;
}

function show() {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.parse(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-due]")) {
    const ms = Number(element.dataset.due) - now();
    const text = left(ms);
    if (element.textContent !== text) element.textContent = text;
    if (ms < 0) element.closest("[data-clock]")?.classList.add("clock-over");
  }
}

setInterval(show, 1000);
document.addEventListener("htmx:afterSettle", show);
document.addEventListener("DOMContentLoaded", show);

// For who has set no zone in the account: that of this device.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
