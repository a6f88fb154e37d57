// Made by ../freeze.mjs, from the sources as they were then. Never changed by hand.

// packages/protocol/src/describe-value.ts
function describeKind(value) {
  if (value === void 0 || value === null) return `${value}`;
  if (typeof value === "number") return describeNumber(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  return typeof value.then === "function" ? "a promise" : "an object";
}
function describeNumber(value) {
  if (!Number.isFinite(value)) return `${value}`;
  if (value < 0) return "a negative number";
  return Number.isInteger(value) ? "a number" : "a fraction";
}
function describeValue(value) {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return ["number", "bigint", "boolean"].includes(typeof value) ? `${value}` : describeKind(value);
}

// packages/protocol/src/check-option.ts
function checkOption(name, isValid, expected, value) {
  if (!isValid) throw new TypeError(`${name} must be ${expected}; got ${describeValue(value)}.`);
}
var checkObjectOption = (name, value, expected) => checkOption(name, typeof value === "object" && value !== null, expected, value);

// packages/protocol/src/delay.ts
var maxTimerMs = 2 ** 31 - 1;
function parseDelayMs(name, ms) {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`${name} must be a number of milliseconds, 0 or more; got ${describeValue(ms)}.`);
  }
  return ms > maxTimerMs ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}

// packages/protocol/src/errors.ts
var brand = /* @__PURE__ */ Symbol.for("@kortyx/error");
var StreamError = class extends Error {
  /** @internal On the prototype, so that it is not printed with the error. */
  get [brand]() {
    return true;
  }
};
var StreamProtocolError = class extends StreamError {
  name = "StreamProtocolError";
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
};

