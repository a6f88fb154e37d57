import { describe, expect, test, vi } from "vitest";
import type { ChatRoute } from "../../src/route/chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import {
  ann,
  answer,
  bob,
  del,
  eventsOf,
  get,
  lastEventId,
  post,
  reading,
  routeOf,
  runIdOf,
  settle,
  start,
  steered,
  stoppedFrame,
  until,
  watchRuns,
  withoutComments,
} from "./chat-runs-harness.ts";

watchRuns();

describe("GET", () => {
  async function ended() {
    const { route, calls, store } = routeOf();
    const text = withoutComments(
      await (await route.POST(post({ sessionId: "s", idempotencyKey: "k" }))).text(),
    );
    return { route, calls, store, text, runId: runIdOf(text), events: text.split(/(?<=\n\n)/) };
  }

  test("resumes after Last-Event-ID, after ?after=, or from the beginning, and prefers Last-Event-ID", async () => {
    const { route, text, runId, events, calls } = await ended();
    const textOf = async (request: Request) => (await route.GET(request)).text();
    for (let seq = 0; seq < 3; seq++) {
      const rest = events.slice(seq + 1).join("");
      expect(await textOf(get("", lastEventId(`${runId}.${seq}`)))).toBe(rest);
      expect(await textOf(get(`?run=${runId}&after=${seq}`))).toBe(rest);
      expect(await textOf(get(`?session=s&after=${seq}`))).toBe(rest);
      expect(await textOf(get(`?run=other&after=0`, lastEventId(`${runId}.${seq}`)))).toBe(rest);
      expect(await textOf(get(`?session=other`, lastEventId(`${runId}.${seq}`)))).toBe(rest);
    }
    expect(await textOf(get(`?run=${runId}`))).toBe(text);
    expect(await textOf(get("?session=s"))).toBe(text);
    expect(await textOf(get(`?run=${runId}&after=1`, lastEventId("")))).toBe(events.slice(2).join(""));
    expect(calls.length).toBe(1);
    const response = await route.GET(get(`?run=${runId}`));
    expect(Object.fromEntries(response.headers)).toEqual({
      "cache-control": "no-cache",
      connection: "keep-alive",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    await response.text();
  });

  test("returns 204 to a client that has everything", async () => {
    const { route, runId } = await ended();
    for (const request of [
      get("", lastEventId(`${runId}.3`)),
      get(`?run=${runId}&after=3`),
      get("?session=s&after=3"),
    ]) {
      const response = await route.GET(request);
      expect([response.status, response.body]).toEqual([204, null]);
    }
  });

  test("follows an open run, even for a client that has everything so far", async () => {
    const { agent, next } = steered();
    const { route } = routeOf(agent);
    const { runId, seen } = await start(route, { sessionId: "s" });
    const followers = [
      await route.GET(get(`?run=${runId}&after=1`)),
      await route.GET(get("?session=s")),
      await route.GET(get("", lastEventId(`${runId}.0`))),
    ].map((response) => reading(response).seen);
    next();
    await until(() => {
      for (const { text } of [seen, ...followers]) expect(text).toContain(`id: ${runId}.2\n`);
    });
    await route.DELETE(del(`?run=${runId}`));
    await Promise.all([seen, ...followers].map(({ over }) => over));
    for (const { text } of followers) expect(seen.text.endsWith(text)).toBe(true);
    expect(followers.map(({ text }) => eventsOf(text).length)).toEqual([3, 5, 4]);
  });

  test("refuses a request that names no run, and a malformed cursor, with 400", async () => {
    const { route, runId } = await ended();
    const missingRun = "The request names no run; send Last-Event-ID, ?run= or ?session=.";
    const malformedEventId = "The event id is malformed: expected `<run id>.<position>`.";
    const malformedPosition = "after must be the position of an event: a whole number, 0 or more.";
    const cases: [Request, string][] = [
      [get(""), missingRun],
      [get("?after=1"), missingRun],
      [get("", lastEventId("nonsense")), malformedEventId],
      [get("", lastEventId(runId)), malformedEventId],
      [get("", lastEventId(`${runId}.-1`)), malformedEventId],
      [get("", lastEventId(`${runId}.01`)), malformedEventId],
      [get("", lastEventId(`${runId}.1e3`)), malformedEventId],
      [get(`?run=${runId}`, lastEventId("nonsense")), malformedEventId],
      [get(`?run=${runId}&after=`), malformedPosition],
      [get(`?run=${runId}&after=-1`), malformedPosition],
      [get(`?run=${runId}&after=x`), malformedPosition],
      [get(`?run=${runId}&after=99999999999999999999`), malformedPosition],
      [get(`?run=${runId}&after=1.1`), malformedPosition],
    ];
    for (const [request, error] of cases) {
      const response = await route.GET(request);
      expect([request.url, response.status, await response.json()]).toEqual([
        request.url,
        400,
        { error, code: error === missingRun ? "missing-run" : "invalid-cursor" },
      ]);
    }
  });

  test("beyond the end of the log reports the run as lost, because the store has lost entries: an error and [DONE]", async () => {
    const { route, runId } = await ended();
    const requests = [
      route.GET(get("", lastEventId(`${runId}.4`))),
      route.GET(get(`?run=${runId}&after=4`)),
      route.GET(get("?session=s&after=4")),
      route.POST(post({ sessionId: "s", idempotencyKey: "k" }, ann(lastEventId(`${runId}.4`)))),
    ];
    for (const response of await Promise.all(requests)) {
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      expect(await response.text()).toBe(
        'data: {"type":"error","message":"This answer is no longer available. Please ask again.","code":"run-lost","retryable":true}\n\n' +
          "data: [DONE]\n\n",
      );
    }
  });

  test("beyond the end of a growing log reports the run as lost at once, and disturbs no other follower", async () => {
    const { agent, next } = steered();
    const { route } = routeOf(agent);
    for (const isFollowed of [true, false]) {
      const { runId, seen, leave } = await start(route);
      if (!isFollowed) await leave();
      const response = route.GET(get(`?run=${runId}&after=99`));
      const follower = reading(await route.GET(get(`?run=${runId}`))).seen;
      const lost = await (await response).text();
      expect(lost).toContain('"code":"run-lost"');
      next();
      await route.DELETE(del(`?run=${runId}`));
      await follower.over;
      expect(follower.text).toContain(stoppedFrame);
      if (isFollowed) await seen.over;
    }
  });

  test("and DELETE return the same response for an unknown run, an expired run and another owner's run", async () => {
    const store = createMemoryRunStore({ retentionMs: 30 });
    const { route } = routeOf(answer, { runs: { store } });
    const expired = runIdOf(
      await (await route.POST(post({ sessionId: "old", idempotencyKey: "old" }))).text(),
    );
    await until(async () => expect(await store.read(expired, -1, 1)).toBe(undefined));
    const other = routeOf(steered().agent);
    const { runId } = await start(other.route, { sessionId: "s", idempotencyKey: "k" }, bob());
    const requests = (on: ChatRoute, query: string, init = ann()) => [
      on.GET(get(query, init)),
      on.DELETE(del(query)),
    ];
    const responses = await Promise.all([
      ...requests(route, "?run=unknown"),
      ...requests(route, `?run=${expired}`),
      ...requests(other.route, `?run=${runId}`),
      route.DELETE(del("?session=unknown")),
      route.DELETE(del("?session=old")),
      other.route.DELETE(del("?session=s")),
      route.GET(get("", lastEventId("unknown.0"))),
      route.GET(get("", lastEventId(`${expired}.3`))),
      other.route.GET(get("", lastEventId(`${runId}.0`))),
      other.route.GET(get("", lastEventId(`${runId}.9999`))),
      other.route.GET(get(`?run=${runId}&after=nonsense`)),
    ]);
    const described = await Promise.all(
      responses.map(async (response) => [
        response.status,
        Object.fromEntries(response.headers),
        await response.text(),
      ]),
    );
    for (const description of described) {
      expect(description).toEqual([
        404,
        { "cache-control": "no-store", "content-type": "application/json" },
        '{"error":"There is no such run.","code":"run-not-found"}',
      ]);
    }
    expect((await other.store.read(runId, -1, 1))?.run.terminal).toBe(undefined);
  });

  test("returns 204 for a session without a run, whether it is unknown, expired or another owner's", async () => {
    const store = createMemoryRunStore({ retentionMs: 30 });
    const { route } = routeOf(answer, { runs: { store } });
    const expired = runIdOf(await (await route.POST(post({ sessionId: "old" }))).text());
    await until(async () => expect(await store.read(expired, -1, 1)).toBe(undefined));
    const other = routeOf(steered().agent);
    await start(other.route, { sessionId: "s" }, bob());
    const anonymous = routeOf(steered().agent, { route: { authorize: "anonymous" } });
    await start(anonymous.route, { sessionId: "s" }, {});
    for (const response of [
      await route.GET(get("?session=unknown")),
      await route.GET(get("?session=unknown&after=3")),
      await route.GET(get("?session=old")),
      await other.route.GET(get("?session=s")),
      await anonymous.route.GET(get("?session=s", {})),
    ]) {
      expect([response.status, Object.fromEntries(response.headers), await response.text()]).toEqual([
        204,
        { "cache-control": "no-store" },
        "",
      ]);
    }
  });
});

describe("DELETE", () => {
  test("stops a run by its id, its key or its session, and returns its terminal each time", async () => {
    for (const query of ["run", "key", "session"]) {
      const { agent, next } = steered();
      const { route, calls } = routeOf(agent);
      const { runId, seen } = await start(route, { sessionId: "s", idempotencyKey: "k" });
      const request = del({ run: `?run=${runId}`, key: "?key=k", session: "?session=s" }[query]!);
      for (let count = 0; count < 3; count++) {
        const response = await route.DELETE(request.clone());
        expect([response.status, response.headers.get("cache-control"), await response.json()]).toEqual([
          200,
          "no-store",
          { runId, terminal: { type: "abort", reason: "stopped" } },
        ]);
      }
      await seen.over;
      expect(eventsOf(seen.text).map(({ data }) => data)).toEqual([
        expect.stringContaining("run-start"),
        '{"type":"text-delta","delta":"0"}',
        stoppedFrame,
        "[DONE]",
      ]);
      expect(calls[0]?.[1].signal.aborted).toBe(true);
      next();
      await settle();
      expect(await (await route.GET(get(`?run=${runId}`))).text()).toBe(seen.text);
    }
  });

  test("of a run that has ended changes nothing", async () => {
    const { route } = routeOf();
    const text = await (await route.POST(post({ idempotencyKey: "k" }))).text();
    const runId = runIdOf(text);
    for (const query of [`?run=${runId}`, "?key=k"]) {
      const response = await route.DELETE(del(query));
      expect([response.status, await response.json()]).toEqual([200, { runId, terminal: { type: "done" } }]);
    }
    expect(await (await route.GET(get(`?run=${runId}`))).text()).toBe(withoutComments(text));
  });

  test("by session stops its latest run", async () => {
    const { route } = routeOf(steered().agent, { runs: { onActiveRun: "allow" } });
    const first = await start(route, { sessionId: "s" });
    const second = await start(route, { sessionId: "s" });
    expect((await (await route.DELETE(del("?session=s"))).json()).runId).toBe(second.runId);
    await second.seen.over;
    expect(first.seen.isOver).toBe(false);
  });

  test("by a key that is not known yet is remembered: the run opens as stopped, and no agent is called", async () => {
    const onStart = vi.fn();
    const { route, calls } = routeOf(answer, { runs: { onStart } });
    const response = await route.DELETE(del("?key=k"));
    expect([response.status, await response.json()]).toEqual([202, { runId: null, terminal: null }]);
    const other = await (await route.POST(post({ idempotencyKey: "k" }, bob()))).text();
    expect(other).toContain('"done"');
    const text = await (await route.POST(post({ idempotencyKey: "k" }))).text();
    expect(eventsOf(text).map(({ data }) => data)).toEqual([stoppedFrame, "[DONE]"]);
    expect(calls.length).toBe(1);
    expect(onStart).toHaveBeenCalledTimes(1);
    const again = await route.DELETE(del("?key=k"));
    expect([again.status, (await again.json()).terminal]).toEqual([
      200,
      { type: "abort", reason: "stopped" },
    ]);
  });

  test("requires the name of a run, and refuses a key that no run can have with 400", async () => {
    const { route, store } = routeOf();
    const stopKey = vi.spyOn(store, "stopKey");
    const response = await route.DELETE(del(""));
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: "The request names no run; send ?run=, ?key= or ?session=.", code: "missing-run" },
    ]);
    for (const key of ["", "x".repeat(129), "a%20b", "%E8%AA%9E", "a%00"]) {
      const refused = await route.DELETE(del(`?key=${key}`));
      expect([refused.status, await refused.json()]).toEqual([
        400,
        { error: "The key must be 1 to 128 visible ASCII characters.", code: "invalid-key" },
      ]);
    }
    expect(stopKey).not.toHaveBeenCalled();
  });
});
