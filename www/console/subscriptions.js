// A topic's durable subscriptions: how far each is, what can be done with it, and making new ones.

import {
  deleteSubscription, listSubscriptions, putSubscription, seekSubscription,
} from "../calls.js";
import { linkTo } from "./app.js";
import { askByName } from "./confirmation.js";
import { curlBox } from "./curl.js";
import { fill, h, setText } from "../dom.js";
import { Field, FieldError, FieldSet, numberOf, parseJson, showProblem } from "./fields.js";
import { age, count } from "../format.js";

const SPECS = [
  { name: "name", label: "Name", placeholder: "mail", hint: "As a queue is called" },
  {
    name: "target",
    label: "Feeds the queue",
    placeholder: "shop/mail",
    hint: "Or a URL to be called. Empty: pulled below the subscription",
  },
  {
    name: "from",
    label: "From",
    value: "latest",
    hint: "latest, earliest, last_per_key or a number",
    suggestions: ["latest", "earliest", "last_per_key"],
  },
  {
    name: "filter",
    label: "Filter",
    wide: true,
    placeholder: '{"attributes": {"region": ["eu"]}}',
    hint: "A selector over attributes, or an event pattern as JSON. Empty: all",
  },
];

/** @param {import("./topic-page.js").TopicPage} page */
export function subscriptionsTab(page) {
  const list = new Subscriptions(page);
  page.onDescription(() => list.isShown && list.load());
  return {
    element: list.element,
    onShow: () => list.toggle(true),
    onHide: () => list.toggle(false),
  };
}

class Subscriptions {
  constructor(page) {
    this.page = page;
    this.isShown = false;
    /** @type {Map<string, { element: HTMLElement, update: (it: any) => void }>} by key */
    this.cards = new Map();
    this.list = h("ul", { class: "leases" });
    this.empty = h("p", { class: "muted", hidden: true }, "There are none yet.");
    this.more = h("p", { class: "muted small", hidden: true }, "The first hundred are shown.");
    this.problem = h("div", { class: "problem", role: "alert", hidden: true });
    this.element = h("div", { class: "stack" }, this.problem, this.empty, this.list, this.more,
      this.creation());
  }

  toggle(isShown) {
    this.isShown = isShown;
    if (isShown) this.load();
  }

  async load() {
    const { app, name, signal } = this.page;
    try {
      this.show(await app.send(listSubscriptions(name), { signal }));
      this.problem.hidden = true;
    } catch (error) {
      if (!signal.aborted) showProblem(this.problem, error);
    }
  }

  show({ subscriptions, cursor }) {
    this.empty.hidden = subscriptions.length > 0;
    this.more.hidden = cursor === undefined;
    for (const subscription of subscriptions) {
      const key = keyOf(subscription);
      if (!this.cards.has(key)) this.cards.set(key, card(this, subscription));
      this.cards.get(key).update(subscription);
    }
    const keys = subscriptions.map(keyOf);
    for (const key of this.cards.keys()) if (!keys.includes(key)) this.cards.delete(key);
    const elements = keys.map((key) => this.cards.get(key).element);
    const isSame = elements.length === this.list.childElementCount &&
      elements.every((element, at) => element === this.list.children[at]);
    if (!isSame) fill(this.list, elements);
  }

  creation() {
    const fields = new FieldSet(SPECS);
    const curl = curlBox(this.page.app, "Create a subscription");
    const call = () => {
      const name = fields.text("name");
      return putSubscription(this.page.name, name || "my-subscription", configurationOf(fields));
    };
    const update = () => {
      try {
        curl.show(call());
      } catch {
        // What is typed is not finished; the last line stays.
      }
    };
    const create = async (event) => {
      event.preventDefault();
      fields.clear();
      try {
        const name = fields.text("name");
        if (name === "") throw new FieldError("name", "A subscription needs a name.");
        const isTaken = this.cards.has(keyOf({ name }));
        if (isTaken) throw new FieldError("name", "There is one of this name.");
        await this.page.send(call());
        this.page.app.say(`Created ${name}.`);
        await this.load();
      } catch (error) {
        fields.show(error);
      }
    };
    const form = h(
      "form",
      { class: "card stack", oninput: update, onsubmit: create },
      h("h2", {}, "New subscription"),
      h("div", { class: "fields" }, fields.elements()),
      fields.general,
      h("div", { class: "row" }, h("button", { class: "main" }, "Create")),
      curl.element,
    );
    update();
    return form;
  }
}