// packages/protocol/src/chunk-table.ts
var chunkTable = {
  session: { required: { sessionId: "string" } },
  "run-start": {
    required: { runId: "string" },
    optional: { sessionId: "string", continues: "string", acceptsParts: "boolean" }
  },
  checkpoint: {
    required: { id: "string", sessionId: "string", turnIndex: "natural" },
    optional: { label: "string" }
  },
  trace: { required: { traceId: "string", spanId: "string", runId: "string", rootSpanName: "string" } },
  status: { required: { message: "string" }, optional: { node: "string" } },
  message: { required: { content: "string" }, optional: { node: "string" } },
  "text-start": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "text-delta": {
    required: { delta: "string" },
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "text-end": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
      citations: {
        listOf: {
          required: { sourceId: "string" },
          optional: { start: "natural", end: "natural", quote: "string", providerMetadata: "record" }
        }
      }
    }
  },
  "reasoning-start": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "reasoning-delta": {
    required: { delta: "string" },
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "reasoning-end": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "tool-call-start": {
    required: { tool: "string", toolCallId: "string" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      executor: "string",
      title: "string",
      inputFormat: "string",
      parentSegmentId: "string",
      isDynamic: "boolean",
      providerMetadata: "record"
    }
  },
  "tool-call-delta": {
    required: { toolCallId: "string", delta: "string" },
    optional: { tool: "string", node: "string", id: "string", opId: "string" }
  },
  "tool-call-ready": {
    required: { tool: "string", toolCallId: "string", input: "JSON" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      executor: "string",
      title: "string",
      inputFormat: "string",
      parentSegmentId: "string",
      isDynamic: "boolean",
      providerMetadata: "record",
      resumeToken: "string"
    }
  },
  "tool-call-progress": {
    required: { tool: "string", toolCallId: "string", content: "JSON" },
    optional: { node: "string", id: "string", opId: "string" }
  },
  "tool-call-result": {
    required: { tool: "string", toolCallId: "string", content: "JSON" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      providerMetadata: "record",
      isError: "boolean"
    }
  },
  "tool-call-error": {
    required: { tool: "string", toolCallId: "string", message: "string" },
    optional: { node: "string", id: "string", opId: "string", code: "string", providerMetadata: "record" }
  },
  "tool-call-denied": {
    required: { tool: "string", toolCallId: "string" },
    optional: { node: "string", id: "string", opId: "string", reason: "string" }
  },
  "tool-result": { required: { content: "JSON" }, optional: { tool: "string", node: "string" } },
  "structured-data": {
    kinds: {
      set: {
        required: { streamId: "string", dataType: "string", path: "string", value: "JSON" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" }
      },
      append: {
        required: { streamId: "string", dataType: "string", path: "string", items: { listOf: "JSON" } },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" }
      },
      "text-delta": {
        required: { streamId: "string", dataType: "string", path: "string", delta: "string" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" }
      },
      final: {
        required: { streamId: "string", dataType: "string", data: "JSON" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" }
      }
    }
  },
  "structured-data-invalidated": { required: { streamId: "string", checkpointId: "string" } },
  interrupt: {
    required: {
      requestId: "string",
      resumeToken: "string",
      input: {
        kinds: {
          text: {
            required: { multiple: "boolean" },
            optional: {
              id: "string",
              schemaId: "string",
              schemaVersion: "string",
              meta: "record",
              question: "string"
            }
          },
          json: {
            optional: {
              id: "string",
              schemaId: "string",
              schemaVersion: "string",
              meta: "record",
              multiple: "boolean",
              question: "string",
              schema: "record"
            }
          },
          choice: {
            required: {
              multiple: "boolean",
              question: "string",
              options: {
                listOf: { required: { id: "string", label: "string" }, optional: { description: "string" } }
              }
            },
            optional: { id: "string", schemaId: "string", schemaVersion: "string", meta: "record" }
          },
          "multi-choice": {
            required: {
              multiple: "boolean",
              question: "string",
              options: {
                listOf: { required: { id: "string", label: "string" }, optional: { description: "string" } }
              }
            },
            optional: { id: "string", schemaId: "string", schemaVersion: "string", meta: "record" }
          }
        },
        allowsOtherKinds: true
      }
    },
    optional: {
      workflow: "string",
      schemaId: "string",
      schemaVersion: "string",
      meta: "record",
      toolCallId: "string",
      reason: "string",
      expiresAt: "finite",
      isAutomatic: "boolean",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  "interrupt-resolved": {
    required: { requestId: "string", outcome: "string" },
    optional: { isAutomatic: "boolean", reason: "string" }
  },
  source: {
    required: { id: "string" },
    optional: {
      url: "string",
      title: "string",
      mediaType: "string",
      name: "string",
      providerMetadata: "record",
      node: "string"
    }
  },
  file: {
    required: { mediaType: "string", url: "string" },
    optional: {
      name: "string",
      id: "string",
      toolCallId: "string",
      isReasoning: "boolean",
      providerReference: "record",
      providerMetadata: "record",
      node: "string"
    }
  },
  data: {
    required: { name: "string", data: "JSON" },
    optional: { id: "string", transient: "boolean", providerMetadata: "record", node: "string" }
  },
  metadata: { required: { metadata: "record" } },
  "part-metadata": {
    required: { providerMetadata: "record" },
    optional: { segmentId: "string", toolCallId: "string", isResult: "boolean" }
  },
  "step-start": {
    required: { stepId: "string" },
    optional: { name: "string", node: "string", id: "string", opId: "string" }
  },
  "step-end": {
    required: { stepId: "string" },
    optional: {
      finishReason: "string",
      usage: {
        optional: {
          inputTokens: "finite",
          outputTokens: "finite",
          totalTokens: "finite",
          reasoningTokens: "finite",
          cachedInputTokens: "finite",
          cacheWriteInputTokens: "finite"
        }
      },
      model: "string",
      node: "string",
      id: "string",
      opId: "string"
    }
  },
  transition: { required: { transitionTo: "string" } },
  error: {
    required: { message: "string" },
    optional: { code: "string", retryable: "boolean", retryAfterMs: "finite", correlationId: "string" }
  },
  abort: { required: { reason: "string" } },
  done: {
    optional: {
      finishReason: "string",
      usage: {
        optional: {
          inputTokens: "finite",
          outputTokens: "finite",
          totalTokens: "finite",
          reasoningTokens: "finite",
          cachedInputTokens: "finite",
          cacheWriteInputTokens: "finite"
        }
      },
      usageByModel: {
        listOf: {
          optional: {
            inputTokens: "finite",
            outputTokens: "finite",
            totalTokens: "finite",
            reasoningTokens: "finite",
            cachedInputTokens: "finite",
            cacheWriteInputTokens: "finite",
            provider: "string",
            model: "string"
          }
        }
      },
      pendingToolCallIds: { listOf: "string" }
    }
  }
};

// packages/protocol/src/chunk-shape.ts
var isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
var scalars = {
  string: { expected: "a string", accepts: (value) => typeof value === "string" },
  boolean: { expected: "a boolean", accepts: (value) => typeof value === "boolean" },
  // JSON text may contain a number too large for a double, which parses to Infinity.
  finite: { expected: "a finite number", accepts: Number.isFinite },
  natural: {
    expected: "a whole number, 0 or more",
    accepts: (value) => Number.isSafeInteger(value) && value >= 0
  },
  /** An object whose fields the contract does not name. */
  record: { expected: "a plain object", accepts: isPlainObject },
  /** What JSON can write, `null` included. */
  JSON: {
    expected: "a JSON value",
    accepts: (value) => !["undefined", "function", "symbol"].includes(typeof value)
  }
};
function isPlainObject(value) {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
}
var chunkTypeOf = (type) => own(chunkTable, type);
var fieldsOf = (type, value) => "kinds" in type ? own(type.kinds, value.kind) : type;
var own = (values, name) => typeof name === "string" && Object.hasOwn(values, name) ? values[name] : void 0;
var rulesByType = /* @__PURE__ */ new Map();
function rulesOf(type) {
  let rules = rulesByType.get(type);
  if (rules === void 0) {
    rules = toRules(type);
    rulesByType.set(type, rules);
  }
  return rules;
}
function toRules({ required = {}, optional = {} }) {
  const byName = /* @__PURE__ */ new Map();
  for (const name in optional) byName.set(name, { type: optional[name], isRequired: false });
  for (const name in required) byName.set(name, { type: required[name], isRequired: true });
  return { byName, requiredCount: Object.keys(required).length };
}

// packages/protocol/src/check-chunk.ts
var lastName;
var lastType;
function findMismatch(value) {
  if (!isRecord(value)) return mismatch("an object", value);
  const name = value.type;
  if (name !== lastName) {
    lastType = chunkTypeOf(name);
    lastName = lastType === void 0 ? void 0 : name;
  }
  if (!Object.hasOwn(value, "type")) return mismatch("a string", void 0, "type");
  if (lastType !== void 0) return checkObject(value, lastType);
  return typeof name === "string" ? "unknown-type" : mismatch("a string", name, "type");
}
function describeMismatch(value, found, position) {
  const { path, expected } = found;
  const problem = `must be ${expected}; got ${describeKind(found.value)}.`;
  const subject = position === void 0 ? "Chunk" : `Chunk ${position}`;
  if (path === "") return `${subject} ${problem}`;
  if (path === "type") return `${subject}: type ${problem}`;
  const { type } = value;
  return `${subject} ${position === void 0 ? `"${type}"` : `("${type}")`}: ${path} ${problem}`;
}
var mismatch = (expected, value, path = "") => ({ path, expected, value });
var inside = (name, { path, expected, value }) => mismatch(expected, value, path === "" ? `${name}` : `${name}.${path}`);
function checkField(value, type) {
  if (typeof type === "string") {
    const { accepts, expected } = scalars[type];
    return accepts(value) ? void 0 : mismatch(expected, value);
  }
  return "listOf" in type ? checkList(value, type.listOf) : checkObject(value, type);
}
function checkList(value, type) {
  if (!Array.isArray(value)) return mismatch("an array", value);
  for (let index = 0; index < value.length; index++) {
    const found = checkField(value[index], type);
    if (found) return inside(index, found);
  }
  return void 0;
}
function checkObject(value, type) {
  if (!isRecord(value)) return mismatch("an object", value);
  const fields = fieldsOf(type, value);
  return fields ? checkFields(value, fields) : checkOtherKind(value.kind, type);
}
function checkOtherKind(kind, { kinds, allowsOtherKinds }) {
  if (allowsOtherKinds && typeof kind === "string") return void 0;
  const expected = allowsOtherKinds ? "a string" : `one of "${Object.keys(kinds).join('", "')}"`;
  return mismatch(expected, kind, "kind");
}
function checkFields(value, fields) {
  const { byName, requiredCount } = rulesOf(fields);
  let foundCount = 0;
  for (const name in value) {
    const rule = byName.get(name);
    const inner = value[name];
    if (rule === void 0 || inner === void 0) continue;
    if (typeof inner !== rule.type) {
      const found = checkField(inner, rule.type);
      if (found) return inside(name, found);
    }
    if (rule.isRequired) foundCount++;
  }
  return foundCount === requiredCount ? void 0 : findMissing(value, fields.required);
}
function findMissing(value, required) {
  for (const name in required) {
    if (Object.hasOwn(value, name) && value[name] !== void 0) continue;
    const found = checkField(void 0, required[name]);
    if (found) return inside(name, found);
  }
  return void 0;
}

// packages/protocol/src/print-chunk.ts
var newTextsPerKept = 32;
var maxKeptLength = 64;
var maxFields = 64;
var needsEscape = /["\\\x00-\x1f\u0085\u2028\u2029\ud800-\udfff]/;
var rawLineBreaks = /[\u0085\u2028\u2029]/g;
function printPlainChunk(value) {
  if (!isPlain(value)) return void 0;
  const shape = shapeOf(value);
  if (shape === void 0) return void 0;
  let json = "";
  let requiredCount = 0;
  let step = shape;
  for (const name in value) {
    const inner = value[name];
    if (inner === void 0) continue;
    const expected = step.next;
    const field = expected !== void 0 && expected.name === name ? expected : follow(shape, step, name);
    const printed = inner === field.text ? field.printedText : printField(field, inner);
    if (printed === void 0) return void 0;
    json += printed;
    if (field.isRequired) requiredCount++;
    step = field;
  }
  if (requiredCount !== shape.requiredCount) return void 0;
  return Object.hasOwn(value, step.name) ? `${json}}` : void 0;
}
function printJSON(value) {
  const json = JSON.stringify(value);
  return json !== void 0 && hasRawLineBreak(json) ? json.replace(rawLineBreaks, escapeCharacter) : json;
}
function isPlain(value) {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && value.toJSON === void 0;
}
var noPrinters = { shape: void 0, byKind: void 0 };
var printersByType = /* @__PURE__ */ new Map();
var lastType2;
var lastPrinters = noPrinters;
function shapeOf(value) {
  const { type } = value;
  const { shape, byKind } = type === lastType2 ? lastPrinters : printersOf(type);
  return shape ?? byKind?.get(value.kind);
}
function printersOf(type) {
  const fields = chunkTypeOf(type);
  if (fields === void 0) return typeof type === "string" ? unknownPrinters : noPrinters;
  lastType2 = type;
  lastPrinters = printersByType.get(type) ?? createPrinters(type, fields);
  return lastPrinters;
}
function createPrinters(type, fields) {
  const created = "kinds" in fields ? { shape: void 0, byKind: createKinds(fields) } : { shape: createShape(fields, "type"), byKind: void 0 };
  printersByType.set(toOwnCopy(type), created);
  return created;
}
var createKinds = ({ kinds }) => new Map(Object.entries(kinds).map(([kind, fields]) => [kind, createShape(fields, "type", "kind")]));
var createShape = (fields, ...tags) => ({
  fields,
  tags,
  requiredCount: rulesOf(fields).requiredCount + tags.length,
  firstFields: /* @__PURE__ */ new Map(),
  otherFields: /* @__PURE__ */ new Map(),
  next: void 0
});
var unknownPrinters = { shape: createShape({}, "type"), byKind: void 0 };
function follow(shape, step, name) {
  const isFirst = step === shape;
  const fields = isFirst ? shape.firstFields : shape.otherFields;
  let field = fields.get(name);
  if (field === void 0) {
    field = createField(shape, name, isFirst ? "{" : ",");
    if (fields.size === maxFields || name.length > maxKeptLength) return field;
    fields.set(name, field);
  }
  step.next = field;
  return field;
}
function createField({ fields, tags }, name, separator) {
  const rule = rulesOf(fields).byName.get(name);
  const opening = `${separator}${printJSON(name)}:`;
  return {
    name,
    type: rule?.type,
    isRequired: rule?.isRequired === true || tags.includes(name),
    takesText: rule === void 0 || checkField("", rule.type) === void 0,
    opening,
    textOpening: `${opening}"`,
    text: void 0,
    printedText: "",
    newTexts: 0,
    next: void 0
  };
}
function printField(field, value) {
  if (typeof value === "string") return field.takesText ? printTextField(field, value) : void 0;
  if (field.type !== void 0 && checkField(value, field.type) !== void 0) return void 0;
  const json = printValue(value);
  return json === void 0 ? void 0 : field.opening + json;
}
function printTextField(field, text) {
  if (text.length > maxKeptLength || !isKept(field)) {
    return needsEscape.test(text) ? field.opening + printJSON(text) : `${field.textOpening}${text}"`;
  }
  field.text = toOwnCopy(text);
  field.printedText = [field.opening, printJSON(text)].join("");
  return field.printedText;
}
var toOwnCopy = (text) => Object.keys({ [text]: 0 })[0];
function isKept(field) {
  field.newTexts = (field.newTexts + 1) % newTextsPerKept;
  return field.newTexts === 1;
}
function printValue(value) {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? `${value}` : "null";
    case "boolean":
      return `${value}`;
    case "object":
      return value === null ? "null" : printObject(value);
    default:
      return void 0;
  }
}
function printObject(value) {
  if ("toJSON" in value) return void 0;
  try {
    return printJSON(value);
  } catch {
    return void 0;
  }
}
var hasRawLineBreak = (json) => json.includes("\u2028") || json.includes("\u2029") || json.includes("\x85");
var escapeCharacter = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

// packages/protocol/src/to-chunk.ts
function toChunk(value, position) {
  return toKnownChunk(value, position) ?? value;
}
function toKnownChunk(value, position) {
  const mismatch2 = findMismatch(value);
  if (mismatch2 === void 0) return value;
  if (mismatch2 === "unknown-type") return void 0;
  const type = isRecord(value) ? chunkTypeOf(value.type) : void 0;
  const mended = mend(value, type);
  const left = findMismatch(mended);
  if (left === void 0) return mended;
  throw new StreamProtocolError("invalid-chunk", describeMismatch(value, left, position));
}
function mend(value, type) {
  if (type === "JSON") return value === void 0 ? null : value;
  if (typeof type !== "object") return value;
  if (!("listOf" in type)) return isRecord(value) ? mendObject(value, type) : value;
  return Array.isArray(value) ? Array.from(value, (item) => mend(item, type.listOf)) : value;
}
function mendObject(value, type) {
  const fields = fieldsOf(type, value);
  if (fields === void 0 || "toJSON" in value) return value;
  const { byName } = rulesOf(fields);
  const entries = [];
  for (const [name, inner] of Object.entries(value)) {
    const rule = byName.get(name);
    const isOptional = rule?.isRequired === false;
    if (!isOptional || !standsForAbsent(inner)) entries.push([name, mend(inner, rule?.type)]);
  }
  for (const [name, { type: type2 }] of byName) {
    if (type2 === "JSON" && !Object.hasOwn(value, name)) entries.push([name, null]);
  }
  return Object.fromEntries(entries);
}
var standsForAbsent = (value) => value === null || typeof value === "number" && !Number.isFinite(value);

// packages/protocol/src/encode-chunk.ts
function printChunk(value, position) {
  const json = printPlainChunk(value);
  if (json !== void 0) return { chunk: value, json };
  const chunk = toChunk(value, position);
  return { chunk, json: stringify(chunk, position) };
}
function stringifyChunk(value) {
  return printChunk(value).json;
}
function stringify(chunk, position) {
  const subject = position === void 0 ? "The chunk" : `Chunk ${position}`;
  let json;
  try {
    json = printJSON(chunk);
  } catch (cause) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      `${subject} cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause }
    );
  }
  if (json === void 0) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      typeof chunk === "object" ? `${subject} cannot be written as JSON: its toJSON() returned nothing.` : `${subject} cannot be written as JSON: expected an object, got ${typeof chunk}.`
    );
  }
  return json;
}

// packages/server/src/stores/run-store.ts
var producerLost = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true
};
var wasNeverBegun = ({ lastSeq, terminal }) => lastSeq === 0 && terminal?.type === "error" && terminal.code === producerLost.code;
var stopped = { type: "abort", reason: "stopped" };
var stoppedKeyMs = 6e4;
var maxStoppedKeys = 1e3;
var foreverMs = 100 * 365 * 864e5;
function readRunStoreTimes({
  retentionMs = 15 * 6e4,
  leaseMs = 15e3
}) {
  const lease = parseDelayMs("leaseMs", leaseMs);
  if (lease === 0) throw new RangeError("leaseMs must be at least 1; got 0.");
  return {
    retentionMs: Math.min(parseDelayMs("retentionMs", retentionMs), foreverMs),
    leaseMs: Math.min(lease, foreverMs)
  };
}
var orWhen = (isExpected, result) => (error) => {
  if (isExpected(error)) return result;
  throw error;
};
function toSpreadableStore(store) {
  return {
    canHandOff: store.canHandOff,
    leaseMs: store.leaseMs,
    open: (request) => store.open(request),
    append: (runId, firstSeq, entries) => store.append(runId, firstSeq, entries),
    renew: (runId) => store.renew(runId),
    end: (runId, terminal, lastSeq) => store.end(runId, terminal, lastSeq),
    endIfLeaseExpired: (runId) => store.endIfLeaseExpired(runId),
    read: (runId, after, limit) => store.read(runId, after, limit),
    wait: (runId, after, signal) => store.wait(runId, after, signal),
    latest: (owner, sessionId) => store.latest(owner, sessionId),
    stopKey: (owner, key) => store.stopKey(owner, key),
    close: () => store.close()
  };
}

// packages/server/src/stores/run-waiters.ts
function createRunWaiters({ onFirst, onLast } = {}) {
  const waiters = /* @__PURE__ */ new Map();
  function wake(runId, lastSeq) {
    for (const { after, resume } of waiters.get(runId) ?? []) {
      if (lastSeq > after) resume();
    }
  }
  return {
    wait(runId, after, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve2) => {
        const ofRun = waiters.get(runId) ?? /* @__PURE__ */ new Set();
        const resume = () => {
          signal.removeEventListener("abort", resume);
          ofRun.delete(waiter);
          if (ofRun.size === 0) waiters.delete(runId);
          if (waiters.size === 0) onLast?.();
          resolve2();
        };
        const waiter = { after, resume };
        signal.addEventListener("abort", resume);
        ofRun.add(waiter);
        waiters.set(runId, ofRun);
        if (waiters.size === 1 && ofRun.size === 1) onFirst?.();
      });
    },
    wake,
    wakeAll() {
      for (const runId of waiters.keys()) wake(runId, Number.POSITIVE_INFINITY);
    },
    runIds: () => [...waiters.keys()]
  };
}

// packages/server/src/stores/sqlite-file.ts
import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
var format = 1;
var creationTimeoutMs = 5e3;
var maxIdleLogBytes = 64 * 1024 * 1024;
var schema = `
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    session_id TEXT,
    key TEXT,
    body_hash TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT -1,
    terminal TEXT,
    renewed_at REAL NOT NULL,
    lease_ms REAL NOT NULL,
    ended_at REAL
  ) STRICT;
  CREATE UNIQUE INDEX runs_by_key ON runs (owner, key) WHERE key IS NOT NULL;
  CREATE INDEX runs_by_session ON runs (owner, session_id, number) WHERE session_id IS NOT NULL;
  CREATE INDEX open_runs ON runs (owner, session_id) WHERE ended_at IS NULL;
  CREATE INDEX ended_runs ON runs (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE entries (
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (number, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE stopped_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX stopped_keys_by_age ON stopped_keys (until);
  PRAGMA user_version = ${format};
`;
function openSqliteFile(path) {
  const isPath = typeof path === "string" && path !== "" && !path.startsWith("file:");
  checkOption("path", isPath, 'the path of a file, or ":memory:"', path);
  if (path !== ":memory:") checkAccess(path);
  let database;
  try {
    database = new DatabaseSync(path);
    prepareFile(database, path);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof UnusableFile) throw refuse(path, cause.message);
    throw refuse(path, describe(String(cause.message)), cause);
  }
}
var UnusableFile = class extends Error {
};
var refuse = (path, reason, cause) => new Error(`path: runs cannot be kept in ${JSON.stringify(path)}: ${reason}`, { cause });
function describe(message) {
  if (message.includes("not a database")) return "it is not a SQLite database. Name another file.";
  if (message.includes("locked")) return `another process has locked it for ${creationTimeoutMs / 1e3} s.`;
  if (message.includes("disk is full")) return "the disk is full.";
  return `${message}.`;
}
function checkAccess(path) {
  const folder = dirname(resolve(path));
  if (statSync(folder, { throwIfNoEntry: false }) === void 0)
    throw refuse(path, `the folder ${JSON.stringify(folder)} does not exist. Create it first.`);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.isDirectory()) throw refuse(path, "it is a folder. Name a file in it.");
  try {
    accessSync(folder, constants.W_OK);
    if (file !== void 0) accessSync(path, constants.W_OK);
  } catch (cause) {
    throw refuse(path, "this process needs write access to the file and its folder.", cause);
  }
}
function prepareFile(database, path) {
  database.exec(`PRAGMA busy_timeout = ${creationTimeoutMs}`);
  const isEmpty = checkFormat(database) === 0;
  if (isEmpty) database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (path !== ":memory:" && mode !== "wal")
    throw new UnusableFile("its file system cannot share memory between processes. Use a local disk.");
  database.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${maxIdleLogBytes}`);
  if (isEmpty) makeTables(database);
  database.exec("PRAGMA busy_timeout = 0");
}
function checkFormat(database) {
  database.exec("SAVEPOINT looking");
  const { user_version: found } = database.prepare("PRAGMA user_version").get();
  const names = database.prepare("SELECT name FROM sqlite_schema").all();
  database.exec("RELEASE looking");
  if (found === 0 && names.length === 0) return 0;
  if (found === 0 || !names.some(({ name }) => name === "stopped_keys"))
    throw new UnusableFile("it holds the tables of another program. Name a file that is used only for runs.");
  if (found > format)
    throw new UnusableFile(
      `a newer version of @kortyx/server has written it (format ${found}; this version knows ${format}). Update the package, or name another file.`
    );
  return found;
}
function makeTables(database) {
  database.exec("BEGIN IMMEDIATE");
  if (checkFormat(database) === 0) database.exec(schema);
  database.exec("COMMIT");
}

// packages/server/src/stream/runtime-function.ts
function findUsable(find) {
  try {
    const schedule = find();
    schedule?.(() => {
    });
    return schedule;
  } catch {
    return void 0;
  }
}

// packages/server/src/stream/next-turn.ts
var runtimeSetImmediate = findUsable(() => globalThis.setImmediate);
var onNextTurn = runtimeSetImmediate ?? ((callback) => setTimeout(callback));
var turnedAt = Number.NEGATIVE_INFINITY;

// packages/server/src/stores/sqlite-lock.ts
var maxWaitMs = 2e3;
var minPauseMs = 1;
var maxPauseMs = 25;
var maxTurnMs = 5;
var isBusy = (error) => String(error).includes("database is locked");
var closed = () => new Error("The run store is closed.");
var isDiskFull = (error) => String(error).includes("database or disk is full");
function createSqliteLock(database, makeRoom) {
  const waiting = [];
  let pauseMs2 = minPauseMs;
  let timer;
  let isClosed = false;
  function transact(begin, work) {
    database.exec(begin);
    try {
      const value = work();
      database.exec("COMMIT");
      return value;
    } catch (error) {
      rollBack();
      throw error;
    }
  }
  function writeNow(change) {
    try {
      return transact("BEGIN IMMEDIATE", change);
    } catch (error) {
      if (isDiskFull(error) && makeRoom(error)) return writeNow(change);
      throw error;
    }
  }
  function rollBack() {
    try {
      database.exec("ROLLBACK");
    } catch {
    }
  }
  function runWaiting() {
    const turnEndsAt = performance.now() + maxTurnMs;
    for (let next = waiting[0]; next !== void 0 && !isClosed; next = waiting[0]) {
      try {
        next.run();
        pauseMs2 = minPauseMs;
      } catch (error) {
        if (isBusy(error) && performance.now() < next.giveUpAt) {
          timer = setTimeout(runWaiting, pauseMs2);
          pauseMs2 = Math.min(pauseMs2 * 2, maxPauseMs);
          return;
        }
        next.reject(error);
      }
      waiting.shift();
      if (waiting.length > 0 && performance.now() > turnEndsAt) {
        onNextTurn(runWaiting);
        return;
      }
    }
  }
  return {
    write(change) {
      if (isClosed) return Promise.reject(closed());
      return new Promise((resolve2, reject) => {
        const run = () => resolve2(writeNow(change));
        waiting.push({ run, reject, giveUpAt: performance.now() + maxWaitMs });
        if (waiting.length === 1) runWaiting();
      });
    },
    async read(look) {
      const giveUpAt = performance.now() + maxWaitMs;
      for (; ; ) {
        try {
          return transact("BEGIN", look);
        } catch (error) {
          if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
        }
        await new Promise((resolve2) => setTimeout(resolve2, maxPauseMs));
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const { reject } of waiting.splice(0)) reject(closed());
    }
  };
}

// packages/server/src/stores/sqlite-reserve.ts
import { rmSync, statfsSync, statSync as statSync2, writeFileSync } from "node:fs";
import { dirname as dirname2 } from "node:path";
var reserveBytes = 8 * 1024 * 1024;
var retryMs = 250;
function createDiskReserve(path) {
  let triedAt = Number.NEGATIVE_INFINITY;
  let isReported = false;
  const hasFile = () => statSync2(path, { throwIfNoEntry: false })?.size === reserveBytes;
  function setAside() {
    try {
      checkRoom();
      writeFileSync(path, noise(reserveBytes));
      isReported = false;
      return true;
    } catch (error) {
      rmSync(path, { force: true });
      report(error);
      return false;
    }
  }
  function checkRoom() {
    const { bavail, blocks, bsize } = statfsSync(dirname2(path));
    const isKnown = blocks > 0;
    if (isKnown && bavail * bsize < reserveBytes)
      throw new Error(`The disk has ${bavail * bsize} bytes left; the reserve needs ${reserveBytes}.`);
  }
  function report(error) {
    if (!isReported)
      console.error(`The disk is too full for ${path}. New runs are refused until there is space.`, error);
    isReported = true;
  }
  return {
    exists() {
      if (hasFile()) return true;
      const now = performance.now();
      if (now - triedAt < retryMs) return false;
      triedAt = now;
      return setAside();
    },
    release(error) {
      if (!hasFile()) return false;
      report(error);
      triedAt = performance.now();
      rmSync(path, { force: true });
      return true;
    }
  };
}
function noise(size) {
  const bytes = new Uint8Array(size);
  for (let start = 0; start < size; start += 65536)
    crypto.getRandomValues(bytes.subarray(start, start + 65536));
  return bytes;
}

// packages/server/src/stores/machine-clock.ts
import os from "node:os";
var clockToleranceMs = 2e3;
var offsetMs = os.uptime() * 1e3 - performance.now();
var resumedAtMs = Number.NEGATIVE_INFINITY;
function readMachineTime() {
  const uptimeMs = os.uptime() * 1e3;
  const elapsedMs = performance.now();
  if (Math.abs(uptimeMs - elapsedMs - offsetMs) > clockToleranceMs) {
    offsetMs = uptimeMs - elapsedMs;
    resumedAtMs = uptimeMs;
  }
  return { nowMs: offsetMs + elapsedMs, resumedAtMs };
}

// packages/server/src/stores/sqlite-runs.ts
var SqliteRuns = class {
  #statements;
  #leaseMs;
  #retentionMs;
  constructor(statements, times) {
    this.#statements = statements;
    this.#leaseMs = times.leaseMs;
    this.#retentionMs = times.retentionMs;
  }
  find(runId) {
    return this.#kept(this.#statements.findRun.get(runId));
  }
  open(request, room) {
    const ended = [];
    const opened = this.#repeat(request.runId) ?? this.#attach(request, ended) ?? this.#refuse(request, ended) ?? (room === "none" ? { status: "store-full" } : this.#create(request));
    return { opened, ended };
  }
  append(runId, firstSeq, entries, room) {
    const row = this.find(runId);
    if (row === void 0) return "lost";
    if (row.terminal !== null) return "ended";
    if (firstSeq > row.seq + 1) return "lost";
    const known = firstSeq > row.seq ? [] : this.#readEntries(row, firstSeq - 1, entries.length);
    if (known.some((json, index) => json !== entries[index])) return "lost";
    const last = firstSeq + entries.length - 1;
    if (room === "none" && last > row.seq) return "full";
    for (let seq = row.seq + 1; seq <= last; seq++) {
      this.#statements.insertEntry.run(row.number, seq, entries[seq - firstSeq]);
    }
    row.seq = Math.max(row.seq, last);
    this.#renewLease(row);
    return "ok";
  }
  renew(runId) {
    const row = this.find(runId);
    if (row === void 0) return "lost";
    if (row.terminal !== null) return "ended";
    this.#renewLease(row);
    return "ok";
  }
  /** @returns the terminal of the run, which may be an earlier one. */
  end(row, terminal) {
    if (row.terminal !== null) return JSON.parse(row.terminal);
    const json = stringifyChunk(terminal);
    row.seq++;
    row.terminal = json;
    this.#statements.insertEntry.run(row.number, row.seq, json);
    this.#statements.setTerminal.run(row.seq, json, Date.now(), row.number);
    return terminal;
  }
  read(runId, after, limit) {
    const row = this.find(runId);
    if (row === void 0) return void 0;
    return {
      run: toRecord(row),
      entries: limit === 0 || after >= row.seq ? [] : this.#readEntries(row, after, limit),
      leaseLeftMs: this.leaseLeftMs(row)
    };
  }
  latest(owner, sessionId) {
    for (const found of this.#statements.findOfSession.iterate(owner, sessionId)) {
      const row = this.#kept(found);
      if (row !== void 0) return toRecord(row);
    }
    return void 0;
  }
  findRunId(owner, key) {
    return this.#kept(this.#statements.findByKey.get(owner, key))?.run_id;
  }
  /** @returns the id of the run with this key; if there is none, the key is remembered as stopped. */
  stopKey(owner, key) {
    const runId = this.findRunId(owner, key);
    if (runId !== void 0) return runId;
    this.#statements.rememberStoppedKey.run(owner, key, Date.now() + stoppedKeyMs);
    this.#statements.capStoppedKeys.run(owner);
    return void 0;
  }
  /** The position of the last entry; Infinity if no more follow, or the run is unknown. */
  reachOf(runId) {
    const row = this.find(runId);
    return row === void 0 || row.terminal !== null ? Number.POSITIVE_INFINITY : row.seq;
  }
  /** The remaining time of the lease in milliseconds; 0 or less if it has expired. */
  leaseLeftMs({ renewed_at, lease_ms }) {
    const { nowMs, resumedAtMs: resumedAtMs2 } = readMachineTime();
    if (renewed_at > nowMs + clockToleranceMs) return 0;
    return Math.max(renewed_at + lease_ms, resumedAtMs2 + this.#leaseMs) - nowMs;
  }
  hasAbandoned() {
    return this.#allOpen().some((row) => this.leaseLeftMs(row) <= 0);
  }
  /** Ends every open run that has lost its writer. @returns those runs. */
  endAbandoned() {
    return this.#endExpired(this.#allOpen());
  }
  /** A run that is already open under this id. */
  #repeat(runId) {
    const row = this.find(runId);
    if (row === void 0) return void 0;
    if (row.terminal === null) this.#renewLease(row);
    return { status: "created", run: toRecord(row) };
  }
  /** The run with the request's key. Releases a key whose run is gone, or never began. */
  #attach({ owner, key, bodyHash }, ended) {
    if (key === void 0) return void 0;
    const known = this.#statements.findByKey.get(owner, key);
    if (known === void 0) return void 0;
    if (this.#isGone(known)) {
      this.#statements.forgetRun.run(known.number);
      return void 0;
    }
    if (known.terminal === null) ended.push(...this.#endExpired([known]));
    const run = toRecord(known);
    if (!wasNeverBegun(run)) {
      return known.body_hash === bodyHash ? { status: "attached", run } : { status: "key-conflict" };
    }
    this.#statements.releaseKey.run(known.number);
    return void 0;
  }
  /** Why the owner's open runs rule out another run, if they do. Ends those that have lost their writer. */
  #refuse(request, ended) {
    const { owner, sessionId, maxOpenRuns, allowActiveRun } = request;
    if (owner === "") return void 0;
    const rows = this.#statements.findOpen.all(owner);
    const expired = this.#endExpired(rows);
    ended.push(...expired);
    const open = rows.filter((row) => !expired.includes(row));
    const active = open.find((row) => sessionId !== void 0 && row.session_id === sessionId);
    if (active !== void 0 && !allowActiveRun) return { status: "run-active", run: toRecord(active) };
    return open.length >= maxOpenRuns ? { status: "too-many-runs" } : void 0;
  }
  #create({ runId, owner, sessionId, key, bodyHash }) {
    const { insertRun, findRun, takeStoppedKey } = this.#statements;
    const { nowMs } = readMachineTime();
    insertRun.run(runId, owner, sessionId ?? null, key ?? null, bodyHash, nowMs, this.#leaseMs);
    const row = findRun.get(runId);
    const isStopped = key !== void 0 && takeStoppedKey.run(owner, key, Date.now()).changes > 0;
    if (isStopped) this.end(row, stopped);
    return { status: "created", run: toRecord(row) };
  }
  #readEntries(row, after, limit) {
    return this.#statements.readEntries.all(row.number, after, limit).map(({ json }) => json);
  }
  #renewLease({ seq, number }) {
    this.#statements.setSeq.run(seq, readMachineTime().nowMs, this.#leaseMs, number);
  }
  #allOpen() {
    return this.#statements.findAllOpen.all();
  }
  /** @returns which of these open runs have lost their writer. */
  #endExpired(rows) {
    const expired = rows.filter((row) => this.leaseLeftMs(row) <= 0);
    for (const row of expired) {
      if (this.#isGone(row)) this.#statements.forgetRun.run(row.number);
      else this.end(row, producerLost);
    }
    return expired;
  }
  #kept(row) {
    return row === void 0 || this.#isGone(row) ? void 0 : row;
  }
  /** Whether a run's retention has passed, so that callers no longer find it. */
  #isGone(row) {
    if (row.ended_at !== null) return row.ended_at <= Date.now() - this.#retentionMs;
    return this.leaseLeftMs(row) <= -this.#retentionMs;
  }
};
var toRecord = ({ run_id, owner, session_id, seq, terminal }) => ({
  runId: run_id,
  owner,
  sessionId: session_id ?? void 0,
  lastSeq: seq,
  terminal: terminal === null ? void 0 : JSON.parse(terminal)
});

