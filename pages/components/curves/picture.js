// A chart of uPlot once more, on any context, for a file: uPlot itself draws on no other canvas than its own.

const TICK = 14; // px: text of ticks and labels
const DOT = 3; // px

// `panel` is one of curves.js, whose chart stands where `c` begins.
export function drawChart(c, panel) {
  const { plot, view } = panel;
  const { text, grid, font } = view.theme;
  const { offsetLeft: left, offsetTop: top, clientWidth: across, clientHeight: down } = plot.over;
  Object.assign(c, { font: `${TICK}px ${font}`, fillStyle: text, strokeStyle: grid, lineWidth: 1 });
  c.textBaseline = "middle";
  for (const axis of plot.axes) {
    if (!axis.show || !axis._splits) continue;
    const bottom = axis.side === 2;
    axis._splits.forEach((value, i) => {
      const at = plot.valToPos(value, axis.scale);
      const [x, y] = bottom ? [left + at, top] : [left, top + at];
      if (axis._values[i] === null || at < -1 || at > (bottom ? across : down) + 1) return;
      if (axis.grid.show) line(c, bottom ? [[x, top], [x, top + down]] : [[left, y], [left + across, y]]);
      c.textAlign = bottom ? "center" : axis.side === 1 ? "left" : "right";
      if (bottom) c.fillText(axis._values[i] ?? "", x, top + down + 14);
      else c.fillText(axis._values[i] ?? "", axis.side === 1 ? left + across + 6 : left - 6, y);
    });
  }
  c.textAlign = "center";
  c.fillText(view.xLabel, left + across / 2, top + down + 38, across);
  c.save();
  c.beginPath();
  c.rect(left, top, across, down);
  c.clip();
  panel.lines.forEach((one, i) => {
    if (plot.series[i + 1].show) drawLine(c, panel, one, i, [left, top]);
  });
  c.restore();
}

function drawLine(c, panel, { series, faint }, i, [left, top]) {
  const { plot, view } = panel;
  const scale = series.right ? "right" : "y";
  const [xs, ys] = [plot.data[0], plot.data[i + 1]];
  const at = row => [left + plot.valToPos(xs[row], "x"), top + plot.valToPos(ys[row], scale)];
  c.save();
  Object.assign(c, { strokeStyle: panel.lineColour(i), fillStyle: panel.lineColour(i), globalAlpha: faint ? 0.28 : 1,
    lineWidth: series.right ? 2.5 : 2, lineJoin: "round" });
  c.setLineDash(plot.series[i + 1].dash ?? []);
  c.beginPath();
  let before = null; // the last point of this stretch: null at its beginning
  for (let row = 0; row < ys.length; row++) {
    if (ys[row] === undefined) continue; // no point at another's x: bridged
    if (ys[row] === null) before = null;
    else {
      const [x, y] = at(row);
      if (!before) c.moveTo(x, y);
      else {
        if (series.step) c.lineTo(x, before[1]);
        c.lineTo(x, y);
      }
      before = [x, y];
    }
  }
  c.stroke();
  c.setLineDash([]);
  const { rows, ringed } = panel.marks(i);
  for (const row of rows) {
    c.beginPath();
    c.arc(...at(row), ringed ? DOT + 1.5 : DOT, 0, 2 * Math.PI);
    if (ringed) c.fillStyle = view.theme.background;
    c.fill();
    if (ringed) c.stroke();
  }
  c.restore();
}

function line(c, [from, to]) {
  c.beginPath();
  c.moveTo(...from);
  c.lineTo(...to);
  c.stroke();
}
