// The conversation that browsers and Node hold with the server; see conversations.py.

const MIB = 1024 * 1024;

/** One socket: what comes in its order, and how it ends. */
class Talk {
  constructor(Socket, url, protocols) {
    this.came = [];
    this.wanted = [];
    this.socket = new Socket(url, protocols);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = () => resolve(this);
      this.socket.onerror = () => reject(new Error("refused"));
    });
    this.closed = new Promise((resolve) => {
      this.socket.onclose = (event) => resolve([event.code, event.reason]);
    });
    this.socket.onmessage = ({ data }) => {
      if (this.wanted.length) this.wanted.shift()(data);
      else this.came.push(data);
    };
  }

  next() {
    if (this.came.length) return Promise.resolve(this.came.shift());
    return new Promise((resolve) => this.wanted.push(resolve));
  }

  /** Whether a message comes back as it was sent. */
  async echoes(message) {
    this.socket.send(message);
    const answer = await this.next();
    if (typeof message === "string") return answer === message;
    const [sent, got] = [new Uint8Array(message), new Uint8Array(answer)];
    return sent.length === got.length && sent.every((byte, at) => byte === got[at]);
  }
}

function messages() {
  const large = Uint8Array.from({ length: MIB }, (_, at) => (at * 7) % 251);
  const text = "twelve bytes".repeat(MIB / 8).slice(0, MIB);
  return ["Grüße, 世界", "", Uint8Array.of(0, 255, 10).buffer, new ArrayBuffer(0), text, large.buffer];
}

/** Hold the conversation with the server at `base`, as `name`. */
export async function converse(base, name, Socket) {
  const open = (path, protocols = []) => new Talk(Socket, `${base}${path}?${name}`, protocols).opened;
  const report = {};

  const first = await open("/echo", ["chat.v1", "chat.v2"]);
  report.protocol = first.socket.protocol;
  report.compressed = first.socket.extensions.startsWith("permessage-deflate");
  report.echoed = [];
  for (const message of messages()) report.echoed.push(await first.echoes(message));
  await new Promise((resolve) => setTimeout(resolve, 500));
  report["echoed after pings"] = await first.echoes("still here");
  first.socket.send("close 4001 enough");
  report["closed by the server"] = await first.closed;

  const second = await open("/echo");
  report["without a protocol"] = second.socket.protocol;
  second.socket.close(4002, "bye");
  report["closed by the client"] = await second.closed;

  const third = await open("/echo");
  third.socket.close();
  report["closed plainly"] = await third.closed;

  const fourth = await open("/echo");
  fourth.socket.send(new Uint8Array(MIB + 1));
  report["closed for its size"] = await fourth.closed;

  for (const path of ["/refuse", "/deny"]) {
    const refused = new Talk(Socket, `${base}${path}?${name}`, []);
    await refused.opened.catch(() => {});
    report[path] = await refused.closed;
  }
  return report;
}