// packages/server/src/stores/sqlite-statements.ts
function prepareSqliteStatements(database) {
  return {
    ...prepareRunStatements(database),
    insertEntry: database.prepare("INSERT INTO entries (number, seq, json) VALUES (?, ?, ?)"),
    readEntries: database.prepare(
      "SELECT json FROM entries WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?"
    ),
    /** Deletes entries of a run, at most as many as the last parameter. */
    deleteEntries: database.prepare(
      `DELETE FROM entries WHERE (number, seq) IN
       (SELECT number, seq FROM entries WHERE number = ? LIMIT ?)`
    ),
    takeStoppedKey: database.prepare("DELETE FROM stopped_keys WHERE owner = ? AND key = ? AND until > ?"),
    rememberStoppedKey: database.prepare(
      "INSERT OR REPLACE INTO stopped_keys (owner, key, until) VALUES (?, ?, ?)"
    ),
    capStoppedKeys: database.prepare(
      `DELETE FROM stopped_keys WHERE owner = ?1 AND key IN
       (SELECT key FROM stopped_keys WHERE owner = ?1 ORDER BY until DESC LIMIT -1 OFFSET ${maxStoppedKeys})`
    ),
    findExpiredKey: database.prepare("SELECT 1 FROM stopped_keys WHERE until <= ? LIMIT 1"),
    /** Deletes keys, at most as many as the last parameter. */
    deleteExpiredKeys: database.prepare(
      `DELETE FROM stopped_keys WHERE (owner, key) IN
       (SELECT owner, key FROM stopped_keys WHERE until <= ? LIMIT ?)`
    ),
    /** Changes with every write of another connection. */
    readVersion: database.prepare("PRAGMA data_version"),
    countPages: database.prepare("PRAGMA page_count"),
    countFreePages: database.prepare("PRAGMA freelist_count")
  };
}
function prepareFind(database, rest) {
  const statement = database.prepare(
    `SELECT number, json_array(run_id, owner, session_id) AS names, body_hash, seq, terminal, renewed_at, lease_ms, ended_at
     FROM runs WHERE ${rest}`
  );
  const toRow = ({ names, ...rest2 }) => {
    const [run_id, owner, session_id] = JSON.parse(names);
    return { ...rest2, run_id, owner, session_id };
  };
  return {
    get(...values) {
      const found = statement.get(...values);
      return found && toRow(found);
    },
    all: (...values) => statement.all(...values).map(toRow),
    *iterate(...values) {
      for (const found of statement.iterate(...values)) yield toRow(found);
    }
  };
}
function prepareRunStatements(database) {
  const find = (rest) => prepareFind(database, rest);
  return {
    findRun: find("run_id = ?"),
    findByKey: find("owner = ? AND key = ?"),
    findOfSession: find("owner = ? AND session_id = ? ORDER BY number DESC"),
    findOpen: find("owner = ? AND ended_at IS NULL"),
    findAllOpen: find("ended_at IS NULL"),
    findEnded: database.prepare("SELECT number FROM runs WHERE ended_at <= ? ORDER BY ended_at LIMIT 1"),
    insertRun: database.prepare(
      `INSERT INTO runs (run_id, owner, session_id, key, body_hash, renewed_at, lease_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`
    ),
    setSeq: database.prepare("UPDATE runs SET seq = ?, renewed_at = ?, lease_ms = ? WHERE number = ?"),
    setTerminal: database.prepare("UPDATE runs SET seq = ?, terminal = ?, ended_at = ? WHERE number = ?"),
    releaseKey: database.prepare("UPDATE runs SET key = NULL WHERE number = ?"),
    /** Makes the run look as if it never existed; its rows are deleted later. */
    forgetRun: database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?"),
    deleteRun: database.prepare("DELETE FROM runs WHERE number = ?")
  };
}

