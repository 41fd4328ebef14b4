// Sends what was done to the server: at once into the outbox, then in batches; what the server lacks is never forgotten.

import { ApiError, get, here, me, post } from "./api.js";
import { subjects } from "./model.js";
import * as outbox from "./outbox.js";

const WAIT = 200; // ms that operations are gathered
const BATCH = 100; // as the server takes at most
const BYTES = 4e6; // of a batch, about

/** The first operations, as many as go into one request. */
function batchOf(pending) {
  let size = 0;
  const end = pending.slice(0, BATCH).findIndex((operation) => (size += JSON.stringify(operation).length) > BYTES);
  return pending.slice(0, end < 0 ? BATCH : Math.max(1, end));
}

export class Sync {
  /** @type {(() => void)|undefined} lets another tab write */ release;

  /**
   * @param {import("./model.js").Layer} layer
   * @param {{changed: () => void, conflict: (mine: object[], theirs: object[]) => Promise<string>,
   *   refused: (error: ApiError) => void, signedOut: () => void, tell: (text: string) => void}} page
   */
  constructor(layer, page) {
    this.layer = layer;
    this.page = page;
    this.writable = false;
    this.offline = false;
    this.kept = Promise.resolve();
    this.count = 0; // operations that the outbox has taken
    this.retry = 0;
    this.online = () => this.soon(0);
    window.addEventListener("online", this.online);
  }

  /** "saved", "3 not saved yet", "offline, 3 not saved yet" or "read-only". */
  get status() {
    if (!this.writable) return "read-only";
    const count = this.layer.pending.length;
    const open = count ? `${count} not saved yet` : "saved";
    if (this.lossy && count) return `${open} (this browser keeps nothing: stay on this page)`;
    return this.offline ? `offline, ${count} not saved yet` : open;
  }

  /** Takes operations: the page shows them, the outbox keeps them, the server gets them. */
  commit(operations) {
    this.layer.add(operations);
    this.kept = this.kept.then(() => outbox.put(here(this.layer.id), operations)).then(() => {
      this.count += operations.length;
      this.page.changed();
    }, () => { this.lossy = true; });
    this.soon(WAIT);
    this.page.changed();
  }

  soon(wait) {
    if (this.timer !== undefined && wait) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), wait);
  }

  /** Sends until nothing is left; one at a time. */
  async flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.running ??= this.send().finally(() => { this.running = undefined; });
    return this.running;
  }

  async send() {
    while (this.writable && this.layer.pending.length) {
      await this.kept;
      const batch = batchOf(this.layer.pending);
      try {
        const answer = await post(`/layers/${this.layer.id}/operations`, { base: this.layer.revision, operations: batch });
        await this.accepted(batch, answer);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!(await this.failed(error, batch))) return;
      }
    }
    this.page.changed();
  }

  async accepted(batch, answer) {
    const ids = new Set(answer.accepted);
    this.layer.pending = this.layer.pending.filter((operation) => !ids.has(operation.id));
    this.layer.log.push(...batch.filter((operation) => ids.has(operation.id)));
    this.layer.acknowledged(answer.revision, answer.pairs);
    [this.offline, this.retry] = [false, 0];
    this.page.changed();
    await outbox.forget([...ids]).catch(() => undefined);
  }

  /** What to do about an error; true: send again at once. */
  async failed(error, batch) {
    if (error.status === 409 && error.body.missing) return this.catchUp(error.body);
    if (error.body.error === "closed") return this.closed();
    if (error.status === 422 && error.body.which) return this.refused(error, batch);
    if (error.status === 401) this.page.signedOut();
    if (error.body.error === "csrf") await me().catch(() => undefined); // signed in anew: another token
    this.offline = true;
    this.retry = Math.min(5000, 2 * this.retry || 500);
    this.page.changed();
    this.soon(this.retry);
    return false;
  }

  /** The layer moved on elsewhere: takes that in, and asks where both changed the same. */
  async catchUp({ missing, revision }) {
    const { layer } = this;
    const known = new Set(missing.map((operation) => operation.id));
    await outbox.forget([...known]).catch(() => undefined);
    layer.pending = layer.pending.filter((operation) => !known.has(operation.id));
    const before = new Set(layer.log.map((operation) => operation.id));
    const news = missing.filter((operation) => !before.has(operation.id));
    layer.log.push(...news);
    const fresh = await get(`/layers/${layer.id}`);
    if (fresh.revision === revision) layer.acknowledged(revision, fresh.pairs);
    else await this.reload(fresh);
    await this.settle(news);
    this.page.changed();
    return true;
  }

  /** Reads the log again from the server. */
  async reload(fresh) {
    const { operations } = await get(`/layers/${this.layer.id}/operations?after=0`);
    const known = new Set(operations.map((operation) => operation.id));
    this.layer.log = operations;
    this.layer.pending = this.layer.pending.filter((operation) => !known.has(operation.id));
    this.layer.acknowledged(fresh.revision, fresh.pairs);
  }

  async settle(news) {
    const { layer } = this;
    const waiting = new Set(layer.pending.map((operation) => operation.id));
    const late = layer.pending.filter(({ kind, payload }) => kind === "undo" && !waiting.has(payload.of));
    if (late.length && news.length) {
      await this.giveUp(late);
      this.page.tell("An undo was dropped: the layer has changed elsewhere since.");
    }
    const theirs = new Set(news.flatMap((operation) => subjects(operation, layer.operations)));
    const mine = layer.pending.filter((operation) => subjects(operation, layer.operations).some((id) => theirs.has(id)));
    if (mine.length && (await this.page.conflict(mine, news)) === "theirs") await this.giveUp(mine);
  }

  /** The layer is done by now: what is not saved waits until it is open again. */
  async closed() {
    this.layer.status = await get(`/layers/${this.layer.id}`).then((fresh) => fresh.state, () => "done");
    this.page.changed();
    return false;
  }

  async refused(error, batch) {
    const bad = batch.filter((operation) => operation.id === error.body.which);
    if (!bad.length) return false;
    await this.giveUp(bad);
    this.page.refused(error);
    this.page.changed();
    return true;
  }

  async giveUp(operations) {
    const ids = new Set(operations.map((operation) => operation.id));
    this.layer.pending = this.layer.pending.filter((operation) => !ids.has(operation.id));
    this.layer.folded = undefined;
    await outbox.setAside(here(this.layer.id), operations).catch(() => undefined);
  }

  /** Becomes the one tab that may write, if no other is (or by force). */
  async claim(force = false) {
    if (!navigator.locks) return this.own(); // not on insecure origins: there the server's revisions part the tabs
    const name = `kins ${here(this.layer.id)}`;
    return new Promise((resolve) => {
      const hold = (lock) => {
        if (!lock || this.left) return resolve(false);
        this.own();
        resolve(true);
        return /** @type {Promise<void>} */ (new Promise((release) => { this.release = release; }));
      };
      navigator.locks.request(name, force ? { steal: true } : { ifAvailable: true }, hold).catch(() => {
        this.writable = false; // another tab took over
        this.page.changed();
      });
    });
  }

  own() {
    this.writable = true;
    this.soon(0);
    return true;
  }

  /** Leaves the layer. */
  close() {
    this.left = true;
    window.removeEventListener("online", this.online);
    clearTimeout(this.timer);
    this.writable = false;
    this.release?.();
  }
}
