// node http2.mjs http://127.0.0.1:8000: what Node's own HTTP/2 client sees of multiplexed:app.

import { once } from "node:events";
import http2 from "node:http2";
import process from "node:process";

const [base] = process.argv.slice(2);
const insecure = { rejectUnauthorized: false };

/** One connection, and the responses on it. */
async function connected(settings = {}) {
  const session = http2.connect(base, { ...insecure, settings });
  session.on("error", () => {});
  await once(session, "remoteSettings");
  return session;
}

async function read(stream) {
  const pieces = [];
  for await (const data of stream) pieces.push(data);
  return String(Buffer.concat(pieces));
}

/** The response to one request: its body, with all that comes beside it. */
async function ask(session, path, body, headers = {}) {
  const method = body === undefined ? "GET" : "POST";
  const stream = session.request({ ":path": path, ":method": method, ...headers });
  const seen = { hints: [], trailers: null };
  stream.on("headers", (hints) => seen.hints.push([hints[":status"], hints.link]));
  stream.on("trailers", (trailers) => (seen.trailers = trailers["x-checksum"]));
  stream.end(body);
  const [[head], text] = await Promise.all([once(stream, "response"), read(stream)]);
  return { status: head[":status"], body: text, ...seen };
}

async function several(session) {
  const paths = Array.from({ length: 50 }, (_, at) => (at % 2 ? "/slow" : "/"));
  const answers = await Promise.all(paths.map((path) => ask(session, path)));
  const bodies = answers.map(({ body }) => body);
  const large = await Promise.all([1, 2, 3].map(() => ask(session, "/large")));
  return { bodies: [...new Set(bodies)], large: large.map(({ body }) => body.length) };
}

/** The answer to each piece comes before the next is sent. */
async function bothWays(session) {
  const stream = session.request({ ":path": "/echo", ":method": "POST" });
  const heard = [];
  for (const piece of ["one", "two", "three"]) {
    stream.write(piece);
    heard.push(String((await once(stream, "data"))[0]));
  }
  stream.resume().end();
  await once(stream, "end");
  return heard;
}

/** A stream that is reset, with another on its connection. */
async function left(session) {
  const stream = session.request({ ":path": "/wait" });
  await once(stream, "data");
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await once(stream, "close");
  return (await ask(session, "/")).body;
}

async function pushed() {
  const session = await connected();
  const promised = once(session, "stream");
  const seen = await ask(session, "/extended", undefined, { te: "trailers" });
  const [stream, head] = await promised;
  const text = await read(stream);
  session.close();
  return { ...seen, pushed: [head[":path"], text] };
}

/** A WebSocket's frame: masked with zeros, which is allowed, if nothing else. */
function frame(opcode, text) {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

async function webSocket(session) {
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/echo?node",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat.v1, chat.v2",
  });
  const [head] = await once(stream, "response");
  stream.write(frame(1, "hello"));
  const [echoed] = await once(stream, "data");
  stream.write(frame(1, "close 4001 enough"));
  const [close] = await once(stream, "data");
  stream.end(frame(8, Buffer.from([0x0f, 0xa1])));
  await once(stream, "close");
  return {
    status: head[":status"],
    protocol: head["sec-websocket-protocol"],
    echoed: String(echoed.subarray(2)),
    closed: [close[0] & 15, close.readUInt16BE(2), String(close.subarray(4))],
  };
}

/** Waits for what it has asked for while the server says goodbye. */
async function untilGoodbye() {
  const session = await connected();
  const codes = [];
  session.on("goaway", (code) => codes.push(code));
  const waiting = session.request({ ":path": "/wait" });
  await once(waiting, "data");
  const answers = Array.from({ length: 20 }, () => ask(session, "/slow"));
  await ask(session, "/");
  console.log("ready");
  const bodies = (await Promise.all(answers)).map(({ body }) => body);
  if (!codes.length) await once(session, "goaway");
  waiting.close();
  await once(session, "close");
  return { codes: [...new Set(codes)], bodies: [...new Set(bodies)] };
}

if (process.argv[3] === "goodbye") {
  console.log(JSON.stringify(await untilGoodbye()));
} else {
  const session = await connected();
  const report = {
    connect: session.remoteSettings.enableConnectProtocol,
    scope: JSON.parse((await ask(session, "/show?a=b", undefined, { cookie: "a=1" })).body),
    counted: (await ask(session, "/count", Buffer.alloc(3_000_000))).body,
    several: await several(session),
    heard: await bothWays(session),
    left: await left(session),
    socket: await webSocket(session),
    extended: await pushed(),
  };
  session.close();
  console.log(JSON.stringify(report));
}
