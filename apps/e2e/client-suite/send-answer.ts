/**
 * Sends the answers of the suite server, with every way in which an answer can end. Records the requests of each case.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Answer, SeenRequest } from "./answer.ts";
import { printRun, type RunAnswer } from "./run-log.ts";

/** The record of one case. */
interface CaseLog {
  requests: SeenRequest[];
  /** The number of chunks that the client has reported, and the callbacks that wait for more. */
  chunks: number;
  waiting: Set<() => void>;
  /** The number of started runs, and the idempotency key of the last one. */
  runsBegun: number;
  key: string | undefined;
}

const eventStream = { "content-type": "text/event-stream" };

export interface SuiteRequest {
  /** The case that makes the request. */
  id: string;
  query: URLSearchParams;
  req: IncomingMessage;
  res: ServerResponse;
}

/** The routes that send the answer in the query, and report the requests that they received. */
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

  /** Reads a request to its end, because closing a socket with unread data resets it. */
  async function keep({ id, req, res }: SuiteRequest): Promise<SeenRequest> {
    const { method = "GET", headers } = req;
    const kept = headers as Record<string, string>;
    const { remotePort: port } = req.socket;
    const seen = { method, headers: kept, port, body: undefined };
    const request: SeenRequest = { ...seen, isAnswered: false, wasAborted: false };
    logOf(id).requests.push(request);
    res.on("close", () => {
      request.isAnswered = res.writableFinished;
      request.wasAborted = !res.writableFinished;
    });
    let text = "";
    req.setEncoding("utf8");
    for await (const piece of req) text += piece;
    request.body = text === "" ? undefined : JSON.parse(text);
    return request;
  }

  /** Waits until the client of a case has reported this many chunks. */
  async function untilClientHas(log: CaseLog, chunks: number): Promise<void> {
    while (log.chunks < chunks) {
      await new Promise<void>((resolve) => {
        log.waiting.add(resolve);
      });
      log.waiting.clear();
    }
  }

  return {
    /** Sends the answer in the query. */
    async "/answer"(request: SuiteRequest) {
      await keep(request);
      const { id, query, res } = request;
      const answer: Answer = JSON.parse(query.get("answer")!);
      const until = () => untilClientHas(logOf(id), answer.endsAfterChunks ?? 0);
      await send(res, answer, toPieces(answer), until);
    },

    /** Starts a run, attaches to it, or sends the events after `last-event-id`. */
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

    /** Records the number of chunks that the client of a case has. */
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

/** Writes an answer and ends it as specified. */
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
