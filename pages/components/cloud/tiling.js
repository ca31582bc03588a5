// The plane as decoded pictures, at the zoom's own scale: what is kept is drawn in every frame, and what is missing is
// decoded once the map rests, from the middle outwards.

import { picture, put } from "../lib/picture.js";
import { waiting } from "../lib/talk.js";
import { placed, scaleOf } from "./camera.js";
import { Kept, keyOf, layout } from "./tiles.js";

const REST = 130; // ms
const BATCH = 32; // pictures at once: the pointer's own picture waits for no more
const LEAST = 40; // px, and pixels of a picture
const APART = 0.75; // sides of a tile, within which an observation must lie where codes are those of neighbours

export class Tiling {
  constructor(sheet) {
    this.sheet = sheet;
    this.kept = new Kept();
    this.work = 0;
  }

  clear() {
    this.stop();
    this.kept = new Kept(); // what is being decoded now is of the plane before, and goes where nobody looks
    this.before = null;
  }

  stop() {
    clearTimeout(this.timer);
    this.work++;
  }

  // The map has moved, or the decoder has come: what is missing is asked for when it rests.
  moved() {
    this.stop();
    if (this.sheet.cloud.tiles) this.timer = setTimeout(() => waiting(this.refine()).catch(this.sheet.failed), REST);
  }

  get possible() {
    const { pointing } = this.sheet;
    return Boolean(pointing && pointing.modality.kind === "image" && pointing.shape?.length === 3);
  }

  layout() {
    const { camera, size, pointing } = this.sheet;
    return layout(camera, size, Math.max(LEAST, Math.min(96, pointing.shape[2])));
  }

  async refine() {
    const { sheet } = this;
    if (!(sheet.camera && this.possible && sheet.cloud.tiles && sheet.size.width) || sheet.away) return;
    const { pointing, stretch } = sheet;
    const { kept } = this;
    const { step, level, tiles } = this.layout();
    const work = ++this.work;
    const missing = tiles.filter(tile => kept.get(keyOf(level, tile)) === undefined);
    for (let at = 0; at < missing.length; at += BATCH) {
      const batch = [];
      for (const tile of missing.slice(at, at + BATCH)) {
        const code = pointing.codeAt(tile.x, tile.y / stretch, APART * step);
        if (code) batch.push([tile, code]);
        else kept.set(keyOf(level, tile), null); // nothing lies there
      }
      if (batch.length === 0) continue;
      const { size } = pointing.map;
      const codes = new Float32Array(batch.length * size);
      batch.forEach(([, code], b) => codes.set(code, b * size));
      const values = await pointing.pictures(codes);
      const length = values.length / batch.length;
      batch.forEach(([tile], b) => {
        const canvas = document.createElement("canvas");
        put(canvas, picture(values.subarray(b * length, (b + 1) * length), pointing.shape));
        const strength = pointing.density(batch[b][1])?.strength ?? 1;
        kept.set(keyOf(level, tile), { canvas, strength });
      });
      sheet.redraw();
      if (work !== this.work) return;
    }
    this.before = { level, step };
    sheet.root.dataset.tiles = tiles.length;
    sheet.redraw();
  }

  draw(c) {
    if (!this.possible) return;
    const now = this.layout();
    c.imageSmoothingEnabled = false;
    const { before } = this;
    // until the pictures of this zoom are here, those of the one before it are larger or smaller
    const complete = now.tiles.every(tile => this.kept.tiles.has(keyOf(now.level, tile)));
    if (!complete && before && before.level !== now.level) this.drawLevel(c, before);
    this.drawLevel(c, now);
  }

  drawLevel(c, { level, step }) {
    const { camera, size } = this.sheet;
    const scale = scaleOf(camera, size);
    const side = step * scale;
    if (side < 4) return; // too far away to be seen
    const { tiles } = layout(camera, size, side * (1 - 1e-6));
    for (const tile of tiles) {
      const kept = this.kept.get(keyOf(level, tile));
      if (!kept) continue;
      const { canvas } = kept;
      const [x, y] = placed(camera, size, tile.x, tile.y);
      const fill = side / Math.max(canvas.width, canvas.height);
      const [width, height] = [canvas.width * fill, canvas.height * fill];
      c.globalAlpha = kept.strength; // faint where the model saw no data
      c.drawImage(canvas, x - width / 2, y - height / 2, width, height);
    }
    c.globalAlpha = 1;
  }
}
