// What was done and is not yet on the server, kept in the browser (IndexedDB), so that killing it loses nothing.

let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("kins-annotate", 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore("operations", { autoIncrement: true });
      store.createIndex("layer", "layer");
      store.createIndex("id", "operation.id", { unique: true });
      request.result.createObjectStore("drafts", { keyPath: "layer" });
      request.result.createObjectStore("refused", { keyPath: "operation.id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** Runs a transaction; resolves when it is written to the disk, with the result of the request that `work` gives. */
async function transaction(stores, mode, work) {
  const base = await database();
  return new Promise((resolve, reject) => {
    const running = base.transaction(stores, mode, { durability: "strict" });
    const request = work(running);
    running.oncomplete = () => resolve(request?.result);
    running.onabort = running.onerror = () => reject(running.error);
  });
}

/** Keeps operations of a layer, in their sequence. */
export const put = (layer, operations) =>
  transaction(["operations"], "readwrite", (running) => {
    for (const operation of operations) running.objectStore("operations").add({ layer, operation });
  });

/** The operations kept for a layer, in their sequence. */
export async function kept(layer) {
  const rows = await transaction(["operations"], "readonly", (running) => running.objectStore("operations").index("layer").getAll(layer));
  return rows.map((row) => row.operation);
}

/** Forgets operations that the server has. */
export const forget = (ids) => transaction(["operations"], "readwrite", (running) => drop(running, ids));

function drop(running, ids) {
  const store = running.objectStore("operations");
  for (const id of ids) {
    store.index("id").getKey(id).onsuccess = ({ target }) => {
      if (target.result !== undefined) store.delete(target.result);
    };
  }
}

/** Sets operations aside that the server refuses: they are sent no more, but stay in the browser. */
export const setAside = (layer, operations) =>
  transaction(["operations", "refused"], "readwrite", (running) => {
    for (const operation of operations) running.objectStore("refused").put({ layer, operation });
    drop(running, operations.map((operation) => operation.id));
  });

/** Keeps the outline that is being drawn; null forgets it. */
export const putDraft = (layer, draft) =>
  transaction(["drafts"], "readwrite", (running) => {
    const store = running.objectStore("drafts");
    if (draft) store.put({ layer, draft });
    else store.delete(layer);
  });

/** The outline that was being drawn, or undefined. */
export async function keptDraft(layer) {
  return (await transaction(["drafts"], "readonly", (running) => running.objectStore("drafts").get(layer)))?.draft;
}
