// Charts. An element with data-chart is an address that gives {"unit", "mark", "series": [{"name", "points"}]}, or several
// of these by their names, which stand after # in the address. It is drawn when it comes near the screen, in the colours
// of the page, with the moment of the fault marked.
import * as echarts from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([
  BarChart, LineChart, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, CanvasRenderer,
]);

const COLOURS = ["#2f7fd8", "#e8843c", "#2fa66a", "#9b59c6", "#d6456b", "#1aa3a8", "#b58b1d", "#6b7a90"];
const LOOKS = {
  light: { ink: "#5b6676", rule: "#e3e7ec", surface: "#ffffff", text: "#1f2937", danger: "#d63939" },
  dark: { ink: "#a3acb9", rule: "#3a3f47", surface: "#23262b", text: "#e5e7eb", danger: "#ff6b6b" },
};
const html = document.documentElement;
const drawn = new Map();

function clock(zone, ms, seconds) {
  const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone };
  if (seconds) Object.assign(shape, { month: "short", day: "numeric", second: "2-digit" });
  return new Intl.DateTimeFormat(html.lang, shape).format(ms);
}

function say(value, unit) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return unit === "%" ? "0 %" : "0";
  if (unit === "%") return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
  if (unit === "B" || unit === "B/s") {
    const step = value >= 1 ? Math.min(4, Math.floor(Math.log2(value) / 10)) : 0;
    return `${Number((value / 1024 ** step).toPrecision(3))} ${["", "Ki", "Mi", "Gi", "Ti"][step]}${unit}`;
  }
  if (unit === "s" && value < 1) return `${(value * 1000).toPrecision(3)} ms`;
  return `${Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3))}${unit ? ` ${unit}` : ""}`;
}

function options(data, element) {
  const { ink, rule, surface, text, danger } = LOOKS[html.dataset.bsTheme] ?? LOOKS.light;
  const zone = html.dataset.zone;
  const many = data.series.length > 1;
  const label = { formatter: element.dataset.markLabel || "", color: danger, position: "end", fontSize: 11 };
  const mark = data.mark && {
    silent: true,
    symbol: ["none", "none"],
    lineStyle: { color: danger, width: 1.5, type: "solid" },
    label,
    data: data.mark.map((ms) => ({ xAxis: ms })),
  };
  return {
    animation: false,
    color: COLOURS,
    textStyle: { color: ink, fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 14, top: many ? 34 : 20, bottom: 4, containLabel: true },
    legend: many ? { top: 0, left: 0, type: data.series.length > 4 ? "scroll" : "plain", itemHeight: 8, itemWidth: 14, textStyle: { color: ink, fontSize: 11 }, pageTextStyle: { color: ink }, pageIconColor: ink, pageIconInactiveColor: rule, pageIconSize: 10 } : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // the other mode writes styles into the page
      confine: true,
      backgroundColor: surface,
      borderColor: rule,
      textStyle: { color: text, fontSize: 12 },
      formatter: (rows) =>
        [clock(zone, rows[0].value[0], true), ...rows.map((row) => `${row.seriesName}: ${say(row.value[1], data.unit)}`)].join("\n"),
    },
    xAxis: {
      type: "time",
      min: data.from,
      max: data.until,
      splitNumber: element.clientWidth < 420 ? 3 : 6,
      axisLine: { lineStyle: { color: rule } },
      axisTick: { show: false },
      axisLabel: { color: ink, fontSize: 11, hideOverlap: true, formatter: (ms) => clock(zone, ms, false) },
      splitLine: { show: false },
    },
    yAxis: {
      type: "value",
      min: data.min,
      max: data.max,
      scale: data.min === undefined || data.min === null,
      splitNumber: 3,
      interval: data.min === 0 && data.max === 1 ? 0.25 : undefined,
      axisLabel: { color: ink, fontSize: 11, formatter: (value) => say(value, data.unit) },
      splitLine: { lineStyle: { color: rule, opacity: 0.6 } },
    },
    series: data.series.map((one, place) => ({
      name: one.name,
      type: data.shape === "bar" ? "bar" : "line",
      data: one.points,
      showSymbol: one.points.length < 3,
      symbolSize: 4,
      connectNulls: false,
      lineStyle: { width: 1.6 },
      areaStyle: many || data.shape === "bar" ? undefined : { opacity: 0.12 },
      markLine: place === 0 ? mark : undefined,
    })),
  };
}

const answers = new Map();

// Several charts of one address ask once.
function asked(address) {
  if (!answers.has(address)) {
    const answer = fetch(address, { headers: { Accept: "application/json" } }).then((found) => {
      if (!found.ok) throw new Error(String(found.status));
      return found.json();
    });
    answers.set(address, answer);
    answer.finally(() => setTimeout(() => answers.delete(address), 5000)).catch(() => {});
  }
  return answers.get(address);
}

// What the reader should know of the figures, as text: above all charts of a page, also of empty ones; the same once.
function tell(element, note) {
  const charts = element.closest(".charts");
  const told = [...charts.querySelectorAll(":scope > .chart-note")];
  if (!note || told.some((one) => one.textContent === note)) return;
  const said = document.createElement("p");
  said.className = "chart-note";
  said.setAttribute("role", "note");
  said.textContent = note;
  charts.prepend(said);
}

async function draw(element) {
  if (drawn.has(element)) return;
  drawn.set(element, null);
  element.setAttribute("aria-busy", "true");
  try {
    const [address, name] = element.dataset.chart.split("#");
    const answer = await asked(address);
    const data = name ? answer[name] : answer;
    tell(element, data.note);
    if (!data.series.some((one) => one.points.length)) {
      if (name) element.closest("figure").hidden = true; // there are others to look at
      element.textContent = element.dataset.empty || "";
      element.classList.add("chart-empty");
      return;
    }
    element.textContent = "";
    const chart = echarts.init(element, null, { renderer: "canvas" });
    chart.setOption(options(data, element));
    drawn.set(element, { chart, data });
  } catch {
    drawn.delete(element);
    element.textContent = element.dataset.failed || "";
    element.classList.add("chart-empty");
  } finally {
    element.removeAttribute("aria-busy");
    element.dataset.drawn = "yes";
  }
}

const near = new IntersectionObserver(
  (entries) => entries.filter((one) => one.isIntersecting).forEach((one) => (near.unobserve(one.target), draw(one.target))),
  { rootMargin: "300px" },
);
const sizes = new ResizeObserver((entries) => entries.forEach((one) => drawn.get(one.target)?.chart.resize()));

function look() {
  for (const element of document.querySelectorAll("[data-chart]")) {
    if (!drawn.has(element)) {
      near.observe(element);
      sizes.observe(element);
    }
  }
  for (const [element, one] of drawn) {
    if (element.isConnected) continue;
    one?.chart.dispose();
    drawn.delete(element);
  }
}

window.addEventListener("themechange", () => drawn.forEach((one, element) => one?.chart.setOption(options(one.data, element))));
document.addEventListener("htmx:afterSettle", look);
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", look);
else look();
