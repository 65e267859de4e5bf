// Runs before the first paint: the look that was chosen, or that of the device.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem("theme") ?? "auto";
  } catch {
    return "auto"; // storage is forbidden here
  }
}

function apply() {
  const choice = stored();
  const look = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  document.documentElement.setAttribute("data-bs-theme", look);
  window.dispatchEvent(new CustomEvent("themechange", { detail: look }));
}

window.sitewardenTheme = {
  choose(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // then it holds for this page alone
    }
    apply();
  },
  stored,
};
dark.addEventListener("change", apply);
apply();
