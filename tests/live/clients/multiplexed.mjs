// What a page sees of multiplexed:app beside the conversation; some of it works over HTTP/2 only.

const text = async (path, options = {}) => (await fetch(path, options)).text();
const entries = (kind) => performance.getEntriesByType(kind);
const encoded = (words) => new TextEncoder().encode(words);

async function until(path, wanted) {
  while ((await text(path)) !== wanted) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A body whose next piece is made when the last one has arrived: none waits for the whole. */
async function streamed() {
  let count = 0;
  const pieces = new ReadableStream({
    async pull(controller) {
      if (count) await until("/gathered", String(count));
      if (count === 15) controller.close();
      else controller.enqueue(encoded("piece"));
      count += 5;
    },
  });
  const request = new Request("/gather", { method: "POST", body: pieces, duplex: "half" });
  // Where bodies are no streams, a stream is an object whose name is sent.
  return request.headers.has("content-type") ? null : (await fetch(request)).text();
}

/** The first few events of a source that has no end. */
function events() {
  const heard = [];
  const source = new EventSource("/events");
  return new Promise((resolve) => {
    source.onmessage = ({ data }) => {
      if (heard.push(data) < 3) return;
      source.close();
      resolve(heard);
    };
  });
}

/** What the application sees of a socket, and of a request beside it. */
async function sameConnection() {
  const { host } = window.location;
  const shown = await new Promise((resolve) => {
    const socket = new WebSocket(`wss://${host}/show`);
    socket.onmessage = ({ data }) => resolve(JSON.parse(data));
  });
  const { client } = JSON.parse(await text("/show"));
  return { version: shown.http_version, scheme: shown.scheme, same: `${client}` === `${shown.client}` };
}

/** Whether an open socket goes on where the server refuses the next. */
async function pastRefusal() {
  const { host } = window.location;
  const socket = new WebSocket(`wss://${host}/echo?open`);
  await new Promise((resolve) => (socket.onopen = resolve));
  await new Promise((resolve) => (new WebSocket(`wss://${host}/deny`).onclose = resolve));
  socket.send("still here");
  const { data } = await new Promise((resolve) => (socket.onmessage = socket.onclose = resolve));
  socket.close();
  return data;
}

/** What trailers say that a page is shown. */
async function trailers() {
  await text("/extended");
  const [entry] = performance.getEntriesByName(new URL("/extended", window.location).href);
  return entry.serverTiming.map(({ name, duration }) => [name, duration]);
}

/** A response that is given up in the middle. */
async function givenUp() {
  const leaving = new AbortController();
  const response = await fetch("/wait", { signal: leaving.signal });
  const reader = response.body.getReader();
  await reader.read();
  leaving.abort();
  return reader.read().catch(({ name }) => name);
}

export async function report() {
  const [page] = entries("navigation");
  const many = Array.from({ length: 200 }, (_, at) => text(at % 2 ? `/slow?${at}` : `/?${at}`));
  const found = {
    page: page.nextHopProtocol,
    counted: await text("/count", { method: "POST", body: new Uint8Array(3_000_000) }),
    many: [...new Set(await Promise.all(many))],
    large: (await text("/large")).length,
    streamed: await streamed(),
    events: await events(),
    socket: await sameConnection(),
    "past a refusal": await pastRefusal(),
    trailers: await trailers(),
  };
  found.protocols = [...new Set(entries("resource").map((one) => one.nextHopProtocol))];
  found["given up"] = await givenUp();
  return found;
}
