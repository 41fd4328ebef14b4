// The server's routes: JSON in, JSON out, the CSRF token on everything but GET.

/**
 * What the server tells, as far as several modules use it.
 * @typedef {{id: number, project: number, file: string, width: number, height: number, state: string, withheld: number, layers: object[]}} Image
 * @typedef {{id: number, name: string, key: string|null, colour: string, is_occluder: boolean}} Category
 * @typedef {{id: number, name: string, role: string, settings: object}} Project
 * @typedef {{user: number, name: string, role: string}} Member
 * @typedef {{layers: {id: number, user: number|null, kind: string}[], objects: {members: Object<string, string>, iou: number|null, classes: string[], agree: boolean}[], pairs: object[]}} Agreement
 */

let csrf = "";
let store = ""; // which database this is: one port serves many in the course of time

/** What the server refused, or (status 0) that it can't be reached. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body.detail || body.error || `the server answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** One request under /api/v1, with JSON or a file; gives the answer's JSON. */
export async function api(method, path, body) {
  const headers = { Accept: "application/json" };
  const file = body instanceof Blob;
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  let response;
  try {
    const content = file || body === undefined ? body : JSON.stringify(body);
    response = await fetch(`/api/v1${path}`, { method, headers, body: content, credentials: "same-origin" });
  } catch {
    throw new ApiError(0, { error: "offline", detail: "the server can't be reached" });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

export const get = (path) => api("GET", path);
export const post = (path, body = {}) => api("POST", path, body);

/** The proposals for an image, those that a network finds first where it is asked; each by its whole outline, or where
 *  there is none by what is seen. */
export async function proposalsOf(image, find = false) {
  const found = await (find ? post : get)(`/images/${image}/proposals`);
  return found.map((one) => (one.rings.length ? one : { ...one, rings: one.visible ?? [] })).filter((one) => one.rings.length);
}

/** Who is signed in; keeps the token that other requests need. */
export async function me() {
  return remember(await get("/me"));
}

/** Signs in or out. */
export async function login(name, password) {
  remember(await post("/login", { name, password }));
  return me();
}

export async function logout() {
  await post("/logout");
}

function remember(answer) {
  csrf = answer.csrf ?? "";
  store = answer.store ?? store;
  return answer;
}

/** The address of a picture, another one for each database. */
const fileOf = (image) => `/api/v1/images/${image}/file?of=${encodeURIComponent(store)}`;

/** The address of a small picture, of at most so many pixels across. */
export const smallOf = (image, width) => `${fileOf(image)}&w=${width}`;

/** A name for what the browser keeps, by the database. */
export const here = (name) => `${store}/${name}`;

/** A picture, ready to be painted. */
export async function picture(image) {
  const made = new Image();
  made.src = fileOf(image);
  await made.decode();
  return made;
}
