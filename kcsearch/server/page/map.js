// The map: a sample of the collection's vectors as points, with the query and what it found. Drawn on
// a canvas when it is opened; what the server says of it is fetched once a commit.

const MARGIN = 16, NEAR = 14; // CSS pixels
const N_NUMBERED = 5;

export class VectorMap {
  // call: asks the server. choose: hears the key of a point that is clicked.
  constructor(details, { call, words, choose }) {
    this.details = details;
    this.canvas = details.querySelector("canvas");
    this.caption = details.querySelector(".caption");
    this.call = call;
    this.words = words;
    this.answer = null; // of /map
    this.asked = null; // { query } or { key }, and the keys that were found
    this.keys = [];
    this.places = { query: null, documents: [] };
    this.current = -1;
    this.hovered = this.tapped = null;
    details.querySelector("summary").textContent = words.map;
    this.canvas.setAttribute("aria-label", words.map);
    details.addEventListener("toggle", () => this.update());
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.nearest(event)));
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("click", (event) => {
      const point = this.hovered ?? this.nearest(event);
      const isFirstTap = event.pointerType === "touch" && point !== this.tapped;
      this.tapped = point;
      if (isFirstTap) this.hover(point); // a finger does not hover: the second tap chooses
      else if (point) choose(point.key);
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  mark(asked, keys) {
    this.asked = asked;
    this.keys = keys;
    this.current = -1;
    this.update();
  }

  choose(position) {
    this.current = position;
    this.draw();
  }

  async update() {
    if (!this.details.open) return;
    const { asked, keys } = this;
    try {
      this.answer ??= await this.call("/map");
      const key = asked?.key;
      const places = await this.call("/places",
        { query: asked?.query ?? null, keys: key === undefined ? keys : [...keys, key] });
      if (places.id !== this.answer.id) this.answer = await this.call("/map");
      if (asked !== this.asked) return; // another search came meanwhile
      const own = places.documents.find((one) => key !== undefined && one.key === key);
      this.places = {
        query: places.query ?? own ?? null,
        documents: keys.flatMap((found) => places.documents.find((one) => one.key === found) ?? []),
      };
      this.hover(null);
    } catch (error) {
      this.caption.textContent = error instanceof TypeError ? this.words.failed : error.message;
    }
  }

  // The same number of pixels to a step on both axes, so that distances are told alike.
  scale() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { query, documents } = this.places;
    const all = [...(this.answer?.points ?? []), ...documents, ...(query ? [query] : [])];
    const range = (axis) => all.reduce(
      ([least, most], one) => [Math.min(least, one[axis]), Math.max(most, one[axis])], [-0.5, 0.5]);
    const [left, right] = range("x"), [bottom, top] = range("y");
    const step = Math.min((width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (top - bottom));
    return (one) => [
      width / 2 + (one.x - (left + right) / 2) * step,
      height / 2 - (one.y - (bottom + top) / 2) * step,
    ];
  }

  draw() {
    if (!this.details.open || !this.answer) return;
    const { clientWidth: width, clientHeight: height } = this.canvas, dense = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * dense, height: height * dense });
    const pen = this.canvas.getContext("2d"), place = this.scale();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const dot = (one, radius, fill) => {
      pen.beginPath();
      pen.arc(...place(one), radius, 0, 2 * Math.PI);
      pen.fillStyle = fill;
      pen.fill();
    };
    pen.scale(dense, dense);
    pen.globalAlpha = 0.45;
    for (const point of this.answer.points) dot(point, 1.8, colour("--faint"));
    const { query, documents } = this.places;
    if (query) {
      pen.strokeStyle = colour("--accent");
      for (const one of documents.slice(0, N_NUMBERED)) {
        pen.beginPath();
        pen.moveTo(...place(query));
        pen.lineTo(...place(one));
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
    documents.forEach((one, i) => dot(one, i === this.current ? 7 : 4, colour("--accent")));
    pen.font = `600 12px ${style.fontFamily}`;
    pen.lineWidth = 3;
    pen.strokeStyle = colour("--card");
    pen.fillStyle = colour("--ink");
    documents.slice(0, N_NUMBERED).forEach((one, i) => {
      const [x, y] = place(one);
      pen.strokeText(String(i + 1), x + 6, y - 5);
      pen.fillText(String(i + 1), x + 6, y - 5);
    });
    if (query) this.drawQuery(pen, place(query), colour("--ink"), colour("--card"));
    if (this.hovered) {
      pen.beginPath();
      pen.arc(...place(this.hovered), 8, 0, 2 * Math.PI);
      pen.lineWidth = 2;
      pen.strokeStyle = colour("--ink");
      pen.stroke();
    }
  }

  // A cross, which no document has.
  drawQuery(pen, [x, y], ink, back) {
    for (const [width, colour] of [[6, back], [2.5, ink]]) {
      pen.beginPath();
      pen.moveTo(x - 7, y);
      pen.lineTo(x + 7, y);
      pen.moveTo(x, y - 7);
      pen.lineTo(x, y + 7);
      Object.assign(pen, { lineWidth: width, strokeStyle: colour });
      pen.stroke();
    }
  }

  nearest(event) {
    if (!this.answer) return null;
    const place = this.scale(), box = this.canvas.getBoundingClientRect();
    let best = null, least = NEAR;
    for (const point of this.answer.points) {
      const [x, y] = place(point);
      const far = Math.hypot(event.clientX - box.left - x, event.clientY - box.top - y);
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  hover(point) {
    this.hovered = point;
    const { points, n_documents: all, share } = this.answer ?? { points: [], n_documents: 0, share: 0 };
    this.caption.textContent = point ? `${point.key} · ${point.text}`
      : this.words.mapped(points.length, all, (100 * share).toFixed(0));
    this.draw();
  }
}
