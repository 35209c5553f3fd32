// Charts over time, in SVG: stacked areas, or lines. Colours come from classes, so that they
// follow the page's.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 12, bottom: 24, left: 52 };
const HEIGHT = 220;
/** Points that are drawn at most; more would not be seen. */
const POINTS_MAX = 400;
const SECONDS_MIN = 4;

/**
 * @typedef {object} Series
 * @property {string} kind the class that gives it its colour
 * @property {(point: any) => number} read
 */

/** A chart of points that have a time, `t`, in seconds. */
export class Chart {
  /**
   * @param {SVGSVGElement} svg
   * @param {{ series: Series[], isStacked: boolean, yMin?: number }} options
   */
  constructor(svg, { series, isStacked, yMin = 10 }) {
    Object.assign(this, { svg, series, isStacked, yMin });
    this.points = [];
    this.mark = null;
    this.width = 0;
    new ResizeObserver(([entry]) => {
      this.width = entry.contentRect.width;
      this.draw(this.points, this.mark);
    }).observe(svg);
  }

  /**
   * @param {{ t: number }[]} points
   * @param {{ value: number, label: string } | null} mark a line across, as for the stock
   */
  draw(points, mark = null) {
    this.points = points;
    this.mark = mark;
    if (this.width === 0) return;
    const shown = thinned(points);
    const stacks = this.isStacked
      ? stacked(shown, this.series)
      : this.series.map(({ read }) => shown.map(read));
    const highest = Math.max(this.yMin, mark?.value ?? 0, ...stacks.flat());
    const yStep = niceStep(highest / 4);
    const yMax = Math.ceil((highest * 1.04) / yStep) * yStep;
    const tMax = Math.max(SECONDS_MIN, points.at(-1)?.t ?? 0);
    const x = (t) => MARGIN.left + (t / tMax) * (this.width - MARGIN.left - MARGIN.right);
    const y = (value) =>
      HEIGHT - MARGIN.bottom - (value / yMax) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.replaceChildren(
      ...this.grid(x, y, { yStep, yMax, tMax }),
      ...this.shapes(shown, stacks, x, y),
      ...(mark ? this.markLine(mark, y) : []),
    );
  }

  grid(x, y, { yStep, yMax, tMax }) {
    const parts = [];
    for (let value = 0; value <= yMax; value += yStep) {
      parts.push(
        make("path", {
          class: "grid",
          d: `M${MARGIN.left} ${y(value)}H${this.width - MARGIN.right}`,
        }),
      );
      parts.push(text(MARGIN.left - 8, y(value) + 4, "end", value.toLocaleString("en")));
    }
    const tStep = niceStep(tMax / Math.max(2, Math.floor(this.width / 110)));
    for (let t = 0; t <= tMax; t += tStep) parts.push(text(x(t), HEIGHT - 6, "middle", `${t} s`));
    return parts;
  }

  shapes(points, stacks, x, y) {
    if (points.length < 2) return [];
    const line = (values) =>
      values
        .map(
          (value, at) =>
            `${at === 0 ? "M" : "L"}${x(points[at].t).toFixed(1)} ${y(value).toFixed(1)}`,
        )
        .join("");
    const close = `L${x(points.at(-1).t).toFixed(1)} ${y(0)}L${x(points[0].t).toFixed(1)} ${y(0)}Z`;
    const shapes = stacks.map((values, at) =>
      make("path", {
        class: `${this.isStacked ? "area" : "line"} ${this.series[at].kind}`,
        d: line(values) + (this.isStacked ? close : ""),
      }),
    );
    // The lowest of a stack is drawn last, over the others.
    return this.isStacked ? shapes.reverse() : shapes;
  }

  markLine({ value, label }, y) {
    const at = y(value);
    return [
      make("path", { class: "mark", d: `M${MARGIN.left} ${at}H${this.width - MARGIN.right}` }),
      text(this.width - MARGIN.right - 4, at - 6, "end", label, "mark-label"),
    ];
  }
}

function thinned(points) {
  const stride = Math.ceil(points.length / POINTS_MAX);
  return stride <= 1
    ? points
    : points.filter((_, at) => at % stride === 0 || at === points.length - 1);
}

/** Each series' upper edge when they stand on one another. */
function stacked(points, series) {
  const tops = [];
  let below = points.map(() => 0);
  for (const { read } of series) {
    below = points.map((point, at) => below[at] + read(point));
    tops.push(below);
  }
  return tops;
}

/** The smallest of 1, 2 and 5 times a power of ten that is no less. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least);
}

function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function text(x, y, anchor, content, kind = "label") {
  const element = make("text", { x, y, "text-anchor": anchor, class: kind });
  element.textContent = content;
  return element;
}
