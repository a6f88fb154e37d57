/**
 * The component of docs/message-parts.md renders every part in every state, and the compiler reports one that it leaves
 * out. What its buttons do is tested in a page, in `readme-pages.test.ts`.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AssistantMessage, createMessageAccumulator, type MessagePart } from "@kortyx/client";
import { createElement, type FunctionComponent } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterAll, expect, test } from "vitest";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("message-parts");
afterAll(() => folder.remove());

const [code, page] = snippetsOf("docs/message-parts.md", "tsx") as [string, string];
type Answer = FunctionComponent<{ message: Pick<AssistantMessage, "parts">; chat: object }>;
const { Answer } = await folder.run<{ Answer: Answer }>("message-parts.tsx", code);
const renderAll = (parts: object[], interrupts: object[] = []) =>
  renderToStaticMarkup(
    createElement(Answer, { message: { parts: parts as MessagePart[] }, chat: { interrupts } }),
  );
const render = (part: object, interrupts?: object[]) => renderAll([part], interrupts);

/** The parts of the golden transcripts, as they are after each chunk. */
const parts = globSync("packages/protocol/transcripts/*/*.json", { cwd: repository }).flatMap((file) => {
  const accumulator = createMessageAccumulator();
  const { entries } = JSON.parse(readFileSync(join(repository, file), "utf8"));
  return entries.flatMap(({ chunk }: { chunk: { type: string } }) => {
    accumulator.apply(chunk);
    return accumulator.message.parts;
  }) as MessagePart[];
});

/** The cases of a component, as they are written. */
const casesOf = (name: string): string[] => {
  const [component] = new RegExp(`^function ${name}\\([\\s\\S]*?^}$`, "m").exec(code)!;
  return Array.from(component.matchAll(/^ {4}case "(.*)":$/gm), ([, label]) => label!);
};

test.each(casesOf("Part"))("a part of type %s is rendered from the golden transcripts", (type) => {
  const found = parts.filter((part) => part.type === type);
  expect(found.length).toBeGreaterThan(0);
  const [shown] = found.map((part) => render(part)).filter((markup) => markup !== "");
  expect(shown).toMatch(/^<\w+/);
});

test.each(casesOf("ToolCall"))("a tool call whose state is %s has a text of its own", (state) => {
  const call = { type: "tool-call", toolCallId: "1", tool: "pay", title: "Paying", inputText: "", input: 5 };
  const markup = render({ ...call, state, content: "Paid", errorMessage: "No money." });
  const others = casesOf("ToolCall").filter((other) => other !== state);
  expect(markup).toContain("Paying");
  expect(
    others.map((other) => render({ ...call, state: other, content: "Paid", errorMessage: "No money." })),
  ).not.toContain(markup);
});

test("a question is a form while it can be answered, and one about a call is not shown twice", () => {
  const question = { type: "interrupt", requestId: "1", resumeToken: "t" };
  const open = [question];
  const input = { kind: "text", multiple: false, question: "Which city?" };
  const resolution = { type: "interrupt-resolved", requestId: "1", outcome: "answered" };
  expect(render({ ...question, input }, open)).toMatch(
    /<legend>Which city\?<\/legend><input [^>]*name="answer"/,
  );
  expect(render({ ...question, input }, [{ ...question, requestId: "2" }])).toBe("<p>Which city? </p>");
  expect(render({ ...question, input, resolution })).toBe("<p>Which city? (answered)</p>");
  expect(render({ ...question, input, toolCallId: "1" }, open)).toBe("");
  expect(render({ ...question, input: { kind: "date", question: "When?" } }, open)).toContain(
    "<legend>When?</legend>",
  );
});

test("an approval shows what the agent asks, and has a field for the input where it may be changed", () => {
  const call = { type: "tool-call", toolCallId: "1", tool: "pay", inputText: "", input: { euros: 5 } };
  const ask = (...ids: string[]) => {
    const options = ids.map((id) => ({ id, label: id }));
    const input = { kind: "choice", multiple: false, question: "Pay Ann?", options };
    return render({ ...call, state: "awaiting-approval" }, [{ requestId: "q", toolCallId: "1", input }]);
  };
  expect(ask("approve", "deny")).toMatch(/<legend>Pay Ann\?<\/legend><code>.*Approve.*Deny/);
  expect(ask("approve", "deny")).not.toContain("Edit");
  expect(ask("approve", "edit", "deny")).toMatch(/<textarea name="input".*Approve.*Edit.*Deny/);
});

test("a step without a name is not shown", () => {
  expect(render({ type: "step", state: "done", model: "gpt-5-mini" })).toBe("");
});

test("a citation is the number of its source, and leads to its line in the list of the answer", () => {
  const citations = [{ sourceId: "b", quote: "so it is" }, { sourceId: "unknown" }, { sourceId: "a" }];
  const markup = renderAll([
    { type: "source", id: "a", title: "First" },
    { type: "text", key: "", text: "It is so.", state: "done", citations },
    { type: "source", id: "b", url: "https://second.example/" },
  ]);
  const [second, first] = Array.from(markup.matchAll(/href="#([^"]+)"/g), ([, target]) => target);
  expect(markup).toContain(`<li id="${first}"><a>First</a></li>`);
  expect(markup).toContain(
    `<li id="${second}"><a href="https://second.example/">https://second.example/</a></li>`,
  );
  expect([...markup.matchAll(/\[\d\]/g)].flat()).toEqual(["[2]", "[1]"]);
});

test("a part of an unknown type is not shown", () => {
  expect(render({ type: "hologram" })).toBe("");
});

test("a part, a state or a kind of question without a case is a type error, and types of one's own are not", () => {
  const labels = [...code.matchAll(/^ {4}case "(.*)":\n/gm)];
  expect(labels.length).toBeGreaterThanOrEqual(21);
  const files = labels.map(({ 0: label, index }, number) =>
    folder.write(
      `without-${number}.tsx`,
      `${code.slice(0, index)}case "" as never:\n${code.slice(index + label.length)}`,
    ),
  );
  const compilerOptions = { types: ["node"], customConditions: [], jsx: "react-jsx" };
  const ofTypes = code.replace("type Types = ChatTypes;", 'type Types = import("./chat-route.ts").AppTypes;');
  expect(ofTypes).not.toBe(code);
  const typedPage = page
    .replace("./answer.tsx", "./whole-typed.tsx")
    .replace(
      'useChat({ endpoint: "/api/chat" })',
      'useChat<import("./chat-route.ts").AppTypes>({ endpoint: "/api/chat", context: { tenant: "acme" } })',
    );
  expect(typedPage).toMatch(/whole-typed.*AppTypes/s);
  files.push(
    folder.write("answer.tsx", code),
    folder.write("whole-page.tsx", page),
    folder.write("whole-typed.tsx", ofTypes.replace("ChatTypes, ", "")),
    folder.write("whole-typed-page.tsx", typedPage),
  );
  const config = { extends: join(repository, "tsconfig.base.json"), compilerOptions, files };
  folder.write("tsconfig.json", JSON.stringify(config));
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder.path], { encoding: "utf8" });
  const reported = new Set(
    Array.from(stdout.matchAll(/without-(\d+)\.tsx/g), ([, number]) => Number(number)),
  );
  const missed = labels.filter((_, number) => !reported.has(number)).map(([, label]) => label);
  expect(missed).toEqual([]);
  expect(stdout).not.toMatch(/whole|answer\.tsx/);
});
