/**
 * Sends the answers of the suite server, with every way in which an answer can end. Keeps what was asked, by case.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Answer, SeenRequest } from "./answer.ts";
import { printRun, type RunAnswer } from "./run-log.ts";

/** What one case has done. */
interface CaseLog {
  requests: SeenRequest[];
  /** How many chunks the client has told that it has, and who waits for more. */
  chunks: number;
  waiting: Set<() => void>;
  /** How many runs were begun, and the idempotency key of the last one. */
  runsBegun: number;
  key: string | undefined;
}

const eventStream = { "content-type": "text/event-stream" };

export interface SuiteRequest {
  /** The case that asks. */
  id: string;
  query: URLSearchParams;
  req: IncomingMessage;
  res: ServerResponse;
}

/** The routes that answer as they are told to, and tell what they were asked. */
export function createAnswerRoutes() {
  const logs = new Map<string, CaseLog>();

  function logOf(id: string): CaseLog {
    let log = logs.get(id);
    if (log === undefined) {
      log = { requests: [], chunks: 0, waiting: new Set(), runsBegun: 0, key: undefined };
      logs.set(id, log);
    }
    return log;
  }

  /** Reads a request to its end: a socket that is closed with something unread in it is reset. */
  async function keep({ id, req, res }: SuiteRequest): Promise<SeenRequest> {
    const { method = "GET", headers } = req;
    const kept = headers as Record<string, string>;
    const { remotePort: port } = req.socket;
    const seen = { method, headers: kept, port, body: undefined };
    const request: SeenRequest = { ...seen, isAnswered: false, wasLeft: false };
    logOf(id).requests.push(request);
    res.on("close", () => {
      request.isAnswered = res.writableFinished;
      request.wasLeft = !res.writableFinished;
    });
    let text = "";
    req.setEncoding("utf8");
    for await (const piece of req) text += piece;
    request.body = text === "" ? undefined : JSON.parse(text);
    return request;
  }

  /** Waits until the client of a case has told that it has so many chunks. */
  async function untilClientHas(log: CaseLog, chunks: number): Promise<void> {
    while (log.chunks < chunks) {
      await new Promise<void>((resolve) => {
        log.waiting.add(resolve);
      });
      log.waiting.clear();
    }
  }

  return {
    /** Answers as the query says. */
    async "/answer"(request: SuiteRequest) {
      await keep(request);
      const { id, query, res } = request;
      const answer: Answer = JSON.parse(query.get("answer")!);
      const until = () => untilClientHas(logOf(id), answer.endsAfterChunks ?? 0);
      await send(res, answer, toPieces(answer), until);
    },

    /** Begins a run, attaches to it, or sends what comes behind `last-event-id`. */
    async "/run"(request: SuiteRequest) {
      const { method, headers, body } = await keep(request);
      const { id, query, res } = request;
      const log = logOf(id);
      const answer: RunAnswer = JSON.parse(query.get("answer")!);
      const fail = (status: number) => void res.writeHead(status).end();
      let after = -1;
      if (method === "POST") {
        const { idempotencyKey } = (body ?? {}) as { idempotencyKey?: string };
        if (log.runsBegun === 0 || idempotencyKey === undefined || idempotencyKey !== log.key) {
          log.runsBegun++;
          log.key = idempotencyKey;
        }
      } else {
        if (log.runsBegun === 0) return fail(404);
        const [runId, seq] = (headers["last-event-id"] ?? "").split(".");
        if (runId !== id || !/^\d+$/.test(seq ?? "") || Number(seq) > answer.size + 1) return fail(400);
        if (Number(seq) === answer.size + 1) return fail(204);
        if (!answer.replays) after = Number(seq);
      }
      const bytes = Buffer.from(printRun(id, after, answer)).subarray(0, answer.bytes);
      await send(res, answer, [bytes], async () => {});
    },

    /** Takes down how many chunks the client of a case has. */
    async "/progress"({ id, query, res }: SuiteRequest) {
      const log = logOf(id);
      log.chunks = Number(query.get("chunks"));
      for (const resolve of log.waiting) resolve();
      res.writeHead(204).end();
    },

    async "/requests"({ id, res }: SuiteRequest) {
      sendJson(res, logOf(id).requests);
    },

    async "/runs"({ id, res }: SuiteRequest) {
      sendJson(res, { begun: logOf(id).runsBegun });
    },
  };
}

export function sendJson(res: ServerResponse, value: unknown): void {
  res.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  res.end(JSON.stringify(value));
}

function toPieces({ body = [], bytes, isGzipped }: Answer): Buffer[] {
  const pieces = [body].flat().map((piece) => Buffer.from(piece));
  if (isGzipped) return [gzipSync(Buffer.concat(pieces)).subarray(0, bytes)];
  return bytes === undefined ? pieces : [Buffer.concat(pieces).subarray(0, bytes)];
}

/** Writes an answer, and ends it in its way. */
async function send(
  res: ServerResponse,
  answer: Answer,
  pieces: Buffer[],
  untilEnding: () => Promise<void>,
): Promise<void> {
  const { status = 200, headers = eventStream, everyMs = 0, ending = "end" } = answer;
  if (!answer.hasNoHeaders) {
    if (answer.isCloseDelimited) {
      res.setHeader("connection", "close");
      res.removeHeader("transfer-encoding");
    }
    res.writeHead(status, answer.isGzipped ? { ...headers, "content-encoding": "gzip" } : headers);
    if (pieces.length === 0) res.flushHeaders();
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
      if (res.destroyed) return;
      await new Promise((resolve) => res.write(piece, resolve));
    }
  }
  await untilEnding();
  if (ending === "end") res.end();
  else if (ending === "cut") res.socket?.destroy();
  else if (ending === "reset") res.socket?.resetAndDestroy();
}