// packages/server/src/stream/start-timer.ts
var startTimer = (callback, delayMs) => delayMs > maxTimerMs ? void 0 : setTimeout(callback, delayMs);
var startInterval = (callback, intervalMs2) => intervalMs2 > maxTimerMs ? void 0 : setInterval(callback, intervalMs2);
function unref(timer) {
  timer?.unref?.();
  return timer;
}

// packages/server/src/stores/sqlite-upkeep.ts
var intervalMs = 5e3;
var intervalWhenFullMs = 500;
var maxSliceMs = 4;
var pauseMs = 10;
var maxDeleted = 100;
var keptPages = 1024;
var SqliteUpkeep = class {
  #options;
  #isRunning = false;
  #isClosed = false;
  #dueAt = Number.NEGATIVE_INFINITY;
  #timer;
  constructor(options) {
    this.#options = options;
  }
  /** Begins if the interval has passed. */
  start() {
    if (this.#isRunning || this.#isClosed || performance.now() < this.#dueAt) return;
    this.#isRunning = true;
    queueMicrotask(() => this.#run());
  }
  /** Begins soon, so that SQLite writes its log from the beginning again, for which the file itself needs space. */
  reuseLog() {
    this.#dueAt = Number.NEGATIVE_INFINITY;
    try {
      this.#checkpoint();
    } catch {
    }
  }
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
  async #run() {
    const { hasRoom, endAbandoned, retentionMs } = this.#options;
    clearTimeout(this.#timer);
    this.#isRunning = true;
    if (!hasRoom()) this.reuseLog();
    try {
      await endAbandoned();
      await this.#repeatWhile(
        () => this.#hasExpired(),
        () => this.#deleteSome()
      );
      const shrinks = await this.#repeatWhile(
        () => this.#isTooLarge(),
        () => this.#shrink()
      );
      if (shrinks > 0) this.#checkpoint();
    } catch {
    }
    this.#isRunning = false;
    if (this.#isClosed) return;
    const isFull = !hasRoom();
    const untilNextMs = isFull ? intervalWhenFullMs : Math.min(intervalMs, retentionMs);
    this.#dueAt = performance.now() + untilNextMs;
    if (isFull) this.#timer = unref(startTimer(() => this.#run(), intervalWhenFullMs));
  }
  /** @returns how often `change` ran. */
  async #repeatWhile(isNeeded, change) {
    let count = 0;
    for (; !this.#isClosed && isNeeded(); count++) {
      await this.#options.lock.write(change);
      await new Promise((resolve2) => unref(setTimeout(resolve2, pauseMs)));
    }
    return count;
  }
  #hasExpired() {
    const { findExpiredKey } = this.#options.statements;
    return this.#findEnded() !== void 0 || findExpiredKey.get(Date.now()) !== void 0;
  }
  /** A run whose retention has passed. */
  #findEnded() {
    const { statements, retentionMs } = this.#options;
    return statements.findEnded.get(Date.now() - retentionMs)?.number;
  }
  /** Within a transaction. */
  #deleteSome() {
    const { deleteExpiredKeys, deleteEntries, forgetRun, deleteRun } = this.#options.statements;
    const endsAt = performance.now() + maxSliceMs;
    deleteExpiredKeys.run(Date.now(), maxDeleted);
    do {
      const number = this.#findEnded();
      if (number === void 0) return;
      if (deleteEntries.run(number, maxDeleted).changes === maxDeleted) forgetRun.run(number);
      else deleteRun.run(number);
    } while (performance.now() < endsAt);
  }
  #isTooLarge() {
    const { statements, hasRoom } = this.#options;
    const free = statements.countFreePages.get().freelist_count;
    const pages = statements.countPages.get().page_count;
    return free > (hasRoom() ? Math.max(keptPages, pages / 4) : 0);
  }
  /** Within a transaction. */
  #shrink() {
    const endsAt = performance.now() + maxSliceMs;
    do
      this.#options.database.exec(`PRAGMA incremental_vacuum(${maxDeleted})`);
    while (this.#isTooLarge() && performance.now() < endsAt);
  }
  #checkpoint() {
    this.#options.database.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
};

