// A table of many rows that can be ticked. Only the rows in sight are elements of the page, so that five hundred with a
// picture each are drawn as quickly as twenty. What the rows are, and in which order, the server says.

import { button } from "../lib/controls.js";
import { make, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";

const ROW = 46; // px, as in table.css
const HEAD = 38;
const BEYOND = 6; // rows drawn above and below those in sight
const LETTER = 7.4; // px of a letter in a cell, about
const WIDTHS = { name: [120, 240], text: [70, 185], number: [64, 170], picture: [150, 150] };
const NARROW = 560; // px
const SLIM = 76; // px of a picture's column there, so that the name stands beside it
const ARROW = { up: " ↑", down: " ↓", "": "" };
const SORTS = { up: "ascending", down: "descending", "": "none" };

export default mounted(({ parentElement }) => new Table(parentElement), (view, component) => view.receive(component));

class Table {
  constructor(parent) {
    this.root = rootOf("table", parent);
    this.frame = make("div", "frame", this.root);
    Object.assign(this.frame, { tabIndex: 0, onscroll: () => this.draw(), onkeydown: event => this.onKey(event) });
    for (const [name, value] of Object.entries({ role: "grid", "aria-multiselectable": "true" })) {
      this.frame.setAttribute(name, value);
    }
    this.head = make("div", "head", this.frame);
    this.body = make("div", "body", this.frame);
    this.ticked = new Set();
    this.folded = new Map(); // id of a group -> whether it is folded, where the visitor has said so
    this.drawn = new Map(); // place among the visible rows -> its element
    this.active = 0; // place that the arrow keys have come to
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.frame);
  }

  receive({ data, setStateValue, setTriggerValue }) {
    this.tell = setStateValue;
    this.ask = setTriggerValue;
    if (data === this.bytes) return;
    this.bytes = data;
    [this.message] = unpack(data);
    const { columns, rows, ticked, stamp, noun } = this.message;
    if (stamp !== this.stamp) this.ticked = new Set(ticked); // until then what is ticked here is newer than its echo
    this.stamp = stamp;
    this.ids = rows.filter(row => !row.members).map(row => row.id);
    this.frame.setAttribute("aria-label", `${this.ids.length} ${noun}${this.ids.length === 1 ? "" : "s"}. Arrow keys move, Space ticks, Enter opens.`);
    this.frame.setAttribute("aria-colcount", columns.length + 1);
    const names = columns.map(column => column.key).join();
    if (names !== this.names) this.frame.scrollLeft = 0;
    this.names = names;
    this.layOut();
    this.drawHead();
    this.arrange();
    const sorted = columns.findIndex(column => column.sort);
    if (sorted !== this.sorted && sorted > this.named) this.bringIn(sorted);
    this.sorted = sorted;
  }

  // A column into sight, where it is hidden to the right.
  bringIn(i) {
    const end = 44 + this.widths.slice(0, i + 1).reduce((a, b) => a + b, 0);
    if (this.frame.clientWidth < NARROW) return; // there is no room for the name beside it
    if (end > this.frame.scrollLeft + this.frame.clientWidth) this.frame.scrollLeft = end - this.frame.clientWidth + 8;
  }

  // How wide the columns are: as what is in them, between bounds.
  layOut() {
    const { columns, rows, height } = this.message;
    this.widths = columns.map((column, i) => {
      if (column.kind === "picture" && this.frame.clientWidth < NARROW) return SLIM;
      const [least, most] = WIDTHS[i === this.named ? "name" : column.kind];
      const longest = rows.reduce((n, { cells }) => Math.max(n, letters(cells[i])), column.title.length + 2);
      return Math.max(least, Math.min(most, Math.ceil(longest * LETTER) + 22));
    });
    const style = this.root.style;
    style.setProperty("--columns", ["44px", ...this.widths.slice(0, -1).map(w => `${w}px`),
      `minmax(${this.widths.at(-1)}px, 1fr)`].join(" "));
    style.setProperty("--width", `${44 + this.widths.reduce((a, b) => a + b, 0)}px`);
    style.setProperty("--height", `${height}px`);
  }

  drawHead() {
    const { columns, noun } = this.message;
    this.head.replaceChildren();
    this.head.setAttribute("role", "row");
    const cell = make("div", "tick", this.head);
    cell.setAttribute("role", "columnheader");
    this.all = make("input", "", cell);
    Object.assign(this.all, { type: "checkbox", title: `Tick all ${noun}s of this table, or none of them.`,
      onchange: () => this.tickAll(this.all.checked) });
    this.all.setAttribute("aria-label", `Tick all ${noun}s`);
    columns.forEach((column, i) => {
      const head = make("div", column.kind, this.head);
      head.setAttribute("role", "columnheader");
      this.stick(head, i);
      if (column.sort === null) {
        make("span", "", head, column.title).title = column.help;
        return;
      }
      head.setAttribute("aria-sort", SORTS[column.sort]);
      const help = `${column.help} ${column.sort ? "Press to turn the order round." : "Press to sort by it."}`.trim();
      button(head, column.title + ARROW[column.sort], help, () => this.ask("sort", column.key));
    });
  }

  // The rows that are to be seen: without those of folded groups.
  arrange() {
    const { rows } = this.message;
    this.visible = [];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      this.visible.push(row);
      if (!row.members) continue;
      row.of = rows.slice(i + 1, i + 1 + row.members).map(member => member.id);
      for (const member of rows.slice(i + 1, i + 1 + row.members)) member.inner = true;
      if (this.isFolded(row)) i += row.members;
    }
    this.active = Math.max(0, Math.min(this.active, this.visible.length - 1));
    this.body.style.height = `${this.visible.length * ROW}px`;
    this.frame.setAttribute("aria-rowcount", this.visible.length + 1);
    this.forget();
    this.draw();
  }

  forget() {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
  }

  isFolded(row) {
    return this.folded.get(row.id) ?? true;
  }

  draw() {
    if (!this.visible) return;
    const first = Math.max(0, Math.floor(this.frame.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.visible.length, Math.ceil((this.frame.scrollTop + this.frame.clientHeight) / ROW) + BEYOND);
    for (const [place, element] of this.drawn) {
      if (place >= first && place < last) continue;
      element.remove();
      this.drawn.delete(place);
    }
    for (let place = first; place < last; place++) {
      if (!this.drawn.has(place)) this.drawn.set(place, this.drawRow(place));
    }
    this.mark();
  }

  drawRow(place) {
    const row = this.visible[place];
    const element = make("div", "row", this.body);
    Object.assign(element, { id: `row-${place}`, onmousedown: () => this.goTo(place) });
    element.style.top = `${place * ROW}px`;
    for (const [name, value] of Object.entries({ role: "row", "aria-rowindex": place + 2 })) element.setAttribute(name, value);
    element.classList.toggle("faded", row.faded === true);
    element.classList.toggle("group", Boolean(row.members));
    element.classList.toggle("inner", row.inner === true);
    const cell = make("label", "tick", element);
    cell.setAttribute("role", "gridcell");
    const box = make("input", "", cell);
    Object.assign(box, { type: "checkbox", tabIndex: -1, onclick: event => this.tick(place, box.checked, event.shiftKey) });
    box.setAttribute("aria-label", `Tick ${textOf(row.cells[this.named])}`);
    row.cells.forEach((cell, i) => this.drawCell(row, cell, i, element));
    return element;
  }

  // The column whose text opens the row.
  get named() {
    return this.message.columns.findIndex(column => column.kind === "text");
  }

  drawCell(row, content, i, parent) {
    const column = this.message.columns[i];
    const cell = make("div", column.kind, parent);
    cell.setAttribute("role", "gridcell");
    this.stick(cell, i);
    const [text, help, mark] = Array.isArray(content) ? content : [content];
    if (column.kind === "picture" && typeof content === "string") {
      if (!content) return;
      const image = make("img", "", cell);
      Object.assign(image, { alt: "", decoding: "async", src: content, onerror: () => image.remove() });
    } else if (i === this.named) {
      const open = row.members ? () => this.fold(row) : () => this.ask("open", row.id);
      const sign = row.members ? (this.isFolded(row) ? "▸ " : "▾ ") : row.pinned ? "★ " : "";
      const one = button(cell, sign + text, help || text, open);
      one.tabIndex = -1;
      if (row.members) one.setAttribute("aria-expanded", String(!this.isFolded(row)));
    } else {
      const words = make("span", "", cell, text);
      words.title = help || text;
      if (mark) make("sup", "", cell, mark).title = help;
    }
  }

  // Names stay in sight while the table is moved sideways.
  stick(cell, i) {
    if (i > this.named) return;
    cell.classList.add("stuck");
    cell.style.setProperty("--left", `${44 + this.widths.slice(0, i).reduce((a, b) => a + b, 0)}px`);
  }

  // What is ticked, where the keys are, and which row is opened.
  mark() {
    const { open } = this.message;
    for (const [place, element] of this.drawn) {
      const row = this.visible[place];
      const [box] = element.getElementsByTagName("input");
      const count = row.of?.filter(id => this.ticked.has(id)).length ?? 0;
      box.checked = row.of ? count === row.of.length : this.ticked.has(row.id);
      box.indeterminate = count > 0 && !box.checked;
      element.setAttribute("aria-selected", String(box.checked));
      element.classList.toggle("active", place === this.active);
      element.classList.toggle("open", row.id === open);
    }
    const here = this.ids.filter(id => this.ticked.has(id)).length;
    this.all.checked = here > 0 && here === this.ids.length;
    this.all.indeterminate = here > 0 && !this.all.checked;
    this.frame.setAttribute("aria-activedescendant", `row-${this.active}`);
  }

  goTo(place) {
    this.active = Math.max(0, Math.min(place, this.visible.length - 1));
    this.mark();
  }

  // Tick a row, or with `through` all from the one that was ticked last.
  tick(place, on, through) {
    const [from, to] = through && this.last !== undefined ? [Math.min(this.last, place), Math.max(this.last, place)]
      : [place, place];
    for (const row of this.visible.slice(from, to + 1)) {
      for (const id of row.of ?? [row.id]) this.ticked[on ? "add" : "delete"](id);
    }
    this.last = this.active = place;
    this.send();
  }

  tickAll(on) {
    for (const id of this.ids) this.ticked[on ? "add" : "delete"](id);
    this.send();
  }

  send() {
    this.mark();
    this.tell("ticked", [...this.ticked]);
  }

  fold(row) {
    this.folded.set(row.id, !this.isFolded(row));
    this.arrange();
  }

  onKey(event) {
    if (event.target !== this.frame) return; // a button of the head has keys of its own
    const row = this.visible[this.active];
    const page = Math.max(1, Math.floor((this.frame.clientHeight - HEAD) / ROW) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves && !event.altKey) {
      const from = this.active;
      const to = Math.max(0, Math.min(this.visible.length - 1, from + moves[event.key]));
      if (event.shiftKey && row) {
        if (this.last === undefined) this.last = from;
        this.tick(to, true, true);
      } else {
        this.goTo(to);
      }
      this.reveal();
    } else if (event.key === " " && row) {
      const one = this.drawn.get(this.active)?.getElementsByTagName("input")[0];
      this.tick(this.active, !(one?.checked ?? this.ticked.has(row.id)), false);
    } else if (event.key === "Enter" && row) {
      if (row.members) this.fold(row);
      else this.ask("open", row.id);
    } else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && row?.members
        && this.isFolded(row) === (event.key === "ArrowRight")) {
      this.fold(row);
    } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
      this.tickAll(true);
    } else {
      return;
    }
    event.preventDefault();
  }

  reveal() {
    const { frame } = this;
    const top = this.active * ROW;
    if (top < frame.scrollTop) frame.scrollTop = top;
    else if (top + ROW + HEAD > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + ROW + HEAD - frame.clientHeight;
    this.draw();
  }

  destroy() {
    this.observer.disconnect();
    this.root.remove();
  }
}

function textOf(cell) {
  return Array.isArray(cell) ? cell[0] : cell;
}

function letters(cell) {
  return Array.isArray(cell) ? cell[0].length + (cell[2] ? 2 : 0) : cell.length;
}
