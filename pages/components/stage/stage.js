// A talk on stage. Each scene is a section with a frame of the dashboard and, beneath it, title and equation; the one now,
// the next and the one before are there at once, over one another, so a step draws nothing: it only says who is on top.
// Equations become MathML, which browsers draw themselves: the typesetter that Streamlit brings, and none of its styles.
// The speaker's window is the same page with `notes=1`; both tell each other where the talk is.

import { button } from "../lib/controls.js";
import { make, setText } from "../lib/dom.js";
import { keyOf, typed } from "../lib/keys.js";
import { partOf } from "../lib/talk.js";
import { KEYS, stepOf } from "./keys.js";
import { clock, planned } from "./clock.js";

const LOOK = 150; // ms between looks at a frame that is not ready
const PATIENCE = 8000; // ms after which a frame is not waited for before the next one is begun
const RESTS = `[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]`;
const WAITS = ":root[data-busy], [data-testid=stSkeleton], [data-testid=stSpinner], [data-stale=true]";
const ANY = "[data-testid=stMain] [data-testid=stElementContainer]";

const told = JSON.parse(document.body.dataset.told);
const asked = new URLSearchParams(location.search);
const name = asked.get("name") || "lecture";
const channel = new BroadcastChannel(`latent-lab.talk.${told.base}/${name}`);

class Stage {
  constructor(talk, typeset) {
    Object.assign(this, { talk, typeset, scenes: new Map(), heard: new WeakSet(), begun: null });
    this.root = make("main", "stage", document.body);
    this.over = make("aside", "over", document.body);
    this.over.hidden = true;
    this.at = Math.min(talk.scenes.length, Math.max(1, Math.floor(asked.get("scene")) || 1)) - 1;
    channel.onmessage = ({ data }) => {
      if (data.by) this.step(data.by);
      else if (data.again) this.begin();
      else if (data.hello) this.tell();
    };
    this.listen(document);
    this.show();
    if (asked.get("rehearse")) {
      this.begin();
      this.notes();
    }
  }

