/**
 * Removes keys that the AI SDK's parser refuses, and the whole stream with them: those through which careless code changes
 * the prototype of all objects.
 */
import { isRecord } from "./chunk-shape.ts";

/** @returns the same value if it has no such key. Takes time linear in the size of the value. */
export function withoutUnsafeKeys<Value>(value: Value): Value {
  if (!hasUnsafeKey(value)) return value;
  return JSON.parse(JSON.stringify(value, (key, inner) => (isUnsafe(key, inner) ? undefined : inner)));
}

/** Without recursion: a value may be as deep as its parser allows. */
function hasUnsafeKey(value: unknown): boolean {
  const open = [value];
  while (open.length > 0) {
    const found = open.pop();
    if (typeof found !== "object" || found === null) continue;
    for (const [key, inner] of Object.entries(found)) {
      if (isUnsafe(key, inner)) return true;
      open.push(inner);
    }
  }
  return false;
}

const isUnsafe = (key: string, value: unknown): boolean =>
  key === "__proto__" || (key === "constructor" && isRecord(value) && Object.hasOwn(value, "prototype"));
