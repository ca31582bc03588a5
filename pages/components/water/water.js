// A collapse to be watched. On the left what is true: how much the data vary along each of their directions, and the
// water, whose level is β σ². On the right what a model does: the KL of each dimension, beside that of the optimum. Below
// both how many dimensions live. All move evenly between the evaluations; nothing is sent to the server.

import { button, range } from "../lib/controls.js";
import { blank, make, setText, unpack } from "../lib/dom.js";
import { answered, keyOf } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { fixed, minus } from "../lib/numbers.js";
import { readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { sizes } from "../lib/talk.js";

const LAG = 0.8; // seconds behind the newest evaluation: time enough for the next to arrive
const CATCH_UP = 2; // times the pace, at most, where it has fallen further behind
const TEXT = 16; // px: readable from the back row
const ALIVE = 0.01; // nats: under it a bar is drawn as dead
const STEP = 0.01; // of the training: an arrow key
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 12, 30, 34]; // px around what is drawn

export default mounted(({ parentElement }) => new Water(parentElement), (view, { data }) => view.update(data));

class Water {
  constructor(parent) {
    this.root = rootOf("water", parent);
    this.head = make("div", "head", this.root);
    this.count = make("b", "count", this.head);
    this.count.setAttribute("aria-live", "off");
    this.theory = make("span", "theory", this.head);
    this.theory.title = "How many the optimum codes at this level: directions whose variance stands out of the water";
    this.level = make("span", "level", this.head);
    this.level.title = "β weighs the KL, σ² is the variance of p(x|z): what varies by less does not pay for its KL";
    this.bar = make("div", "bar", this.root);
    this.play = button(this.bar, "Play", "", () => this.toggle());
    this.play.classList.add("play");
    [this.slider, this.said] = range(this.bar, "", { min: 0, max: 1, step: 0.001, value: 0 },
      "Any moment of the training; arrow keys move it", share => this.scrub(share), share => this.clock(share));
    this.slider.setAttribute("aria-label", "Moment of the training");
    saveButton(this.bar, () => this.saved());
    const panels = make("div", "panels", this.root);
    this.truth = this.figure(panels, "What is true of the data", (c, w, h) => this.drawTruth(c, w, h));
    this.model = this.figure(panels, "What the model codes", (c, w, h) => this.drawModel(c, w, h));
    this.course = this.figure(this.root, "Dimensions alive", (c, w, h) => this.drawCourse(c, w, h));
    this.course.section.classList.add("course");
    this.at = null; // step that is shown
    this.moving = false; // plays, or follows a run that trains
    this.frame = now => this.next(now);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
    this.root.tabIndex = -1;
    this.onKey = event => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  // Keys belong to it while it has the focus or the mouse over it, as to every player.
  key(event) {
    const target = event.composedPath()[0];
    if (!this.message || !(this.root.contains(target) || this.root.matches(":hover"))) return;
    const share = Number(this.slider.value);
    const action = {
      ArrowLeft: () => this.scrub(Math.max(0, share - STEP)),
      ArrowRight: () => this.scrub(Math.min(1, share + STEP)),
      Home: () => this.scrub(0),
      End: () => this.scrub(1),
      " ": () => event.repeat || this.toggle(),
    }[keyOf(event)];
    if (!action || (event.key === " " && target instanceof Element && target.closest("button, summary"))) return;
    event.preventDefault();
    action();
  }

  figure(parent, title, draw) {
    const section = make("section", "", parent);
    const heading = make("div", "heading", section, title);
    const box = make("div", "plot", section);
    const canvas = make("canvas", "", box);
    canvas.setAttribute("role", "img");
    return { section, heading, box, canvas, draw };
  }

  update(bytes) {
    const theme = readTheme(this.root, this.theme);
    if (bytes === this.bytes && theme === this.theme) return;
    if (bytes !== this.bytes) {
      const before = this.message;
      this.message = decode((this.bytes = bytes));
      const { run, live, evaluations, counted } = this.message;
      this.count.title = counted;
      if (run !== before?.run) {
        this.at = live && evaluations ? this.newest : 0;
        this.moving = live;
        this.root.dataset.run = run;
        answered(this.root);
      }
      this.root.dataset.evaluations = evaluations;
      if (before?.live && !live && this.moving) this.ending = true; // what is left is shown at the same pace
    }
    this.theme = theme;
    const style = getComputedStyle(this.root);
    [this.blue, this.orange] = ["--blue", "--orange"].map(name => style.getPropertyValue(name).trim());
    this.draw();
    this.start();
  }

  get newest() {
    const { steps, live, total } = this.message;
    return steps.length ? steps.at(-1) : live ? 0 : total;
  }

  // Steps a second, as it was trained.
  get pace() {
    return this.message.total / this.message.seconds;
  }

  start() {
    if (!this.moving || this.asked) return;
    this.then = performance.now();
    this.asked = requestAnimationFrame(this.frame);
  }

  next(now) {
    this.asked = null;
    if (!this.moving || !this.root.isConnected) return;
    const passed = Math.min(0.25, (now - this.then) / 1000); // a hidden tab has no frames: it goes on where it was
    this.then = now;
    const { live } = this.message;
    const goal = live ? this.newest - LAG * this.pace : this.newest;
    const behind = (goal - this.at) / this.pace; // seconds
    const speed = live || this.ending ? Math.max(0, Math.min(CATCH_UP, 1 + behind)) : 1;
    this.at = Math.max(0, Math.min(this.newest, this.at + passed * speed * this.pace));
    if (!live && this.at >= this.newest) {
      this.moving = this.ending = false;
    }
    this.draw();
    if (this.moving) this.asked = requestAnimationFrame(this.frame);
  }

  toggle() {
    this.moving = !this.moving;
    if (this.moving && this.at >= this.newest) this.at = this.message.live ? this.newest : 0;
    this.ending = false;
    this.draw();
    this.start();
  }

  scrub(share) {
    this.moving = false;
    this.at = Math.min(this.newest, share * this.message.total);
    this.draw();
  }

  clock(share) {
    const seconds = this.message?.seconds ?? 0;
    return `${Math.round(share * seconds)} of ${Math.round(seconds)} s`;
  }

  // -- what is shown ------------------------------------------------------------------------------

  draw() {
    if (!this.message) return;
    const { variances, total, live, evaluations } = this.message;
    const seen = this.seen = evaluations ? moment(this.message, this.at) : null;
    const plan = this.plan = planned(this.message, this.at);
    const size = variances.length;
    setText(this.count, seen ? `${seen.active} of ${size} active` : "Getting ready …");
    const optimum = plan.kl.filter(nats => nats > 0).length;
    setText(this.theory, seen ? `in theory ${optimum}` : "");
    setText(this.level, seen ? `level β σ² = ${short(plan.level)}` : "");
    this.root.dataset.active = seen?.active ?? "";
    this.root.dataset.optimum = optimum;
    setText(this.play, this.moving ? "Pause" : live ? "Follow" : "Play");
    this.play.title = this.moving ? "Stand still" : live ? "Go on with the training" : "From here on, as it was trained";
    const share = this.at / total;
    this.slider.value = share;
    setText(this.said, this.clock(share));
    for (const figure of [this.truth, this.model, this.course]) {
      const context = blank(figure.canvas);
      if (!context) continue;
      const { density } = sizes(figure.canvas);
      context.setTransform(density, 0, 0, density, 0, 0);
      figure.draw(context, figure.canvas.clientWidth, figure.canvas.clientHeight);
    }
    const words = seen ? `${seen.active} of ${size} dimensions active, in theory ${optimum}` : "nothing found yet";
    for (const { canvas, heading } of [this.truth, this.model, this.course]) {
      canvas.setAttribute("aria-label", `${heading.textContent}: ${words}`);
    }
  }

  // Places of the columns: left edges and a width, for r of them.
  columns(width) {
    const pitch = (width - LEFT - RIGHT) / this.message.variances.length;
    return [this.message.variances.map((_, i) => LEFT + pitch * (i + 0.14)), pitch * 0.72];
  }

  drawTruth(context, width, height) {
    const { variances, level } = this.message;
    const { text } = this.theme;
    const [low, high] = [Math.min(...variances, level[0]) / 1.8, Math.max(...variances, ...level) * 1.25];
    const bottom = height - BOTTOM;
    const y = value => TOP + (bottom - TOP) * (1 - Math.log(Math.max(value, low) / low) / Math.log(high / low));
    const [lefts, wide] = this.columns(width);
    this.write(context);
    const surface = y(this.plan.level);
    variances.forEach((variance, i) => {
      const top = y(variance);
      context.globalAlpha = variance > this.plan.level ? 1 : 0.35;
      context.fillStyle = this.orange;
      context.fillRect(lefts[i], top, wide, bottom - top);
      context.globalAlpha = 1;
      context.fillStyle = text;
      context.textAlign = "center";
      context.fillText(short(variance), lefts[i] + wide / 2, top - 10);
    });
    context.globalAlpha = 0.42;
    context.fillStyle = this.blue;
    context.fillRect(LEFT - 8, surface, width - LEFT - RIGHT + 16, bottom - surface);
    context.globalAlpha = 1;
    context.fillRect(LEFT - 8, surface - 1.5, width - LEFT - RIGHT + 16, 3);
    context.fillStyle = text;
    context.textAlign = "right";
    context.fillText("β σ²", LEFT - 12, Math.min(bottom - 8, surface));
    this.below(context, width, height, "variance λ of each direction, and the water");
  }

  drawModel(context, width, height) {
    const { plan } = this.message;
    const { text, grid } = this.theme;
    const most = 1.15 * Math.max(0.4, ...plan); // an untrained model may have any KL: it is cut off there
    const bottom = height - BOTTOM;
    const y = nats => bottom - (bottom - TOP) * (nats / most);
    const [lefts, wide] = this.columns(width);
    this.write(context);
    for (let tick = 0; tick <= most; tick += most > 4 ? 2 : 1) {
      context.fillStyle = grid;
      context.fillRect(LEFT - 8, y(tick), width - LEFT - RIGHT + 16, 1);
      context.fillStyle = text;
      context.textAlign = "right";
      context.fillText(tick, LEFT - 14, y(tick));
    }
    lefts.forEach((left, i) => {
      const nats = Math.min(most, this.seen?.kl[i] ?? 0);
      context.fillStyle = nats > ALIVE ? this.orange : text;
      context.globalAlpha = nats > ALIVE ? 1 : 0.35;
      context.fillRect(left, Math.min(y(nats), bottom - 3), wide, Math.max(3, bottom - y(nats)));
      context.globalAlpha = 1;
      context.fillStyle = text;
      context.fillRect(left - 4, y(this.plan.kl[i]) - 1.5, wide + 8, 3);
    });
    this.below(context, width, height, "KL of each dimension in nats; the line is the optimum, ½ log (λ / (β σ²))");
  }

  drawCourse(context, width, height) {
    const { planSteps, plan, steps, active, total, variances, seconds } = this.message;
    const { text, grid } = this.theme;
    const size = variances.length;
    const [bottom, top] = [height - BOTTOM, 12];
    const x = step => LEFT + (width - LEFT - RIGHT) * (step / total);
    const y = count => bottom - (bottom - top) * (count / size);
    this.write(context);
    context.textAlign = "right";
    for (const count of [0, size / 2, size]) {
      context.fillStyle = grid;
      context.fillRect(LEFT, y(count), width - LEFT - RIGHT, 1);
      context.fillStyle = text;
      context.fillText(count, LEFT - 10, y(count));
    }
    context.textAlign = "center";
    const apart = width < 600 ? 10 : 5;
    for (let second = 0; second <= seconds; second += apart) {
      const wide = context.measureText(`${second} s`).width;
      context.fillText(`${second} s`, Math.min(x((second / seconds) * total), width - wide / 2), height - 14);
    }
    const line = (points, style) => {
      Object.assign(context, { lineWidth: 2.5, ...style });
      context.beginPath();
      points.forEach(([step, count], i) => {
        if (i) context.lineTo(x(step), y(points[i - 1][1]));
        context[i ? "lineTo" : "moveTo"](x(step), y(count));
      });
      context.stroke();
    };
    context.setLineDash([6, 5]);
    line(Array.from(planSteps, (step, i) => [step, plan.subarray(i * size, (i + 1) * size).filter(v => v > 0).length]),
      { strokeStyle: text });
    context.setLineDash([]);
    const until = Array.from(steps, (step, i) => [step, active[i]]).filter(([step]) => step <= this.at);
    if (until.length) line([...until, [this.at, until.at(-1)[1]]], { strokeStyle: this.orange, lineWidth: 4 });
    context.fillStyle = this.blue;
    context.fillRect(x(this.at) - 1.5, top, 3, bottom - top);
  }

  write(context) {
    context.font = `${TEXT}px ${this.theme.font}`;
    context.textBaseline = "middle";
  }

  // What a panel shows, under it; smaller where there is no room.
  below(context, width, height, words) {
    context.fillStyle = this.theme.text;
    context.textAlign = "center";
    context.fillText(words, width / 2, height - 12, width - 8);
  }

  saved() {
    if (!this.message) return null;
    const words = [this.count, this.theory, this.level].filter(each => each.textContent).map(each => ({ words: each }));
    const parts = [this.truth, this.model, this.course].flatMap(({ heading, canvas, draw }) => [{ words: heading },
      { element: canvas, draw: context => draw(context, canvas.clientWidth, canvas.clientHeight) }]);
    return together({ name: `${this.message.run}-collapse`, background: this.theme.background,
      parts: [...words, ...parts] });
  }

  destroy() {
    this.moving = false;
    cancelAnimationFrame(this.asked);
    this.observer.disconnect();
    document.removeEventListener("keydown", this.onKey);
    this.root.remove();
  }
}

// As water/__init__.py packs it.
export function decode(bytes) {
  const [message, floats] = unpack(bytes);
  const { planned: count, evaluations, variances } = message;
  message.planSteps = floats(count);
  message.level = floats(count);
  message.plan = floats(count * variances.length);
  message.steps = floats(evaluations);
  message.active = floats(evaluations);
  message.kl = floats(evaluations * variances.length);
  return message;
}

// The place of a step among ascending ones: the last that is not after it, and how far it is to the next, 0 to 1.
export function placeIn(steps, step) {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (steps[middle] <= step) low = middle;
    else high = middle - 1;
  }
  const next = steps[low + 1];
  return [low, next > steps[low] ? Math.max(0, Math.min(1, (step - steps[low]) / (next - steps[low]))) : 0];
}

const row = (values, size, [at, share]) => Array.from({ length: size }, (_, i) => {
  const [here, next] = [values[at * size + i], values[(at + 1) * size + i]];
  return share > 0 ? here + share * (next - here) : here;
});

// What the run had found at a step: KL in between, the count of the last evaluation.
export function moment({ steps, active, kl, variances }, step) {
  const place = placeIn(steps, step);
  return { active: active[place[0]], kl: row(kl, variances.length, place) };
}

// What the optimum is at a step.
export function planned({ planSteps, level, plan, variances }, step) {
  const place = placeIn(planSteps, step);
  return { level: row(level, 1, place)[0], kl: row(plan, variances.length, place) };
}

export const short = value => minus(value >= 100 ? fixed(value, 0) : String(Number(value.toPrecision(2))));
