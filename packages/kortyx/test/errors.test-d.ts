import { expectTypeOf, test } from "vitest";
import type * as both from "../src/index.ts";

/** The class of every error that the two packages export. */
type Errors = {
  [Name in keyof typeof both]: (typeof both)[Name] extends (abstract new (
    ...values: never
  ) => infer Instance extends both.StreamError)
    ? Instance
    : never;
}[keyof typeof both];

test("the codes of all errors are one closed union, and each class has its own", () => {
  type Concrete = Exclude<Errors, never>;
  expectTypeOf<Concrete["code"]>().toEqualTypeOf<both.StreamErrorCode>();
  type CodeOf<Name> = Extract<Concrete, { name: Name }>["code"];
  expectTypeOf<CodeOf<"StreamTruncatedError">>().toEqualTypeOf<"truncated">();
  expectTypeOf<CodeOf<"StreamHttpError">>().toEqualTypeOf<"http-status">();
  expectTypeOf<CodeOf<"ChatStateError">>().toEqualTypeOf<both.ChatStateErrorCode>();
  expectTypeOf<CodeOf<"ChatRequestError">>().toEqualTypeOf<both.ChatRequestErrorCode>();
});

test("a misspelt code is a mistake, and the code of an error chunk is the application's", () => {
  const error = {} as both.StreamError;
  // @ts-expect-error a misspelt code
  const _isCut = error.code === "truncatd";
  expectTypeOf<both.ErrorChunk["code"]>().toEqualTypeOf<string | undefined>();
});
