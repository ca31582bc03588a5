// What lies across, and which part of the values the vertical axis spans: functions of what was sent.

// Measures of what lies across, with their words in the choice and on the axis.
export const MEASURES = {
  step: ["Steps", "step", "Updates of the weights, from each run's own beginning."],
  epoch: ["Epochs", "epoch", "Passes over the training data: runs of other batches or data compare."],
  time: ["Training time", "training time", "Seconds of training, evaluations included, stops left out. Known at each "
    + "evaluation; between two of them, steps are taken as equally long."],
  fork: ["Steps since a fork", "step since the fork", "0 is where a fork left its parent, whose part before lies to the "
    + "left, faint. A parent that is shown beside its forks is moved, so that it goes on beside them."],
};

// Parts of the values that the vertical axis spans.
export const SPANS = {
  all: ["All values", "From the least to the largest value in view."],
  later: ["Later half", "From the least to the largest value in the later half of what is in view: the steep beginning "
    + "may leave the chart."],
  typical: ["Without outliers", "The middle 90 % of the values of each curve in view, by their number of steps. The rest "
    + "is drawn, and may leave the chart."],
};
const TAIL = 0.05; // on each side

// x in a measure; null where the run does not know it.
export function across(x, measure, clock) {
  if (measure === "step") return x;
  if (!clock) return null;
  if (measure === "epoch") return clock.perEpoch > 0 ? Float64Array.from(x, v => v / clock.perEpoch) : null;
  if (measure === "fork") return Float64Array.from(x, v => v - clock.zero);
  const { steps, seconds } = clock;
  if (steps.length < 2) return null;
  let at = 1;
  return Float64Array.from(x, v => { // x ascends; beyond the ends, as fast as there
    while (at < steps.length - 1 && steps[at] < v) at++;
    const part = (v - steps[at - 1]) / (steps[at] - steps[at - 1]);
    return Math.max(0, seconds[at - 1] + part * (seconds[at] - seconds[at - 1]));
  });
}

// Seconds, minutes or hours: whichever is told in few digits.
export function unitOf(seconds) {
  return seconds > 3 * 3600 ? ["h", 3600] : seconds > 180 ? ["min", 60] : ["s", 1];
}

// [least, largest] of what the axis is to span of lines {x, y, mean?, count?} between x0 and x1; null for none. y is null
// at a gap and undefined where a line has no point. `log`: x0 to x1 is a log axis.
export function spanOf(lines, x0, x1, span, log) {
  const middle = log ? Math.sqrt(x0 * x1) : (x0 + x1) / 2;
  const from = span === "later" ? middle : x0;
  let [low, high] = [Infinity, -Infinity];
  for (const line of lines) {
    const rows = [];
    for (let i = 0; i < line.x.length; i++) {
      if (line.x[i] >= from && line.x[i] <= x1 && line.y[i] != null && !Number.isNaN(line.y[i])) rows.push(i);
    }
    if (rows.length === 0) continue;
    const [least, largest] = span === "typical" ? middleOf(line, rows) : extremes(line, rows);
    low = Math.min(low, least);
    high = Math.max(high, largest);
  }
  return low <= high ? [low, high] : null;
}

function extremes({ y }, rows) {
  let [low, high] = [Infinity, -Infinity];
  for (const i of rows) {
    low = Math.min(low, y[i]);
    high = Math.max(high, y[i]);
  }
  return [low, high];
}

// Quantiles of one line. Of a thinned line its points are extremes: so each counts as the mean of the steps that it
// stands for, as often as these are.
function middleOf({ y, mean, count }, rows) {
  const values = rows.map(i => [mean && count[i] > 0 ? mean[i] : y[i], count ? count[i] : 1]).sort((a, b) => a[0] - b[0]);
  const whole = values.reduce((sum, [, weight]) => sum + weight, 0);
  const at = share => {
    let sum = 0;
    for (const [value, weight] of values) {
      sum += weight;
      if (sum >= share * whole) return value;
    }
    return values.at(-1)[0];
  };
  return [at(TAIL), at(1 - TAIL)];
}

// Ticks of a log axis of numbers below 0: those of their sizes, turned round.
export function logTicksBelowZero(low, high) {
  const found = [];
  for (let power = 10 ** Math.floor(Math.log10(-high)); power <= -low * 1.0001; power *= 10) {
    for (let m = 1; m < 10; m++) {
      const value = -m * power;
      if (value >= low * 1.0001 && value <= high * 0.9999) found.push(value);
    }
  }
  return found.reverse();
}
