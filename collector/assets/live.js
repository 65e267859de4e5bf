// What is live. All tabs of a browser share one stream of events: browsers open only six connections to a host, and an
// engineer has more tickets open than that. One tab holds the stream and hands on what comes; when it closes, the next
// takes over. Each event names topics; pages ask for what they show of them with hx-trigger="sse:TOPIC".
import "htmx-ext-sse";

const htmx = window.htmx;

class SharedSource extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.readyState = EventSource.CONNECTING;
    this.end = new AbortController();
    if (navigator.locks && window.BroadcastChannel) this.share();
    else this.hold((topics) => this.tell(topics));
  }

  share() {
    this.channel = new BroadcastChannel("sitewarden-live");
    this.channel.onmessage = ({ data }) => {
      if (data === "hello") {
        if (this.source) this.channel.postMessage({ state: this.source.readyState });
      } else if (data.state !== undefined) this.show(data.state);
      else this.tell(data.topics);
    };
    this.channel.postMessage("hello");
    const holding = () =>
      new Promise((release) => {
        this.hold((topics) => {
          this.channel.postMessage({ topics });
          this.tell(topics);
        });
        this.end.signal.addEventListener("abort", release);
      });
    navigator.locks.request("sitewarden-live", { signal: this.end.signal }, holding).catch(() => {});
  }

  hold(hand) {
    let lost = false;
    this.source = new EventSource(this.url);
    this.source.onopen = () => {
      this.say(EventSource.OPEN);
      if (lost) hand(["all"]); // what came in between is not known
      lost = false;
    };
    this.source.onerror = () => {
      lost = true;
      this.say(this.source.readyState);
      if (this.source.readyState === EventSource.CLOSED && !this.end.signal.aborted) {
        setTimeout(() => this.end.signal.aborted || this.hold(hand), 5000); // refused for now: signed out, or starting
      }
    };
    this.source.addEventListener("change", (event) => hand(JSON.parse(event.data).topics));
  }

  say(state) {
    this.channel?.postMessage({ state });
    this.show(state);
  }

  show(state) {
    this.readyState = state;
    document.documentElement.dataset.live = state === EventSource.OPEN ? "on" : "off";
  }

  tell(topics) {
    const all = topics.includes("all") ? [...document.querySelectorAll("[hx-trigger*='sse:']")].flatMap(named) : [];
    for (const topic of new Set([...topics, ...all])) this.dispatchEvent(new MessageEvent(topic, { data: topic }));
    document.dispatchEvent(new CustomEvent("live", { detail: topics }));
  }

  close() {
    this.readyState = EventSource.CLOSED;
    this.end.abort();
    this.source?.close();
    this.channel?.close();
  }
}

function named(element) {
  return [...element.getAttribute("hx-trigger").matchAll(/sse:([^\s,[]+)/g)].map((match) => match[1]);
}

htmx.createEventSource = (url) => new SharedSource(url);
window.addEventListener("pagehide", () => document.documentElement.removeAttribute("data-live"));