  // A key is heard wherever the focus is; of a frame that is not ready the stage keeps the focus.
  listen(there) {
    if (this.heard.has(there)) return;
    this.heard.add(there);
    there.addEventListener("keydown", event => {
      if (event.ctrlKey || event.altKey || event.metaKey || typed(event)) return;
      const by = stepOf(event.key);
      if (by) this.step(by);
      else if (event.key === "s") this.speaker();
      else if (event.key === "o") this.notes();
      else if (event.key === "e") this.root.classList.toggle("bare");
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, { capture: true });
  }

  // `data-waited` says whether the scene was not there yet when it was asked for.
  step(by) {
    const to = this.at + by;
    if (to < 0 || to >= this.talk.scenes.length) return;
    this.begun ??= Date.now();
    this.at = to;
    document.body.dataset.waited = this.scenes.get(to)?.element.dataset.state === "ready" ? "no" : "yes";
    this.show();
  }

  begin() {
    this.begun = Date.now();
    this.tell();
  }

  show() {
    const scene = this.scene(this.at);
    for (const [number, each] of this.scenes) {
      if (Math.abs(number - this.at) > 1) this.drop(number);
      else {
        each.element.toggleAttribute("data-now", each === scene);
        each.element.inert = each !== scene;
      }
    }
    if (scene.element.dataset.state === "ready") scene.frame.contentWindow.focus();
    else {
      document.activeElement?.blur();
      window.focus();
    }
    history.replaceState(null, "", `?${new URLSearchParams({ name, scene: this.at + 1 })}`);
    document.title = `${this.at + 1} · ${this.talk.scenes[this.at].title}`;
    this.tell();
    this.prepare();
  }

  // The next one, and then the one before, once the one now has come to rest: it is not to be slowed.
  async prepare() {
    const { at } = this;
    for (const number of [at, at + 1, at - 1]) {
      if (number < 0 || number >= this.talk.scenes.length) continue;
      await this.scene(number).rested;
      if (at !== this.at) return;
    }
  }

  scene(number) {
    if (!this.scenes.has(number)) this.scenes.set(number, this.made(number));
    return this.scenes.get(number);
  }

  made(number) {
    const scene = this.talk.scenes[number];
    const element = make("section", "scene");
    Object.assign(element.dataset, { number: number + 1, state: "loading" });
    element.setAttribute("aria-label", scene.title);
    element.inert = true;
    const frame = make("iframe", "", element);
    Object.assign(frame, { title: scene.title, allow: "fullscreen; clipboard-write" });
    const [path, query] = scene.address.split("?");
    const parts = (new URLSearchParams(query).get("show") ?? "").split(",").map(key => partOf(key) ?? ANY);
    frame.src = `${told.base}${path}?${query ? `${query}&` : ""}talk=1`;
    this.foot(element, number);
    this.root.append(element);
    frame.addEventListener("load", () => this.listen(frame.contentDocument));
    const made = { element, frame, rested: null };
    made.rested = new Promise(done => {
      const until = performance.now() + PATIENCE;
      let twice = false;
      made.timer = setInterval(() => {
        const app = frame.contentDocument?.querySelector(RESTS);
        if (app) this.listen(frame.contentDocument);
        const rests = app && !frame.contentDocument.querySelector(WAITS) && parts.every(part => drawn(app, part));
        if (rests && twice) {
          clearInterval(made.timer);
          this.dress(app);
          element.dataset.state = "ready";
          if (number === this.at && document.activeElement === document.body) frame.contentWindow.focus();
          done();
        } else if (performance.now() > until) done();
        twice = Boolean(rests);
      }, LOOK);
      made.end = done;
    });
    return made;
  }

  // Title and equation in the words of the talk; beneath the scene, so that they cover nothing of it.
  foot(element, number) {
    const { title, latex, number: equation } = this.talk.scenes[number];
    const foot = make("footer", "foot", element);
    make("h1", "", foot, title);
    const place = make("div", "equation", foot);
    if (latex) {
      this.typeset(latex, place);
      if (equation) make("span", "number", place, `(${equation})`);
      requestAnimationFrame(() => fit(place));
    }
    const steps = make("nav", "steps", foot);
    button(steps, "‹", "The scene before: PageUp", () => this.step(-1)).ariaLabel = "Scene before";
    make("span", "count", steps, `${number + 1} / ${this.talk.scenes.length}`);
    button(steps, "›", "The next scene: PageDown", () => this.step(1)).ariaLabel = "Next scene";
  }

  // The stage in the colours of the app, whichever theme the visitor has.
  dress(app) {
    const { backgroundColor, color } = getComputedStyle(app);
    document.body.style.setProperty("--ground", backgroundColor);
    document.body.style.setProperty("--ink", color);
  }

  drop(number) {
    const { element, timer, end } = this.scenes.get(number);
    clearInterval(timer);
    end();
    element.remove();
    this.scenes.delete(number);
  }

  notes() {
    this.over.hidden = !this.over.hidden;
    if (!this.over.hidden && !this.ticks) this.ticks = setInterval(() => this.tick(), 1000);
    this.tick();
  }

  tick() {
    if (!this.over.hidden) written(this.over, this.talk, this.at, this.begun);
  }

  speaker() {
    window.open(`?${new URLSearchParams({ name, notes: 1 })}`, `notes-${name}`, "popup,width=900,height=600");
  }

  tell() {
    channel.postMessage({ at: this.at, begun: this.begun });
    this.tick();
  }
}

class Notes {
  constructor(talk) {
    document.title = `Notes · ${talk.title}`;
    const root = make("main", "notes", document.body);
    const page = make("div", "page", root);
    const steps = make("nav", "steps", root);
    button(steps, "‹ Before", "The scene before: PageUp", () => channel.postMessage({ by: -1 }));
    button(steps, "Next ›", "The next scene: PageDown", () => channel.postMessage({ by: 1 }));
    button(steps, "Clock from 0:00", "Begin the clock anew.", () => channel.postMessage({ again: true }));
    let [at, begun] = [0, null];
    const draw = () => written(page, talk, at, begun);
    channel.onmessage = ({ data }) => {
      if (data.at === undefined) return;
      [at, begun] = [data.at, data.begun];
      draw();
    };
    addEventListener("keydown", event => {
      const by = stepOf(keyOf(event)); // Ctrl and P prints the notes
      if (by) channel.postMessage({ by });
    });
    setInterval(draw, 1000);
    draw();
    channel.postMessage({ hello: true });
  }
}

// Whether a part of a page is there, and has room.
function drawn(app, part) {
  return [...app.querySelectorAll(part)].some(each => each.getBoundingClientRect().height > 1);
}

// What the speaker reads: the line, the clock beside what was planned, and what comes next.
function written(root, talk, at, begun) {
  if (!root.children.length) {
    for (const name of ["time", "title", "line", "next"]) make("p", name, root);
    make("p", "keys", root, KEYS.map(([keys, does]) => `${keys} ${does}`).join(" · "));
  }
  const scene = talk.scenes[at];
  const say = (name, text) => setText(root.querySelector(`.${name}`), text);
  const due = planned(talk.scenes, at);
  say("time", `${begun === null ? "0:00" : clock((Date.now() - begun) / 1000)}${due ? ` of ${clock(due)} at the end of this scene` : ""}`);
  say("title", `${at + 1} / ${talk.scenes.length} · ${scene.title}`);
  say("line", scene.line);
  say("next", talk.scenes[at + 1] ? `Next: ${talk.scenes[at + 1].title}` : "The last scene.");
}

// An equation as large as fits in its place.
function fit(place) {
  const drawn = place.firstElementChild;
  const width = place.clientWidth - 60;
  const math = drawn.querySelector("math")?.getBoundingClientRect() ?? drawn.getBoundingClientRect();
  const scale = Math.min(1, width / Math.max(math.width, drawn.scrollWidth), 0.2 * innerHeight / math.height);
  if (scale < 1) drawn.style.fontSize = `${Math.max(0.5, scale)}em`;
}

async function typesetter() {
  try {
    const { default: katex } = await import(new URL(told.typesetter, location.origin));
    return (latex, place) => katex.render(latex, make("div", "drawn", place), {
      displayMode: true, throwOnError: false, output: "mathml", trust: false,
    });
  } catch { // another Streamlit: the equation as it was written
    return (latex, place) => make("code", "", place, latex);
  }
}

async function begin() {
  const answer = await fetch(`${told.base}/talks/${encodeURIComponent(name)}`);
  const talk = await answer.json();
  if (!answer.ok) throw new Error(talk.reason);
  if (!talk.scenes.length) throw new Error(`${talk.title} has no scenes yet. The page Talk adds some.`);
  if (asked.get("notes")) new Notes(talk);
  else new Stage(talk, await typesetter());
}

begin().catch(error => make("p", "refused", document.body, error.message).setAttribute("role", "alert"));
