// The strip: what the slider under the pointer, or with the focus, would decode to along its track.

import { blank, make } from "../lib/dom.js";
import { picture, sizeOf } from "../lib/picture.js";
import { CELLS } from "./slider.js";

const DWELL = 60; // ms over a slider until its strip is drawn
const PATIENCE = 12; // ms that decodings may take at once: a hand that begins to drag does not wait longer

export class Strip {
  constructor(hand) {
    this.hand = hand;
    this.canvas = make("canvas", "strip");
    this.canvas.setAttribute("aria-hidden", "true");
    this.slider = null;
  }

  // Follows the slider that is held, pointed at or focused; `anew` where the code has changed meanwhile.
  follow(anew = false) {
    const { hand } = this;
    const slider = hand.held ?? hand.hovered ?? hand.focus ?? null;
    if (!anew && slider === this.slider) return;
    clearTimeout(this.dwelling);
    this.ticket = {};
    if (slider !== this.slider) {
      this.canvas.remove();
      this.slider?.root.classList.remove("stripped");
      this.slider = slider;
    }
    if (!slider || !hand.pictured || !hand.decoder || hand.walking) return;
    this.dwelling = setTimeout(() => this.draw(slider, this.ticket), anew ? 0 : DWELL);
  }

  async draw(slider, ticket) {
    const { decoder, pictured: { name, shape } } = this.hand;
    const places = this.places(slider);
    const size = sizeOf(shape);
    const pictures = [];
    let some = decoder.where === "server" ? CELLS : 2;
    while (pictures.length < CELLS) {
      const part = places.slice(pictures.length, pictures.length + some);
      const began = performance.now();
      let values;
      try {
        values = (await decoder.run(this.hand.inputs(...part), part.length))[`${name}.mean`];
      } catch {
        return; // the picture itself says what is wrong
      }
      if (ticket !== this.ticket) return;
      part.forEach((_, row) => pictures.push(picture(values.subarray(row * size, (row + 1) * size), shape)));
      some = Math.max(1, Math.floor((PATIENCE * part.length) / (performance.now() - began + 0.1)));
    }
    slider.track.prepend(this.canvas);
    slider.root.classList.add("stripped");
    this.paint(pictures);
  }

  // The code with the slider at each place, and with it all that it moves.
  places(slider) {
    return Array.from({ length: CELLS }, (_, cell) => {
      const there = this.hand.position.copy();
      const value = slider.reach * ((2 * cell) / (CELLS - 1) - 1);
      if (slider.direction) there.along(slider.direction, value);
      else there.move(slider.dimension, value);
      return there;
    });
  }

  paint(pictures) {
    const { canvas } = this;
    const context = blank(canvas);
    if (!context) return;
    const { width, height } = canvas;
    const cell = document.createElement("canvas");
    pictures.forEach((one, place) => {
      Object.assign(cell, { width: one.width, height: one.height });
      cell.getContext("2d").putImageData(new ImageData(one.rgba, one.width, one.height), 0, 0);
      const scale = Math.min((width / CELLS - 1) / one.width, height / one.height);
      context.imageSmoothingEnabled = scale < 1;
      const [wide, high] = [one.width * scale, one.height * scale];
      context.drawImage(cell, ((place + 0.5) * width) / CELLS - wide / 2, (height - high) / 2, wide, high);
    });
  }

  clear() {
    clearTimeout(this.dwelling);
    this.ticket = {};
    this.canvas.remove();
    this.slider = null;
  }
}
