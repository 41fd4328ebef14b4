// A layer as its operations: the state is what those say that are not undone, in sequence.

/**
 * @typedef {{hole: boolean, points: number[]}} Ring points in hundredths of a pixel: x0, y0, x1, y1, …
 * @typedef {{id: string, category: number|null, rings: Ring[], flags: {outside?: boolean, guess?: boolean}, origin: {kind: string, proposal?: number, iou?: number}}} Thing an object
 * @typedef {{nearer: string, farther: string}} Pair
 * @typedef {Pair & {confirmed: boolean}} Known a pair of a state, said or guessed
 * @typedef {Pair & {id: string, points: number[]}} Exception
 * @typedef {{id: string, kind: string, payload: any, time: number, pause: number}} Operation payload: as its kind has it
 * @typedef {[string, object]} Part kind and payload of an operation that is to be made
 * @typedef {{undo: Operation, of: Operation}} Undone
 * @typedef {{objects: Map<string, Thing>, pairs: Map<string, Pair>, exceptions: Map<string, Exception>, proposals: Map<number, string>,
 *   done: Operation[], undone: Undone[]}} State
 */

/** A random UUID; crypto.randomUUID is there on secure origins only. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}

/** The name of a pair of objects, whichever comes first. */
export const pairKey = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);

/**
 * The operations that hold and those that redoing would bring back.
 * @param {Operation[]} operations
 * @returns {{done: Operation[], undone: Undone[]}} both with the newest last
 */
export function effective(operations) {
  /** @type {Operation[]} */
  const done = [];
  /** @type {Undone[]} */
  let undone = [];
  for (const operation of operations) {
    if (operation.kind !== "undo") {
      done.push(operation);
      undone = [];
      continue;
    }
    const last = done.at(-1);
    const taken = undone.at(-1);
    if (last && last.id === operation.payload.of) {
      done.pop();
      undone.push({ undo: operation, of: last });
    } else if (taken && taken.undo.id === operation.payload.of) {
      undone.pop();
      done.push(taken.of);
    }
  }
  return { done, undone };
}

/** @type {Object<string, (state: State, payload: any) => void>} */
const APPLY = {
  import: (state, { objects, pairs = [], exceptions = [] }) => {
    for (const object of objects) state.objects.set(object.id, object);
    for (const pair of pairs) APPLY.pair(state, pair);
    for (const exception of exceptions) state.exceptions.set(exception.id, exception);
  },
  add: (state, { object, category, rings, flags, origin }) =>
    state.objects.set(object, { id: object, category, rings, flags: { ...flags }, origin: origin ?? { kind: "hand" } }),
  outline: (state, { object, rings }) => change(state, object, { rings }),
  class: (state, { object, category }) => change(state, object, { category }),
  flag: (state, { object, name, value }) => change(state, object, { flags: { ...state.objects.get(object)?.flags, [name]: value } }),
  delete: (state, { object }) => {
    const proposal = state.objects.get(object)?.origin.proposal;
    if (proposal !== undefined) state.proposals.delete(proposal);
    state.objects.delete(object);
    const about = ({ nearer, farther }) => nearer === object || farther === object;
    for (const known of [state.pairs, state.exceptions]) for (const [key, value] of known) if (about(value)) known.delete(key);
  },
  pair: (state, { nearer, farther }) => state.pairs.set(pairKey(nearer, farther), { nearer, farther }),
  exception: (state, { exception, ...rest }) => {
    APPLY.pair(state, rest);
    state.exceptions.set(exception, { id: exception, ...rest });
  },
  unexception: (state, { exception }) => state.exceptions.delete(exception),
  accept: (state, { proposal, object, category, rings, iou }) => {
    APPLY.add(state, { object, category, rings, origin: { kind: "proposal", proposal, iou } });
    state.proposals.set(proposal, "accepted");
  },
  reject: (state, { proposal }) => state.proposals.set(proposal, "rejected"),
};

function change(state, object, values) {
  const old = state.objects.get(object);
  if (old) state.objects.set(object, { ...old, ...values });
}

/**
 * The state that operations lead to: objects, said pairs, exceptions and answered proposals, each by its id.
 * @param {Operation[]} operations
 * @returns {State}
 */
export function fold(operations) {
  const { done, undone } = effective(operations);
  const state = { objects: new Map(), pairs: new Map(), exceptions: new Map(), proposals: new Map(), done, undone };
  for (const operation of done) APPLY[operation.kind]?.(state, operation.payload);
  return state;
}

/** Ids of what an operation is about. */
export function subjects(operation, all) {
  if (operation.kind === "undo") {
    const target = all.find((other) => other.id === operation.payload.of);
    return target ? subjects(target, all) : [];
  }
  const { object, nearer, farther, exception, proposal } = operation.payload;
  return [object, nearer, farther, exception, proposal].filter(Boolean);
}

/** One layer: what the server has acknowledged (`log`), and what it has not (`pending`). */
export class Layer {
  /** @type {number} */ revision;
  /** @type {{pairs: Known[], objects: Map<string, Thing>}} */ said;
  /** @type {State|undefined} */ folded;

  /**
   * @param {{id: number, mine: boolean, kind: string, state: string, revision: number, pairs: Known[]}} answer
   * @param {Operation[]} log
   * @param {Operation[]} pending
   */
  constructor(answer, log, pending) {
    this.id = answer.id;
    this.mine = answer.mine;
    this.kind = answer.kind;
    this.status = answer.state;
    this.log = log;
    const known = new Set(log.map((operation) => operation.id));
    this.pending = pending.filter((operation) => !known.has(operation.id));
    this.last = Math.max(0, ...[...log, ...pending].map((operation) => operation.time ?? 0));
    this.acknowledged(answer.revision, answer.pairs);
  }

  get operations() {
    return [...this.log, ...this.pending];
  }

  /** The state with everything that was done here. */
  get state() {
    this.folded ??= fold(this.operations);
    return this.folded;
  }

  /** The server has everything up to a revision, and these pairs follow. */
  acknowledged(revision, pairs) {
    this.revision = revision;
    this.said = { pairs, objects: fold(this.log).objects };
    this.folded = undefined;
  }

  /** Makes operations of one action: they share their time, and are undone together. */
  make(parts) {
    const now = Math.max(Date.now(), this.last + 1);
    const pause = this.last ? now - this.last : 0;
    this.last = now;
    return parts.map(([kind, payload], k) => ({ id: uuid(), kind, payload, time: now, pause: k ? 0 : pause }));
  }

  add(operations) {
    this.pending.push(...operations);
    this.folded = undefined;
  }

  /** What undoing the last action takes, as parts for `make`; empty where nothing is left. */
  undoing() {
    const { done } = this.state;
    const last = done.at(-1);
    if (!last || last.kind === "import") return []; // what a file brought stays
    const from = done.findLastIndex((operation) => operation.time !== last.time) + 1;
    return done.slice(from).reverse().map((operation) => ["undo", { of: operation.id }]);
  }

  /** What redoing takes. */
  redoing() {
    const { undone } = this.state;
    const last = undone.at(-1);
    if (!last) return [];
    const from = undone.findLastIndex((entry) => entry.of.time !== last.of.time) + 1;
    return undone.slice(from).reverse().map((entry) => ["undo", { of: entry.undo.id }]);
  }
}
