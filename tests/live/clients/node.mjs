// node node.mjs ws://127.0.0.1:8000 FOLDER: the conversation by ws, which is in FOLDER.

import { once } from "node:events";
import { createRequire } from "node:module";
import process from "node:process";

import { converse } from "./conversation.mjs";

const [base, folder] = process.argv.slice(2);
const { WebSocket } = createRequire(`${folder}/`)("ws");

/** What is there for those who can see more than a browser. */
async function more() {
  const report = {};
  const socket = new WebSocket(`${base}/echo?ws`);
  const [[response]] = await Promise.all([once(socket, "upgrade"), once(socket, "open")]);
  report.served = response.headers["x-served-by"];
  for (const [piece, fin] of [["pie", false], ["", false], ["ces", true]]) socket.send(piece, { fin });
  report.pieces = String((await once(socket, "message"))[0]);
  const shown = new WebSocket(`${base}/show`, { headers: { "X-Said": "ws" } });
  const { headers } = JSON.parse(String((await once(shown, "message"))[0]));
  shown.close();
  report.said = Object.fromEntries(headers)["x-said"];
  socket.ping("are you there?");
  report.pong = String((await once(socket, "pong"))[0]);
  await once(socket, "ping");
  socket.terminate();
  await once(socket, "close");
  return report;
}

/** The response in place of an accepted handshake. */
async function response(path) {
  const socket = new WebSocket(`${base}${path}?ws`);
  const [, refused] = await once(socket, "unexpected-response");
  let body = "";
  for await (const piece of refused) body += piece;
  return [refused.statusCode, body];
}

const report = await converse(base, "ws", WebSocket);
for (const path of ["/refuse", "/deny"]) report[path] = await response(path);
console.log(JSON.stringify({ ...report, ...(await more()) }));