function configurationOf(fields) {
  const [target, from, filter] = ["target", "from", "filter"].map((name) => fields.text(name));
  return {
    ...(target !== "" && { target: isUrl(target) ? { url: target } : { queue: target } }),
    ...(from !== "" && { from: numberOf(from) }),
    ...(filter !== "" && { filter: filter.startsWith("{") ? parseJson(filter, "filter") : filter }),
  };
}

const isUrl = (text) => /^https?:/i.test(text);

/** A pattern's subscription may have the name of one of the topic's own. */
const keyOf = ({ name, pattern }) => `${pattern ?? ""}\n${name}`;

/** One subscription: figures that change, and what can be done with it. */
function card(list, { name, filter, target, pattern }) {
  const { page } = list;
  // What is done to a pattern's is done for all of its topics.
  const owner = pattern ?? page.name;
  const tag = h("span", { class: "tag" });
  const figures = h("p", { class: "muted" });
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const place = new Field({
    name: `seek-${name}`,
    label: "Replay from, or skip to",
    placeholder: "a number, earliest or latest",
  });
  const act = (call, said) => async () => {
    problem.hidden = true;
    try {
      await page.send(call());
      page.app.say(`${name}: ${said}`);
      await list.load();
    } catch (error) {
      showProblem(problem, error);
    }
  };
  let isPaused = false;
  const set = (paused) => () => putSubscription(owner, name, { paused });
  const pause = h("button", {
    type: "button",
    onclick: () => act(set(!isPaused), isPaused ? "goes on." : "paused.")(),
  });
  const to = () => ({ seq: numberOf(place.text) });
  const seek = act(() => seekSubscription(owner, name, to()), "moved.");
  const remove = () => askByName({
    title: `Delete ${name}?`,
    text: "Deletes the subscription and what its own queue holds.",
    name,
    action: "Delete the subscription",
    run: async () => {
      await page.send(deleteSubscription(owner, name));
      await list.load();
    },
  });
  const named = (label) => ({ type: "button", "aria-label": `${label}: ${name}` });
  const element = h(
    "li",
    { class: "card stack", "data-subscription": name },
    h("div", { class: "row spread" },
      h("h3", { class: "wrap-anywhere" }, name), tag),
    figures,
    h("p", { class: "small muted wrap-anywhere" },
      pattern && `Of all topics like ${pattern}. `, targetText(target),
      filter !== null && [" Filter: ", h("code", {}, JSON.stringify(filter))]),
    h("div", { class: "row seek" }, place.element,
      h("button", { ...named("Seek"), onclick: seek }, "Seek"), pause,
      h("button", { ...named("Delete"), class: "danger", onclick: remove }, "Delete…")),
    problem,
  );
  const update = (it) => {
    isPaused = it.paused;
    setText(pause, isPaused ? "Resume" : "Pause");
    pause.setAttribute("aria-label", `${isPaused ? "Resume" : "Pause"}: ${name}`);
    const [word, kind] = stateOf(it);
    tag.className = `tag ${kind}`;
    setText(tag, word);
    setText(figures, figuresOf(it));
  };
  return { element, update };
}

function targetText(target) {
  if (target === null) return "Has a queue of its own.";
  const called = target.url ?? target.worker ?? target.cloudflare_queue;
  if (called) return `Calls ${called}.`;
  return ["Feeds ", h("a", { href: linkTo("queues", target.queue) }, target.queue), "."];
}

function stateOf({ paused, retrying, lag }) {
  if (paused) return ["paused", "warn"];
  if (retrying) return ["its queue takes nothing now", "bad"];
  return lag > 0 ? ["catching up", "on"] : ["up to date", "on"];
}

function figuresOf(it) {
  const { lag, next_seq: next, delivered_total: delivered, missed_total: missed } = it;
  const oldest = lag > 0 ? `, the oldest for ${age(it.oldest_at_ms)}` : "";
  const gone = missed > 0 ? `; ${count(missed)} were gone before` : "";
  return `${count(lag)} behind${oldest}; next is number ${count(next)}; ` +
    `${count(delivered)} handed on${gone}`;
}
