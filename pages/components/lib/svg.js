// A 2D context that writes SVG: what a view draws of lines, areas, words and pictures, as elements.
//
// It knows what our views call, and says what it does not know. Points are moved by the transform as they come, as a
// canvas does; words keep their own. Pictures are embedded as data URIs.

const SVG = "http://www.w3.org/2000/svg";
const ANCHOR = { left: "start", start: "start", center: "middle", right: "end", end: "end" };
const FIRST = {
  fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, lineJoin: "miter", lineCap: "butt", dash: [],
  font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", imageSmoothingEnabled: true, clipping: "",
};

export class SvgContext {
  constructor(width, height) {
    this.document = document.implementation.createDocument(SVG, "svg");
    this.parent = this.document.documentElement;
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) {
      this.parent.setAttribute(name, value);
    }
    this.ruler = document.createElement("canvas").getContext("2d"); // measures words
    this.dye = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }); // shows what a colour is
    this.colours = new Map();
    Object.assign(this, FIRST);
    this.matrix = new DOMMatrix();
    this.stack = [];
    this.path = "";
    this.name = `clip-${Math.random().toString(36).slice(2, 10)}`; // several may come to stand in one document
    this.clips = 0;
    this.size = [width, height];
  }

  toString() {
    return new XMLSerializer().serializeToString(this.document);
  }

  // -- state

  save() {
    this.stack.push([Object.fromEntries(Object.keys(FIRST).map(name => [name, this[name]])), this.matrix]);
  }

  restore() {
    const [state, matrix] = this.stack.pop() ?? [{}, this.matrix];
    Object.assign(this, state);
    this.matrix = matrix;
  }

  setTransform(...values) {
    this.matrix = new DOMMatrix(values[0] instanceof DOMMatrix ? values[0] : values);
  }

  getTransform() {
    return DOMMatrix.fromMatrix(this.matrix);
  }

  resetTransform() {
    this.matrix = new DOMMatrix();
  }

  transform(...values) {
    this.matrix = this.matrix.multiply(new DOMMatrix(values));
  }

  translate(x, y) {
    this.matrix = this.matrix.translate(x, y);
  }

  scale(x, y) {
    this.matrix = this.matrix.scale(x, y);
  }

  rotate(angle) {
    this.matrix = this.matrix.rotate((angle * 180) / Math.PI);
  }

  setLineDash(dash) {
    this.dash = [...dash];
  }

  getLineDash() {
    return [...this.dash];
  }

  // -- paths

  beginPath() {
    this.path = "";
  }

  closePath() {
    this.path += "Z";
  }

  moveTo(x, y) {
    this.path += `M${this.at(x, y)}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${this.at(x, y)}`;
  }

  quadraticCurveTo(ax, ay, x, y) {
    this.path += `Q${this.at(ax, ay)} ${this.at(x, y)}`;
  }

  bezierCurveTo(ax, ay, bx, by, x, y) {
    this.path += `C${this.at(ax, ay)} ${this.at(bx, by)} ${this.at(x, y)}`;
  }

  rect(x, y, width, height) {
    this.path += `M${[[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
      .map(point => this.at(...point)).join("L")}Z`;
  }

  roundRect(x, y, width, height, radius) {
    const r = Math.min(radius, width / 2, height / 2);
    const [right, bottom] = [x + width, y + height];
    this.moveTo(x + r, y);
    this.lineTo(right - r, y);
    this.quadraticCurveTo(right, y, right, y + r);
    this.lineTo(right, bottom - r);
    this.quadraticCurveTo(right, bottom, right - r, bottom);
    this.lineTo(x + r, bottom);
    this.quadraticCurveTo(x, bottom, x, bottom - r);
    this.lineTo(x, y + r);
    this.quadraticCurveTo(x, y, x + r, y);
    this.closePath();
  }

  // Half a circle at most at once: the ends of a whole one meet, and SVG would draw none.
  arc(x, y, radius, start, end, counterclockwise = false) {
    const whole = 2 * Math.PI;
    let swept = end - start;
    if (Math.abs(swept) >= whole) swept = Math.sign(swept) * whole;
    else if (counterclockwise ? swept > 0 : swept < 0) swept += counterclockwise ? -whole : whole;
    const parts = Math.max(1, Math.ceil(Math.abs(swept) / Math.PI));
    const on = angle => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    this.lineTo(...on(start));
    const size = radius * this.enlarged;
    const mirrored = this.matrix.a * this.matrix.d < this.matrix.b * this.matrix.c;
    for (let part = 1; part <= parts; part++) {
      this.path += `A${short(size)} ${short(size)} 0 0 ${swept > 0 !== mirrored ? 1 : 0} `
        + this.at(...on(start + (swept * part) / parts));
    }
  }

  at(x, y) {
    const { a, b, c, d, e, f } = this.matrix;
    return `${short(a * x + c * y + e)} ${short(b * x + d * y + f)}`;
  }

  // How much longer a line is than it was said to be.
  get enlarged() {
    const { a, b, c, d } = this.matrix;
    return Math.sqrt(Math.abs(a * d - b * c));
  }

  fill(rule) {
    const element = this.add("path", { d: this.path, ...this.filled });
    if (rule === "evenodd") element.setAttribute("fill-rule", rule);
  }

  stroke() {
    this.add("path", { d: this.path, ...this.stroked });
  }

  clip() {
    const id = `${this.name}-${++this.clips}`;
    const shape = this.document.createElementNS(SVG, "clipPath");
    shape.setAttribute("id", id);
    if (this.clipping) shape.setAttribute("clip-path", this.clipping);
    const path = this.document.createElementNS(SVG, "path");
    path.setAttribute("d", this.path);
    shape.append(path);
    this.parent.append(shape);
    this.clipping = `url(#${id})`;
  }

  fillRect(x, y, width, height) {
    this.alone(() => this.rect(x, y, width, height), () => this.fill());
  }

  strokeRect(x, y, width, height) {
    this.alone(() => this.rect(x, y, width, height), () => this.stroke());
  }

  // What is drawn is new: only all of it is ever cleared, before anything is there.
  clearRect() {}

  // A path beside the one that is being built.
  alone(build, draw) {
    const before = this.path;
    this.path = "";
    build();
    draw();
    this.path = before;
  }

  // -- words

  measureText(text) {
    Object.assign(this.ruler, { font: this.font, textAlign: this.textAlign, textBaseline: this.textBaseline });
    return this.ruler.measureText(text);
  }

  fillText(text, x, y, most) {
    this.word(text, x, y, most, this.filled);
  }

  strokeText(text, x, y, most) {
    this.word(text, x, y, most, this.stroked);
  }

  word(text, x, y, most, paint) {
    const measured = this.measureText(text);
    // SVG's own baselines are understood by few viewers: the words are moved to the alphabetic one.
    this.ruler.textBaseline = "alphabetic";
    const down = this.ruler.measureText(text).actualBoundingBoxAscent - measured.actualBoundingBoxAscent;
    const { a, b, c, d, e, f } = this.matrix;
    const element = this.add("text", {
      x: short(x), y: short(y + down), "text-anchor": ANCHOR[this.textAlign], style: `font: ${this.font}`,
      transform: `matrix(${[a, b, c, d, e, f].map(short).join(" ")})`, ...paint,
    });
    if (most !== undefined && measured.width > most) {
      element.setAttribute("textLength", short(most));
      element.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
    element.setAttributeNS("http://www.w3.org/XML/1998/namespace", "xml:space", "preserve");
    element.textContent = wellFormed(text);
  }

  // -- pictures

  drawImage(image, ...place) {
    const size = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
    const [from, to] = place.length === 8 ? [place.slice(0, 4), place.slice(4)]
      : [[0, 0, ...size], place.length === 4 ? place : [...place, ...size]];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = from.slice(2).map(side => Math.max(1, Math.round(side)));
    canvas.getContext("2d").drawImage(image, ...from, 0, 0, canvas.width, canvas.height);
    this.picture(canvas, to, this.matrix);
  }

  createImageData(width, height) {
    return this.ruler.createImageData(width, height);
  }

  // As on a canvas, no transform and no clip: pixels stand where they stand.
  putImageData(data, x, y) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [data.width, data.height];
    canvas.getContext("2d").putImageData(data, 0, 0);
    this.picture(canvas, [x, y, data.width, data.height], new DOMMatrix(), true);
  }

  picture(canvas, [x, y, width, height], { a, b, c, d, e, f }, crisp = !this.imageSmoothingEnabled) {
    this.add("image", {
      href: canvas.toDataURL("image/png"), x: short(x), y: short(y), width: short(width), height: short(height),
      preserveAspectRatio: "none", transform: `matrix(${[a, b, c, d, e, f].map(short).join(" ")})`,
      ...(this.globalAlpha < 1 && { opacity: this.globalAlpha }), ...(crisp && { style: "image-rendering: pixelated" }),
    });
  }

  // -- elements

  get filled() {
    return this.painted("fill", this.fillStyle);
  }

  // A colour as SVG 1.1 has it, whose readers know no `color-mix`, `oklch` or `rgba`: six digits, and opacity apart.
  painted(what, colour) {
    if (!this.colours.has(colour)) {
      this.dye.fillStyle = "#000";
      this.dye.fillStyle = colour;
      this.dye.clearRect(0, 0, 1, 1);
      this.dye.fillRect(0, 0, 1, 1);
      const [r, g, b, alpha] = this.dye.getImageData(0, 0, 1, 1).data;
      this.colours.set(colour, [`#${[r, g, b].map(v => v.toString(16).padStart(2, "0")).join("")}`, alpha / 255]);
    }
    const [opaque, alpha] = this.colours.get(colour);
    const opacity = alpha * this.globalAlpha;
    return { [what]: opaque, ...(opacity < 1 && { [`${what}-opacity`]: Number(opacity.toFixed(3)) }) };
  }

  get stroked() {
    const { lineWidth, dash, lineJoin, lineCap, enlarged } = this;
    return {
      fill: "none", ...this.painted("stroke", this.strokeStyle), "stroke-width": short(lineWidth * enlarged),
      ...(lineJoin !== "miter" && { "stroke-linejoin": lineJoin }),
      ...(lineCap !== "butt" && { "stroke-linecap": lineCap }),
      ...(dash.length > 0 && { "stroke-dasharray": dash.map(part => short(part * enlarged)).join(" ") }),
    };
  }

  add(name, attributes) {
    const element = this.document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, wellFormed(String(value)));
    if (this.clipping) {
      const group = this.document.createElementNS(SVG, "g"); // the clip is not moved by an element's own transform
      group.setAttribute("clip-path", this.clipping);
      group.append(element);
      this.parent.append(group);
    } else this.parent.append(element);
    return element;
  }
}

// Two decimals: a hundredth of a pixel is seen at no scale.
function short(value) {
  return Number(Number(value).toFixed(2));
}

// XML has no place for most control characters, not even escaped.
function wellFormed(text) {
  return String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd").toWellFormed();
}
