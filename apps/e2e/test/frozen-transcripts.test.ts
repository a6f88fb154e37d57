/**
 * The transcripts of released versions: today's readers make of them what the readers of their time made, and no file
 * changes. That the decoder, `readStream` and `streamChatFromRoute` read their chunks is tested where these are.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createChat, readStream } from "@kortyx/client";
import { createMessageAccumulator, joinTextParts } from "@kortyx/protocol";
import { collectBufferedStream, verifyResumeTokens } from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkNotReleased } from "../transcripts/freeze.ts";
import { recordAll, resumeSecret } from "../transcripts/recordings.ts";
import {
  hashFiles,
  hashOf,
  namesOf,
  readBytes,
  readHere,
  readMessage,
  readTranscript,
  sumsFile,
  transcriptsFolder,
  versions,
} from "../transcripts/transcript-sets.ts";

/** The hash of each version's list of hashes. Only that of a version that is not released may change. */
const frozenLists: Record<string, string> = {
  "0.1": "7c0cb95faf69fbaa58ab418ce9ba2f30384fa1600a563fb731cbcb3ca032732d",
};

test("no version has lost its transcripts", () => {
  expect(versions).toEqual(Object.keys(frozenLists));
});

describe.each(versions)("the transcripts of %s", (version) => {
  test("are the files that were frozen", () => {
    const frozen = readFileSync(join(transcriptsFolder, version, sumsFile), "utf8");
    expect(
      hashFiles(version),
      `A transcript of ${version} has changed. If ${version} is not released, run \`node apps/e2e/transcripts/freeze.ts ${version}\`.`,
    ).toBe(frozen);
    expect(
      hashOf(frozen),
      `The list of hashes of ${version} has changed. Released transcripts never do; if ${version} is not released, write its new hash here.`,
    ).toBe(frozenLists[version]);
  });

  test.each(namesOf(version))(
    "%s has its outcome and its message, of which only more may become known",
    (name) => {
      const { outcome, message } = readHere(readBytes(version, name));
      expect(outcome).toBe(readTranscript(version, name).outcome);
      expect(message).toMatchObject(readMessage(version, name));
    },
  );

  test.each(namesOf(version))("%s is collected to the text of its message, or rejected", async (name) => {
    const { outcome } = readTranscript(version, name);
    const collected = collectBufferedStream(readStream(new Blob([readBytes(version, name)]).stream()));
    if (outcome === "truncated" || outcome === "violation") {
      await expect(collected).rejects.toMatchObject({
        name: outcome === "truncated" ? "StreamTruncatedError" : "StreamProtocolError",
      });
      return;
    }
    const { text, error } = await collected;
    expect(text).toBe(joinTextParts(readMessage(version, name).parts));
    expect(error !== undefined).toBe(outcome === "failed");
  });

  test.each(namesOf(version))("the message of %s, if it was saved, is shown and continued", (name) => {
    const saved = { role: "assistant", ...readMessage(version, name), id: "m1" } as const;
    const chat = createChat({ endpoint: "/", initialMessages: [saved] });
    expect(chat.getSnapshot().messages).toMatchObject([saved]);
    expect(createMessageAccumulator(saved).message.parts).toMatchObject(saved.parts);
  });

  test("have tokens that are verified until they expire", async () => {
    const [question] = readMessage(version, "recorded-question").interrupts!;
    const { requestId, resumeToken } = question!;
    const { expiresAt } = JSON.parse(atob(resumeToken!.split(".")[1]!));
    const resumes = [{ requestId, resumeToken: resumeToken!, answer: "approve" }];
    const verify = (now: number) => {
      vi.useFakeTimers({ toFake: ["Date"], now });
      return verifyResumeTokens(
        { messages: [], sessionId: "s1", resumes },
        { secret: resumeSecret, owner: "ada" },
      );
    };
    try {
      await expect(verify(expiresAt - 1)).resolves.toMatchObject({ resumes: [{ toolCallId: "c1" }] });
      await expect(verify(expiresAt + 1)).rejects.toMatchObject({ code: "interrupt-expired" });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("the routes of today", () => {
  beforeEach(() => {
    vi.spyOn(console, "error").mockReturnValue();
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("send the chunks that the newest transcripts recorded, but for ids and times", async () => {
    const newest = versions.at(-1)!;
    /** The recorded values of ids and tokens differ in each run. */
    const withoutIds = (entries: unknown) =>
      JSON.stringify(entries).replaceAll(/[\da-f]{8}-[\da-f-]{27}|v1\.[\w.-]+/g, "<id>");
    const recordings = recordAll();
    expect(Object.keys(recordings).sort()).toEqual(
      namesOf(newest).filter((name) => name.startsWith("recorded-")),
    );
    for (const [name, { body }] of Object.entries(recordings)) {
      const { entries, outcome } = readTranscript(newest, name);
      const today = readHere(await body);
      expect(withoutIds(today.entries), name).toBe(withoutIds(entries));
      expect(today.outcome, name).toBe(outcome);
    }
    expect(console.error).toHaveBeenCalledTimes(1);
  });
});

test("the transcripts of a released version cannot be written again", () => {
  expect(() => checkNotReleased("0.2", "0.1.7")).not.toThrow();
  expect(() => checkNotReleased("0.10", "0.9.0")).not.toThrow();
  expect(() => checkNotReleased("0.1", "0.1.0")).toThrow("0.1.0 was released with them");
  expect(() => checkNotReleased("0.1.0", "0.0.0")).toThrow("without its patch");
  expect(() => checkNotReleased(undefined, "0.0.0")).toThrow("Expected the version");
});
