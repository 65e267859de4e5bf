// Everything that all pages share: htmx, what is live, times, keys, themes, toasts. Charts come in a file of their own.
import "./htmx.js";
import "./live.js";
import "./times.js";
import "./keys.js";
import "./shell.js";
import "./board.js";
