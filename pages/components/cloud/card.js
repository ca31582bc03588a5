// The card of a point: its picture, its number, its classes, and the value that colours it.

import { make } from "../lib/dom.js";
import { NONE } from "./paint.js";
import { short } from "./words.js";

const SIDE = 84; // px of a picture, about
const TOLD = 4; // classes and columns of a card

export class Card {
  constructor(message) {
    this.message = message;
    this.pages = new Map(); // page of pictures -> image
  }

  // Draws it into `element`.
  show(element, i, colour) {
    element.replaceChildren();
    const { sprites } = this.message;
    if (sprites) {
      const [width, height] = sprites.cell;
      const canvas = make("canvas", "thumbnail", element);
      Object.assign(canvas, { width, height });
      const scale = Math.max(1, Math.round(SIDE / Math.max(width, height)));
      Object.assign(canvas.style, { width: `${width * scale}px`, height: `${height * scale}px` });
      this.paint(canvas, i);
    }
    const words = make("div", "", element);
    for (const [name, value] of this.lines(i, colour)) {
      const line = make("div", "line", words);
      make("span", "", line, name);
      make("b", "", line, value);
    }
  }

  lines(i, colour) {
    const { categories, columns, noun } = this.message;
    const lines = [[noun, String(columns.row[i])]];
    for (const { name, title, names } of categories.slice(0, TOLD)) {
      const place = columns[`category.${name}`][i];
      if (place !== NONE) lines.push([title, names[place]]);
    }
    if (colour?.range) {
      const value = short(colour.values[i]);
      lines.push([colour.title, colour.unit && Number.isFinite(colour.values[i]) ? `${value} ${colour.unit}` : value]);
    }
    return lines;
  }

  words(i, colour) {
    return this.lines(i, colour).map(([name, value]) => `${name} ${value}`).join(", ");
  }

  async paint(canvas, i) {
    const { sprites, columns } = this.message;
    const [width, height] = sprites.cell;
    const row = columns.row[i];
    const page = Math.floor(row / sprites.count);
    const image = this.page(page);
    try {
      await image.decode();
    } catch {
      this.pages.delete(page); // once more with the next point
      canvas.remove();
      return;
    }
    const place = row % sprites.count;
    const [x, y] = [(place % sprites.columns) * width, Math.floor(place / sprites.columns) * height];
    canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
    canvas.dataset.painted = row;
  }

  page(page) {
    if (!this.pages.has(page)) {
      const image = new Image();
      image.src = this.message.sprites.address.replace("{page}", page);
      this.pages.set(page, image);
    }
    return this.pages.get(page);
  }
}