// packages/server/src/sqlite.ts
var pollMs = 50;
function createSqliteRunStore(options) {
  checkObjectOption("The options of createSqliteRunStore", options, "an object with a path");
  return toSpreadableStore(new SqliteRunStore(options));
}
var SqliteRunStore = class {
  canHandOff;
  leaseMs;
  #database;
  #statements;
  #reserve;
  #lock;
  #runs;
  #upkeep;
  /** Our own writes wake waiters at once; other processes' writes change the version of the file. */
  #waiters = createRunWaiters({
    onFirst: () => this.#watchFile(),
    onLast: () => clearInterval(this.#pollTimer)
  });
  #pollTimer;
  /** The version of the file when it was last polled. */
  #version;
  #isClosed = false;
  constructor(options) {
    const { path, canHandOff = false } = options;
    const times = readRunStoreTimes(options);
    this.canHandOff = canHandOff;
    this.leaseMs = times.leaseMs;
    this.#database = openSqliteFile(path);
    this.#reserve = path === ":memory:" ? void 0 : createDiskReserve(`${path}-reserve`);
    this.#hasRoom();
    this.#statements = prepareSqliteStatements(this.#database);
    this.#runs = new SqliteRuns(this.#statements, times);
    this.#lock = createSqliteLock(this.#database, (error) => this.#releaseReserve(error));
    this.#upkeep = new SqliteUpkeep({
      database: this.#database,
      statements: this.#statements,
      lock: this.#lock,
      retentionMs: times.retentionMs,
      hasRoom: () => this.#hasRoom(),
      endAbandoned: () => this.#endAbandoned()
    });
  }
  async open(request) {
    const room = this.#room();
    const { opened, ended } = await this.#write(() => this.#runs.open(request, room)).catch(
      orWhen(isDiskFull, { opened: { status: "store-full" }, ended: [] })
    );
    this.#wakeEnded(ended);
    return opened;
  }
  async append(runId, firstSeq, entries) {
    const room = this.#room();
    const result = await this.#write(() => this.#runs.append(runId, firstSeq, entries, room)).catch(
      orWhen(isDiskFull, "full")
    );
    if (result === "ok") this.#waiters.wake(runId, firstSeq + entries.length - 1);
    return result;
  }
  async renew(runId) {
    return this.#write(() => this.#runs.renew(runId));
  }
  async end(runId, terminal, lastSeq = -1) {
    return this.#endWith(runId, ({ seq }) => seq >= lastSeq ? terminal : producerLost);
  }
  async endIfLeaseExpired(runId) {
    return this.#endWith(runId, (row) => this.#runs.leaseLeftMs(row) > 0 ? void 0 : producerLost);
  }
  async read(runId, after, limit) {
    return this.#lock.read(() => this.#runs.read(runId, after, limit));
  }
  async wait(runId, after, signal) {
    const waiting = this.#waiters.wait(runId, after, signal);
    try {
      this.#waiters.wake(runId, this.#runs.reachOf(runId));
    } catch {
      this.#waiters.wake(runId, Number.POSITIVE_INFINITY);
    }
    await waiting;
  }
  async latest(owner, sessionId) {
    return this.#lock.read(() => this.#runs.latest(owner, sessionId));
  }
  async stopKey(owner, key) {
    const runId = await this.#lock.read(() => this.#runs.findRunId(owner, key));
    return runId ?? this.#write(() => this.#runs.stopKey(owner, key));
  }
  async close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pollTimer);
    this.#upkeep.close();
    this.#lock.close();
    this.#waiters.wakeAll();
    this.#database.close();
  }
  /** Writes, and afterwards cleans up if due. */
  async #write(change) {
    try {
      return await this.#lock.write(change);
    } finally {
      this.#upkeep.start();
    }
  }
  /** @param choose - Returns the terminal; undefined leaves the run open. */
  async #endWith(runId, choose) {
    const terminalOf = (row) => row.terminal === null ? choose(row) : JSON.parse(row.terminal);
    const found = await this.#lock.read(() => this.#runs.find(runId));
    if (found === void 0 || found.terminal !== null) return found && terminalOf(found);
    if (terminalOf(found) === void 0) return void 0;
    const result = await this.#write(() => {
      const row = this.#runs.find(runId);
      const terminal = row && terminalOf(row);
      return terminal && this.#runs.end(row, terminal);
    });
    if (result !== void 0) this.#waiters.wake(runId, Number.POSITIVE_INFINITY);
    return result;
  }
  async #endAbandoned() {
    if (!this.#runs.hasAbandoned()) return;
    this.#wakeEnded(await this.#lock.write(() => this.#runs.endAbandoned()));
  }
  #wakeEnded(rows) {
    for (const { run_id } of rows) this.#waiters.wake(run_id, Number.POSITIVE_INFINITY);
  }
  #watchFile() {
    if (!this.#isClosed) this.#pollTimer = unref(startInterval(() => this.#poll(), pollMs));
  }
  #poll() {
    try {
      const version = this.#statements.readVersion.get()?.data_version;
      if (version === this.#version) return;
      this.#version = version;
      for (const runId of this.#waiters.runIds()) this.#waiters.wake(runId, this.#runs.reachOf(runId));
    } catch {
      this.#waiters.wakeAll();
    }
  }
  /** Creates the reserve again if there is space for it. */
  #hasRoom() {
    return this.#reserve?.exists() ?? true;
  }
  #room() {
    return this.#hasRoom() ? "free" : "none";
  }
  /** @returns whether there is space now, so that the transaction can be repeated. */
  #releaseReserve(error) {
    if (!this.#reserve?.release(error)) return false;
    this.#upkeep.reuseLog();
    return true;
  }
};
export {
  createSqliteRunStore
};
