import { readFileSync } from "node:fs";
import * as client from "@kortyx/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endingRows } from "../client-suite/endings.ts";
import { createContext, stopJitter, suite } from "../client-suite/suite.ts";
import type { SuiteContext } from "../client-suite/suite-case.ts";
import { type SuiteServer, startSuiteServer } from "../client-suite/suite-server.ts";

describe("the client in Node", () => {
  let server: SuiteServer;
  let context: SuiteContext;
  let restoreJitter: () => void;
  beforeAll(async () => {
    server = await startSuiteServer();
    context = await createContext(client, { baseUrl: server.url, randomCuts: 1_000 });
    restoreJitter = stopJitter();
  });
  afterAll(async () => {
    restoreJitter?.();
    await server?.close();
  });

  const here = suite.map(({ name, cases }) => ({
    name,
    cases: cases.filter(({ where }) => where !== "page"),
  }));

  describe.each(here)("$name", { concurrent: true }, ({ cases }) => {
    test.each(cases.filter(({ isAlone }) => !isAlone))("$name", ({ run }) => run(context));
  });

  describe("one by one", () => {
    const alone = here.flatMap(({ cases }) => cases.filter(({ isAlone }) => isAlone));
    test.each(alone)("$name", ({ run }) => run(context));
  });
});

describe("the table of endings", () => {
  test("contains every class and code of a client in docs/errors.md", () => {
    const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
    const cells = [...page.slice(page.indexOf("## The client fails")).matchAll(/^\|([^|]+)\|/gm)];
    const quoted = cells.flatMap(([, cell]) =>
      Array.from(cell!.matchAll(/`([^`]+)`/g), ([, words]) => words!),
    );
    const classes = quoted.filter((words) => /^[A-Z]\w+Error$/.test(words));
    const codes = quoted.filter((words) => /^[a-z]+(-[a-z]+)*$/.test(words));
    expect(classes).toContain("StreamTruncatedError");
    expect(codes).toContain("truncated");
    expect(endingRows.map(({ ends }) => ends.name)).toEqual(expect.arrayContaining(classes));
    expect(endingRows.map(({ ends }) => ends.code)).toEqual(expect.arrayContaining(codes));
  });
});
