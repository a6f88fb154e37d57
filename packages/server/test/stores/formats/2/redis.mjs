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
var parseTimeoutMs = (name, ms) => parseDelayMs(name, ms) || Number.POSITIVE_INFINITY;

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

// packages/server/src/stream/start-timer.ts
var startTimer = (callback, delayMs) => delayMs > maxTimerMs ? void 0 : setTimeout(callback, delayMs);
var startInterval = (callback, intervalMs) => intervalMs > maxTimerMs ? void 0 : setInterval(callback, intervalMs);
function unref(timer) {
  timer?.unref?.();
  return timer;
}

// packages/server/src/stores/ioredis-link.ts
var minConnectTimeoutMs = 1e3;
var retryDelayMs = (attempt) => Math.min(attempt * 50, 1e3) * (1 + Math.random());
var ownOptions = {
  lazyConnect: true,
  // Everything that is unanswered when a connection closes fails, and is not repeated on the next one.
  maxRetriesPerRequest: 0,
  autoResubscribe: true,
  // Unlike the client of the application, they never give up.
  retryStrategy: retryDelayMs,
  enableAutoPipelining: false,
  // The store has its own.
  commandTimeout: void 0,
  // Otherwise a silent connection would keep a process alive.
  disconnectTimeout: 0,
  // The store prepends it, because it applies to keys, but not to all channels.
  keyPrefix: "",
  monitor: false,
  stringNumbers: false
};
function isIoRedis(client) {
  const found = client;
  const hasMethods = ["eval", "evalsha", "duplicate", "disconnect"].every(
    (name) => typeof found?.[name] === "function"
  );
  return hasMethods && typeof found?.status === "string";
}
function fromIoRedis(given, commandTimeoutMs) {
  if (given.status === "end") {
    throw new TypeError(
      "client must not be closed: create a client for createRedisRunStore() that you have not disconnected."
    );
  }
  const client = given;
  const duplicate = () => toOwnLink(duplicateOf(client, commandTimeoutMs));
  let own2;
  let isDestroyed = false;
  const open = () => {
    if (isDestroyed) throw closed();
    if (own2 === void 0) {
      own2 = duplicate();
      own2.connect().catch(() => {
      });
    }
    return own2;
  };
  return {
    isCluster: client.isCluster,
    isSharded: isSharded(client),
    keyPrefix: client.options.keyPrefix ?? "",
    eval: async (...call) => open().eval(...call),
    evalSha: async (...call) => open().evalSha(...call),
    duplicate,
    destroy() {
      isDestroyed = true;
      own2?.destroy();
    }
  };
}
var isSharded = ({ isCluster: isCluster2, options }) => isCluster2 && "shardedSubscribers" in options;
function duplicateOf(client, commandTimeoutMs) {
  if (!client.isCluster) return client.duplicate(ownOptions);
  const redisOptions = {
    ...ownOptions,
    // A node queues commands while it connects. These two make it fail them before, or soon after, their callers give up.
    enableReadyCheck: false,
    ...commandTimeoutMs > 0 && { connectTimeout: Math.max(commandTimeoutMs, minConnectTimeoutMs) }
  };
  return client.duplicate([], {
    ...ownOptions,
    redisOptions,
    clusterRetryStrategy: retryDelayMs,
    ...isSharded(client) && { shardedSubscribers: true },
    // Callers try again themselves, and know when to stop.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    // Otherwise it would ask the nodes 16 times, without a pause, where a script's keys are.
    maxRedirections: 4
  });
}
function toOwnLink(connection) {
  const gate = new ReadyGate(connection);
  const onMessage = /* @__PURE__ */ new Map();
  const sharded = isSharded(connection);
  connection.on("error", () => {
  });
  connection.on(sharded ? "smessage" : "message", (channel, message) => onMessage.get(channel)?.(message));
  return {
    async eval(script, { keys, values }, signal) {
      await gate.pass(signal);
      return connection.eval(script, keys.length, ...keys, ...values);
    },
    async evalSha(sha12, { keys, values }, signal) {
      await gate.pass(signal);
      return connection.evalsha(sha12, keys.length, ...keys, ...values);
    },
    connect: () => connection.connect(),
    async subscribe(channel, listener) {
      onMessage.set(channel, listener);
      await gate.pass();
      return sharded ? connection.ssubscribe(channel) : connection.subscribe(channel);
    },
    async unsubscribe(channel) {
      onMessage.delete(channel);
      return sharded ? connection.sunsubscribe(channel) : connection.unsubscribe(channel);
    },
    destroy() {
      gate.close();
      connection.disconnect();
    }
  };
}
var ReadyGate = class {
  #connection;
  #waiting = /* @__PURE__ */ new Set();
  #isClosed = false;
  constructor(connection) {
    this.#connection = connection;
    connection.on("ready", () => this.#settle());
  }
  /** Rejects when the signal is aborted, even if the connection is ready, and when the connection is destroyed. */
  async pass(signal) {
    signal?.throwIfAborted();
    if (this.#connection.status === "ready") return;
    if (this.#isClosed) throw closed();
    let settle = () => {
    };
    const withdraw = () => settle(signal?.reason);
    signal?.addEventListener("abort", withdraw);
    try {
      await new Promise((resolve, reject) => {
        settle = (error) => error === void 0 ? resolve() : reject(error);
        this.#waiting.add(settle);
      });
    } finally {
      signal?.removeEventListener("abort", withdraw);
      this.#waiting.delete(settle);
    }
  }
  close() {
    this.#isClosed = true;
    this.#settle(closed());
  }
  #settle(error) {
    for (const settle of this.#waiting) settle(error);
  }
};
var closed = () => new Error("The connection to Redis is closed.");

// packages/server/src/stores/node-redis-link.ts
var methods = ["eval", "evalSha", "withCommandOptions", "duplicate"];
function isNodeRedis(client) {
  const found = client;
  return methods.every((name) => typeof found?.[name] === "function");
}
function fromNodeRedis(client) {
  const { isOpen, isPubSubActive, options } = client;
  if (isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore()."
    );
  }
  if (isPubSubActive && options?.RESP === 2) {
    throw new TypeError(
      "client must be able to execute commands, but in RESP 2 it only listens to channels: create another one for createRedisRunStore(), as `await client.duplicate().connect()` does."
    );
  }
  return toLink(client);
}
function toLink(client) {
  const calls = (abortSignal) => client.withCommandOptions({ abortSignal });
  return {
    isCluster: isCluster(client),
    isSharded: isCluster(client),
    keyPrefix: "",
    eval: (script, { keys, values }, signal) => calls(signal).eval(script, { keys, arguments: values }),
    evalSha: (sha12, { keys, values }, signal) => calls(signal).evalSha(sha12, { keys, arguments: values }),
    duplicate: () => toOwnLink2(client.duplicate(isCluster(client) ? changesOf(client) : {})),
    destroy() {
    }
  };
}
var isCluster = (client) => "slots" in client;
var rootTimeoutMs = 1e3;
function changesOf({ masters }) {
  const timeouts = { connectTimeout: rootTimeoutMs, socketTimeout: rootTimeoutMs };
  const rootNodes = masters.flatMap(({ client }) => {
    if (client === void 0) return [];
    const socket = { ...client.options.socket, ...timeouts };
    return [{ ...client.options, clientSideCache: void 0, socket }];
  });
  return { minimizeConnections: true, ...rootNodes.length > 0 && { rootNodes } };
}
function handleFailures(connection) {
  const { sSubscribe } = connection;
  connection.sSubscribe = (...call) => {
    const subscribed = sSubscribe.apply(connection, call);
    subscribed.catch(() => {
    });
    return subscribed;
  };
}
function toOwnLink2(connection) {
  connection.on("error", () => {
  });
  const { isSharded: isSharded2, eval: evaluate, evalSha } = toLink(connection);
  if (isSharded2) handleFailures(connection);
  const destroy = () => {
    try {
      connection.destroy();
    } catch {
    }
  };
  return {
    eval: evaluate,
    evalSha,
    connect: () => connection.connect(),
    subscribe: (channel, onMessage) => isSharded2 ? connection.sSubscribe(channel, onMessage) : connection.subscribe(channel, onMessage),
    unsubscribe: (channel) => isSharded2 ? connection.sUnsubscribe(channel) : connection.unsubscribe(channel),
    destroy() {
      connection.on("ready", destroy);
      destroy();
    }
  };
}

// packages/server/src/stores/redis-client.ts
var connectTimeoutMs = 5e3;
function openConnection(link) {
  const connection = link.duplicate();
  const opened = new Promise((resolve, reject) => {
    const timer = unref(
      startTimer(() => {
        connection.destroy();
        reject(new Error(`No connection to Redis within ${connectTimeoutMs} ms.`));
      }, connectTimeoutMs)
    );
    connection.connect().then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
  return { connection, opened };
}
function toRedisLink(client, commandTimeoutMs) {
  if (isNodeRedis(client)) return fromNodeRedis(client);
  checkOption(
    "client",
    isIoRedis(client),
    "a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` returns it, or one of ioredis, as `new Redis(url)` creates it (not a pool)",
    client
  );
  return fromIoRedis(client, commandTimeoutMs);
}

// packages/server/src/stores/redis-scripts.ts
var now = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;
var library = (publish) => `
${now}
local LEASE = tonumber(ARGV[1])
local KEEP = tonumber(ARGV[2])
-- A run is named by the position of its first key; the second one is its log.
local function record(run)
  return redis.call('HMGET', KEYS[run], 'owner', 'session', 'seq', 'terminal', 'hash', 'lease')
end
local function keep(run, ms)
  redis.call('PEXPIRE', KEYS[run], ms)
  redis.call('PEXPIRE', KEYS[run + 1], ms)
end
-- Where it is unknown, a lost message is one that comes late.
local function announce(channel, position) redis.pcall('${publish}', channel, position) end
local function finish(run, found, terminal)
  if found[4] then return found[4] end
  local seq = tonumber(found[3]) + 1
  -- First, because it works when Redis is full.
  redis.call('PEXPIRE', KEYS[run], LEASE + KEEP)
  redis.call('XADD', KEYS[run + 1], (seq + 1) .. '-0', 'json', terminal)
  redis.call('HSET', KEYS[run], 'seq', seq, 'terminal', terminal)
  keep(run, KEEP)
  announce(KEYS[run + 1], 'Infinity')
  announce(KEYS[run + 1] .. ':end', 'Infinity')
  return terminal
end
local function renew(run, seq)
  local left = redis.call('PTTL', KEYS[run])
  -- Either is a write that works when Redis is full.
  if left < LEASE * 2 / 3 + KEEP then keep(run, LEASE + KEEP) else redis.call('PEXPIRE', KEYS[run], left) end
  redis.call('HSET', KEYS[run], 'seq', seq, 'lease', now + LEASE)
end
-- The reply that asks for keys: a list, because unpack() takes at most some 8,000 ids.
local others, undeclared = {}, {'declare'}
-- The ids of other runs begin at this position of ARGV, and their keys at that position of KEYS.
local function declare(arg, key)
  for i = arg, #ARGV do others[ARGV[i]] = key + 2 * (i - arg) end
end
local function find(id)
  if id and not others[id] then table.insert(undeclared, id) end
  return id and others[id]
end
`;
var bodies = {
  /** `format`, `earlier` if such runs are possible · formatNumber. Returns the number, and 1 if runs of format 1 may be left. */
  format: `
local known = redis.call('GET', KEYS[1])
local isCurrent = known and tonumber(known) >= tonumber(ARGV[3])
-- pcall: without room for them, both are written by a process that starts later.
if known and not isCurrent and KEYS[2] then redis.pcall('SET', KEYS[2], known, 'PX', LEASE + KEEP) end
if not isCurrent then redis.pcall('SET', KEYS[1], ARGV[3]) end
local isEarlier = KEYS[2] and (known and not isCurrent or redis.call('EXISTS', KEYS[2]) == 1)
return {isCurrent and known or ARGV[3], isEarlier and 1 or 0}`,
  /**
   * run, log, (open, key, session, stops) of one or two formats, others… · id, owner, session, key, hash, maxOpenRuns,
   * allowActiveRun, producerLost, stopped, number of formats, ids of others…
   */
  open: `
local id, owner, session, key, hash, formats = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[12])
local repeated = record(1)
if repeated[1] then
  if not repeated[4] then renew(1, repeated[3]) end
  return {'created', id, unpack(repeated, 1, 4)}
end
declare(13, 3 + 4 * formats)
local known
local members = {}
for first = 3, 4 * formats, 4 do
  known = known or key ~= '' and redis.call('GET', KEYS[first + 1])
  for _, other in ipairs(owner ~= '' and redis.call('SMEMBERS', KEYS[first]) or {}) do
    members[other] = first
    find(other)
  end
end
find(known)
if #undeclared > 1 then return undeclared end
local open, gone, expired = 0, {}, {}
local run = known and record(others[known])
if run and run[1] then
  -- The key of a run that was lost before its first entry is free.
  local isExpired = run[3] == '-1' and tonumber(run[6]) <= now
  if isExpired then
    expired[known] = run
  elseif run[3] ~= '0' or run[4] ~= ARGV[10] then
    if run[5] ~= hash then return {'key-conflict'} end
    return {'attached', known, unpack(run, 1, 4)}
  end
end
for other, first in pairs(members) do
  local run = record(others[other])
  if not run[1] or run[4] then
    gone[other] = first
  elseif tonumber(run[6]) <= now then
    gone[other] = first
    expired[other] = run
  else
    if ARGV[9] == '0' and session ~= '' and run[2] == session then return {'run-active', other, unpack(run, 1, 4)} end
    open = open + 1
  end
end
if owner ~= '' and open >= tonumber(ARGV[8]) then return {'too-many-runs'} end
-- The first write takes memory, so that a full Redis refuses the run as a whole.
redis.call('HSET', KEYS[1], 'owner', owner, 'session', session, 'seq', -1, 'hash', hash, 'lease', now + LEASE)
for other, first in pairs(gone) do redis.call('SREM', KEYS[first], other) end
for other, run in pairs(expired) do finish(others[other], run, ARGV[10]) end
if owner ~= '' then
  redis.call('SADD', KEYS[3], id)
  -- Other runs of the owner may be open for longer.
  redis.call('PEXPIRE', KEYS[3], LEASE + KEEP)
end
if session ~= '' then redis.call('SET', KEYS[5], id, 'PX', LEASE + KEEP) end
local wasStopped = false
if key ~= '' then
  redis.call('SET', KEYS[4], id, 'PX', LEASE + KEEP)
  for first = 3, 4 * formats, 4 do
    local forgottenAt = redis.call('ZSCORE', KEYS[first + 3], key)
    wasStopped = wasStopped or forgottenAt and tonumber(forgottenAt) > now
    if forgottenAt then redis.call('ZREM', KEYS[first + 3], key) end
  end
end
keep(1, LEASE + KEEP)
if wasStopped then finish(1, record(1), ARGV[11]) end
return {'created', id, unpack(record(1), 1, 4)}`,
  /** run, log, names to keep… · firstSeq, entries… */
  append: `
local first = tonumber(ARGV[3])
local run = record(1)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
local seq = tonumber(run[3])
if first > seq + 1 then return 'lost' end
local last = first + #ARGV - 4
if first <= seq and last >= first then
  local known = redis.call('XRANGE', KEYS[2], (first + 1) .. '-0', '+', 'COUNT', last - first + 1)
  for i, entry in ipairs(known) do
    if entry[2][2] ~= ARGV[3 + i] then return 'lost' end
  end
end
for i = seq + 1, last do
  redis.call('XADD', KEYS[2], (i + 1) .. '-0', 'json', ARGV[4 + i - first])
end
if seq == -1 then keep(1, LEASE + KEEP) end
renew(1, math.max(seq, last))
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], LEASE + KEEP) end
announce(KEYS[2], last)
return 'ok'`,
  /** run, log, names to keep… */
  renew: `
local run = record(1)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
renew(1, run[3])
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], LEASE + KEEP) end
return 'ok'`,
  /** run, log, open and key if known · id, terminal, lastSeq, producerLost */
  end: `
local run = record(1)
if not run[1] then return false end
local isWhole = tonumber(run[3]) >= tonumber(ARGV[5])
local terminal = finish(1, run, isWhole and ARGV[4] or ARGV[6])
if KEYS[3] then redis.call('SREM', KEYS[3], ARGV[3]) end
if KEYS[4] then redis.call('PEXPIRE', KEYS[4], KEEP) end
return terminal`,
  /** run, log, open if known · id, producerLost */
  endIfLeaseExpired: `
local run = record(1)
if not run[1] then return false end
if not run[4] and tonumber(run[6]) > now then return false end
local terminal = finish(1, run, ARGV[4])
if KEYS[3] then redis.call('SREM', KEYS[3], ARGV[3]) end
return terminal`,
  /** run, log · after, limit, withNames */
  read: `
local run = record(1)
if not run[1] then return false end
local entries = {}
if tonumber(ARGV[4]) > 0 and tonumber(ARGV[3]) < tonumber(run[3]) then
  local first = (tonumber(ARGV[3]) + 2) .. '-0'
  local found = redis.call('XRANGE', KEYS[2], first, '+', 'COUNT', ARGV[4])
  -- A log that was evicted, wholly or in its first part, is lost.
  if not found[1] or found[1][1] ~= first then return false end
  for i, entry in ipairs(found) do entries[i] = entry[2][2] end
end
local names = ARGV[5] == '1' and {run[1], run[2]} or {}
return {run[3], run[4], entries, math.ceil(run[6] - now), names}`,
  /** session of one or two formats */
  latest: `
for i = 1, #KEYS do
  local id = redis.call('GET', KEYS[i])
  if id then return id end
end
return false`,
  /** (key, stops) of one or two formats, others… · key, rememberMs, maxStoppedKeys, number of formats, ids of others… */
  stopKey: `
local formats = tonumber(ARGV[6])
declare(7, 1 + 2 * formats)
for i = 1, 2 * formats, 2 do
  local id = redis.call('GET', KEYS[i])
  local run = find(id)
  if run and redis.call('EXISTS', KEYS[run]) == 1 then return {'found', id} end
end
if #undeclared > 1 then return undeclared end
-- First, because it works when Redis is full.
for i = 2, 2 * formats, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + ARGV[4], ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -1 - ARGV[5])
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return {'unknown'}`
};
var redisScript = (name, isSharded2) => library(isSharded2 ? "SPUBLISH" : "PUBLISH") + bodies[name];

// packages/server/src/stores/redis-commands.ts
var movingRetryMs = 25;
var RedisCommands = class {
  #options;
  #hashes = /* @__PURE__ */ new Map();
  /** The client, or its replacement. */
  #current;
  /** The possible replacement for a connection that does not reply. */
  #candidate;
  #isClosed = false;
  constructor(options) {
    this.#options = options;
    this.#current = options.link;
  }
  /**
   * @param keys - On one node of a cluster.
   * @throws an error from Redis, when Redis does not reply in time, and after `close`.
   */
  async run(name, keys, values) {
    if (this.#isClosed) throw new Error("The run store is closed.");
    const { commandTimeoutMs, times } = this.#options;
    const abort = new AbortController();
    const asked = this.#current;
    let timer;
    const late = new Promise((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis did not reply within ${commandTimeoutMs} ms (commandTimeoutMs).`));
        abort.abort();
        if (asked === this.#current) this.#replaceSilentConnection(keys);
      }, commandTimeoutMs);
    });
    const call = { keys, values: [...times, ...values].map(String) };
    try {
      return await Promise.race([this.#evaluate(name, call, abort.signal), late]);
    } finally {
      clearTimeout(timer);
    }
  }
  /** Destroys the connections that it has opened. */
  close() {
    this.#isClosed = true;
    this.#current.destroy();
    this.#candidate?.connection.destroy();
  }
  async #evaluate(name, call, signal) {
    const { isSharded: isSharded2 } = this.#options.link;
    for (; ; ) {
      const link = this.#current;
      try {
        return await link.evalSha(await this.#hashOf(name), call, signal).catch((error) => {
          if (!String(error).includes("NOSCRIPT")) throw error;
          return link.eval(redisScript(name, isSharded2), call, signal);
        });
      } catch (error) {
        if (signal.aborted || !isMoving(error)) throw error;
      }
      await pause(movingRetryMs);
    }
  }
  #hashOf(name) {
    const hash2 = this.#hashes.get(name) ?? sha1(redisScript(name, this.#options.link.isSharded));
    this.#hashes.set(name, hash2);
    return hash2;
  }
  /**
   * A connection can silently stop carrying packets; the client then waits as long as TCP does, up to hours. A new
   * connection that receives a reply first proves it: a slow Redis would be slow there, too.
   *
   * @param keys - Of a call without a reply: the other nodes of a cluster may be well.
   */
  async #replaceSilentConnection(keys) {
    if (this.#candidate !== void 0 || this.#isClosed) return;
    const { link, commandTimeoutMs } = this.#options;
    const { connection, opened } = openConnection(link);
    this.#candidate = { connection, opened };
    const abort = new AbortController();
    const probe = (asked) => asked.eval("return 1", { keys, values: [] }, abort.signal);
    let isAlive = false;
    const markAlive = () => {
      isAlive = true;
    };
    probe(this.#current).then(markAlive, () => {
    });
    try {
      await opened;
      const timer = unref(startTimer(() => connection.destroy(), commandTimeoutMs));
      await probe(connection).finally(() => clearTimeout(timer));
      for (let step = 0; step < 2; step++) await pause(commandTimeoutMs / 8);
      if (isAlive || this.#isClosed) throw new Error("It is not needed.");
      this.#current.destroy();
      this.#current = connection;
    } catch {
      connection.destroy();
    } finally {
      abort.abort();
      this.#candidate = void 0;
    }
  }
};
var isMoving = (error) => /TRYAGAIN|Too many Cluster redirections/.test(String(error));
var pause = (ms) => new Promise((resolve) => void unref(startTimer(resolve, ms)));
async function sha1(text) {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// packages/server/src/stores/run-id.ts
var placeDigits = 4;
var placedId = new RegExp(`^([0-9a-f]{${placeDigits}})[0-9a-f]{4}-[0-9a-f]{4}-8[0-9a-f]{3}-`);
function placeOf(owner, key = "") {
  if (owner === "" && key === "") return crypto.randomUUID().slice(0, placeDigits);
  return hash(owner === "" ? key : owner);
}
var placeInId = (runId) => placedId.exec(runId)?.[1];
function hash(text) {
  let bits = 2166136261;
  for (const byte of new TextEncoder().encode(text)) bits = Math.imul(bits ^ byte, 16777619);
  const folded = (bits >>> 16 ^ bits) & 65535;
  return folded.toString(16).padStart(placeDigits, "0");
}

// packages/server/src/stores/redis-keys.ts
var formatNumber = 2;
var RedisKeys = class {
  /** Places are on several nodes. Format 1 never was: it needs one node for all of its keys. */
  #isSpread;
  #prefix;
  /** @param isCluster - Whether they are for a cluster. */
  constructor(prefix, isCluster2) {
    this.#isSpread = isCluster2 && !/^[^{]*\{[^}]+\}/.test(prefix);
    this.#prefix = prefix;
  }
  /** The number of the format, and the mark of earlier runs if there can be any. */
  get format() {
    const format = `${this.#prefix}format`;
    return this.#isSpread ? [format] : [format, `${format}:earlier`];
  }
  /** The keys of a run. One with the id of an earlier version is where that version has put it. */
  ofRun(runId) {
    const start = this.#startOf(placeInId(runId));
    return [`${start}run:${runId}`, `${start}log:${runId}`];
  }
  /** The channel that announces the entries of a run, or only its end. */
  channelOf(runId, announced) {
    const [, log] = this.ofRun(runId);
    return announced === "end" ? `${log}:end` : log;
  }
  /** @param place - Where the owner's runs are; undefined for those of format 1. */
  ofOwner(place, { owner, key = "", sessionId = "" }) {
    const start = this.#startOf(place);
    const named = `${new TextEncoder().encode(owner).length}:${owner}`;
    return {
      open: `${start}open:${owner}`,
      key: `${start}key:${named}:${key}`,
      session: `${start}session:${named}:${sessionId}`,
      stops: `${start}stop:${owner}`
    };
  }
  #startOf(place) {
    if (place !== void 0) return `${this.#prefix}{${place}}:`;
    return this.#isSpread ? `${this.#prefix}{unknown}:` : this.#prefix;
  }
};
function toPrefix(keyPrefix, given) {
  const prefix = typeof given === "string" ? keyPrefix + given : given;
  const isUsable = typeof given === "string" && !/^[^{]*\{\}/.test(prefix);
  checkOption("prefix", isUsable, 'a string without "{}", where a hash tag would be empty', prefix);
  return prefix;
}

// packages/server/src/stores/redis-listener.ts
var lingerTicks = 5;
var silentTicks = 2;
var RedisListener = class {
  #options;
  #channels = { entries: /* @__PURE__ */ new Map(), end: /* @__PURE__ */ new Map() };
  /**
   * Channels being unsubscribed: a client that subscribes again in the meantime would end up without a subscription.
   */
  #leaving = /* @__PURE__ */ new Map();
  #subscriber;
  /** Nothing is tried again before the next tick: with thousands of waits, each would open a connection. */
  #hasFailed = false;
  constructor(options) {
    this.#options = options;
  }
  /** Whether this is, or will be, listened to. */
  has(runId, announced) {
    return this.#channels[announced].has(runId);
  }
  /**
   * Whether a position after this one was announced since the last call that returned true, so that an announced entry
   * that Redis has lost is looked for only once.
   */
  takeHeard(runId, announced, after) {
    const channel = this.#channels[announced].get(runId);
    if (channel === void 0 || channel.untold <= after) return false;
    channel.untold = -1;
    return true;
  }
  /** Resolves when subscribed or failed; never rejects. */
  async listen(runId, announced) {
    if (this.#hasFailed) return;
    const { link, channelOf, onPosition } = this.#options;
    const positions = { heard: -1, untold: -1, read: -1 };
    const channel = { runId, announced, isExpected: false, idleTicks: 0, silentTicks: 0, ...positions };
    this.#channels[announced].set(runId, channel);
    this.#subscriber ??= openConnection(link);
    const { connection, opened } = this.#subscriber;
    const name = channelOf(runId, announced);
    try {
      await opened;
      channel.isExpected = true;
      await this.#leaving.get(name);
      await connection.subscribe(name, (lastSeq) => onPosition(runId, Number(lastSeq)));
    } catch {
      if (this.#subscriber?.connection !== connection) return;
      this.close();
      this.#hasFailed = true;
    }
  }
  /** Remembers an announced position; Infinity for the end. */
  note(runId, lastSeq) {
    for (const channels of Object.values(this.#channels)) {
      const channel = channels.get(runId);
      if (channel === void 0) continue;
      channel.heard = Math.max(lastSeq, channel.heard);
      channel.untold = Math.max(lastSeq, channel.untold);
    }
  }
  /** Remembers a position that was read, which should have been announced; Infinity for the end. */
  noteRead(runId, lastSeq) {
    const { entries, end } = this.#channels;
    const channel = entries.get(runId) ?? (lastSeq === Number.POSITIVE_INFINITY ? end.get(runId) : void 0);
    if (channel !== void 0) channel.read = Math.max(lastSeq, channel.read);
  }
  /** Called about every second with the runs that have waiters. @returns whether anything is listened to. */
  tick(waitedFor) {
    this.#hasFailed = false;
    const { entries, end } = this.#channels;
    for (const channel of [...entries.values(), ...end.values()]) {
      channel.idleTicks = waitedFor.has(channel.runId) ? 0 : channel.idleTicks + 1;
      if (isSilent(channel)) {
        this.close();
        return false;
      }
      if (channel.idleTicks > lingerTicks) this.#leave(channel);
    }
    return entries.size + end.size > 0;
  }
  /** Closes the connection. The next wait listens anew, on another one. */
  close() {
    this.#subscriber?.connection.destroy();
    this.#subscriber = void 0;
    for (const channels of Object.values(this.#channels)) channels.clear();
    this.#leaving.clear();
  }
  #leave({ runId, announced }) {
    this.#channels[announced].delete(runId);
    if (this.#subscriber === void 0) return;
    const name = this.#options.channelOf(runId, announced);
    const left = this.#subscriber.connection.unsubscribe(name).catch(() => {
    }).then(() => void this.#leaving.delete(name));
    this.#leaving.set(name, left);
  }
};
function isSilent(channel) {
  const isBehind = channel.isExpected && channel.read > channel.heard;
  channel.silentTicks = isBehind ? channel.silentTicks + 1 : 0;
  return channel.silentTicks > silentTicks;
}

// packages/server/src/stores/run-store.ts
var producerLost = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true
};
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
      return new Promise((resolve) => {
        const ofRun = waiters.get(runId) ?? /* @__PURE__ */ new Set();
        const resume = () => {
          signal.removeEventListener("abort", resume);
          ofRun.delete(waiter);
          if (ofRun.size === 0) waiters.delete(runId);
          if (waiters.size === 0) onLast?.();
          resolve();
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

// packages/server/src/redis.ts
var tickMs = 1e3;
var maxNames = 1e3;
function createRedisRunStore(options) {
  checkObjectOption("The options of createRedisRunStore", options, "an object with a client");
  return toSpreadableStore(new RedisRunStore(options));
}
var RedisRunStore = class {
  canHandOff = true;
  leaseMs;
  #prefix;
  #keys;
  #commands;
  #listener;
  #waiters = createRunWaiters({
    onFirst: () => {
      if (!this.#isClosed) this.#tickTimer ??= unref(startInterval(() => this.#tick(), tickMs));
    }
  });
  #names = /* @__PURE__ */ new Map();
  #written = /* @__PURE__ */ new Map();
  /** The runs that this process is opening, by the name of their owner's open runs. */
  #opening = /* @__PURE__ */ new Map();
  /** Whether runs of an earlier version may be left, once that is known. */
  #hasEarlierRuns;
  #tickTimer;
  #isClosed = false;
  constructor(options) {
    const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2e3);
    const link = toRedisLink(options.client, commandTimeoutMs);
    const prefix = toPrefix(link.keyPrefix, options.prefix ?? "kortyx:");
    const { retentionMs, leaseMs } = readRunStoreTimes(options);
    this.leaseMs = leaseMs;
    this.#prefix = prefix;
    const keys = new RedisKeys(prefix, link.isCluster);
    this.#keys = keys;
    this.#commands = new RedisCommands({ link, times: [leaseMs, retentionMs], commandTimeoutMs });
    this.#listener = new RedisListener({
      link,
      channelOf: (runId, announced) => keys.channelOf(runId, announced),
      onPosition: (runId, lastSeq) => this.#announce(runId, lastSeq)
    });
  }
  async open(request) {
    const { runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun } = request;
    const place = owner + key === "" ? placeInId(runId) : placeOf(owner, key);
    const formats = await this.#formatsOf(place);
    const names = formats.map((of) => this.#keys.ofOwner(of, request));
    const opening = this.#opening.get(names[0].open) ?? /* @__PURE__ */ new Set();
    const others = new Set(opening);
    this.#opening.set(names[0].open, opening.add(runId));
    const opened = await this.#runDeclaring(
      "open",
      [
        ...this.#keys.ofRun(runId),
        ...names.flatMap(({ open, key: key2, session, stops }) => [open, key2, session, stops])
      ],
      [
        ...[runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun ? 1 : 0],
        ...[producerLostJson, stringifyChunk(stopped), formats.length]
      ],
      others
    ).catch(orWhen(isMemoryFull, ["store-full"])).finally(() => {
      opening.delete(runId);
      if (opening.size === 0) this.#opening.delete(names[0].open);
    });
    const [status, id, ...fields] = opened;
    const run = id === void 0 ? void 0 : toRecord(id, fields);
    if (status === "created" && run?.terminal === void 0) this.#rememberWritten(request, names[0]);
    return { status, run };
  }
  async append(runId, firstSeq, entries) {
    const appended = await this.#renew("append", runId, [firstSeq, ...entries]).catch(
      orWhen(isMemoryFull, "full")
    );
    if (appended === "ok") this.#announce(runId, firstSeq + entries.length - 1);
    return appended;
  }
  async renew(runId) {
    return this.#renew("renew", runId, []);
  }
  async end(runId, terminal, lastSeq = -1) {
    return this.#end("end", runId, [stringifyChunk(terminal), lastSeq, producerLostJson]);
  }
  async endIfLeaseExpired(runId) {
    return this.#end("endIfLeaseExpired", runId, [producerLostJson]);
  }
  async read(runId, after, limit) {
    const known = this.#names.get(runId);
    const page = await this.#readPage(runId, after, limit, known === void 0 ? "names" : "no-names");
    if (page === null) return void 0;
    const [seq, terminal, entries, leaseLeftMs, read] = page;
    const names = known ?? read;
    if (known === void 0) this.#remember(runId, names);
    if (placeInId(runId) !== void 0) {
      this.#listener.noteRead(runId, terminal === null ? Number(seq) : Number.POSITIVE_INFINITY);
    }
    return { run: toRecord(runId, [...names, seq, terminal]), entries, leaseLeftMs };
  }
  async wait(runId, after, signal) {
    const announced = after < Number.MAX_SAFE_INTEGER ? "entries" : "end";
    if (this.#isClosed || signal.aborted || this.#listener.takeHeard(runId, announced, after)) return;
    const waiting = this.#waiters.wait(runId, after, signal);
    if (!this.#listener.has(runId, announced)) this.#catchUp(runId, announced).catch(() => {
    });
    await waiting;
  }
  async latest(owner, sessionId) {
    const keys = await this.#keysOf({ owner, sessionId }, ({ session }) => [session]);
    const runId = await this.#run("latest", keys, []);
    return runId === null ? void 0 : (await this.read(runId, Number.MAX_SAFE_INTEGER, 0))?.run;
  }
  async stopKey(owner, key) {
    const keys = await this.#keysOf({ owner, key }, (names) => [names.key, names.stops]);
    const [, runId] = await this.#runDeclaring("stopKey", keys, [
      ...[key, stoppedKeyMs, maxStoppedKeys],
      keys.length / 2
    ]);
    return runId;
  }
  async close() {
    this.#isClosed = true;
    clearInterval(this.#tickTimer);
    this.#waiters.wakeAll();
    this.#listener.close();
    this.#commands.close();
  }
  /** Also extends the expiry of the run's names, now and then: this process knows them. */
  async #renew(script, runId, values) {
    const written = this.#written.get(runId);
    const now2 = performance.now();
    const isDue = written !== void 0 && now2 - written.extendedAt > this.leaseMs / 4;
    const names = isDue ? written.names : [];
    const result = await this.#run(script, [...this.#keys.ofRun(runId), ...names], values);
    if (result !== "ok") this.#written.delete(runId);
    else if (isDue) this.#keepWritten(runId, { ...written, extendedAt: now2 });
    return result;
  }
  async #end(script, runId, values) {
    const keys = [...this.#keys.ofRun(runId), ...this.#namesToEnd(runId)];
    const json = await this.#run(script, keys, [runId, ...values]);
    if (json === null) return void 0;
    this.#written.delete(runId);
    this.#announce(runId, Number.POSITIVE_INFINITY);
    return JSON.parse(json);
  }
  /** The owner's open runs, and the key, as far as this process knows them. The next run of the owner finds the rest. */
  #namesToEnd(runId) {
    const written = this.#written.get(runId);
    if (written !== void 0) return written.endKeys;
    const [owner] = this.#names.get(runId) ?? [];
    return owner ? [this.#keys.ofOwner(placeInId(runId), { owner }).open] : [];
  }
  /** The log has reached this position; Infinity when it has ended. */
  #announce(runId, lastSeq) {
    this.#listener.note(runId, lastSeq);
    this.#waiters.wake(runId, lastSeq);
  }
  #tick() {
    const waitedFor = new Set(this.#waiters.runIds());
    if (!this.#listener.tick(waitedFor) && waitedFor.size === 0) {
      clearInterval(this.#tickTimer);
      this.#tickTimer = void 0;
    }
    this.#waiters.wakeAll();
  }
  /** Finds entries written before we listened. */
  async #catchUp(runId, announced) {
    await this.#listener.listen(runId, announced);
    this.#announce(runId, await this.#lastSeqOf(runId));
  }
  /** The last position; Infinity if the run has ended or is gone. */
  async #lastSeqOf(runId) {
    const page = await this.#readPage(runId, -1, 0, "no-names");
    return page === null || page[1] !== null ? Number.POSITIVE_INFINITY : Number(page[0]);
  }
  /** @param wanted - Whether the last element holds owner and session. */
  async #readPage(runId, after, limit, wanted) {
    const values = [after, limit, wanted === "names" ? 1 : 0];
    const page = await this.#run("read", this.#keys.ofRun(runId), values);
    return page;
  }
  #rememberWritten({ runId, owner, sessionId, key }, { open, ...names }) {
    const endKeys = [open, ...key === void 0 ? [] : [names.key]];
    const extended = [...owner === "" ? [] : [open], ...endKeys.slice(1)];
    if (sessionId !== void 0) extended.push(names.session);
    this.#keepWritten(runId, { names: extended, endKeys, extendedAt: performance.now() });
  }
  /** In the order in which their leases expire. Forgets runs whose writer gave up while Redis was away. */
  #keepWritten(runId, written) {
    this.#written.delete(runId);
    this.#written.set(runId, written);
    for (const [oldest, { extendedAt }] of this.#written) {
      if (written.extendedAt - extendedAt < 2 * this.leaseMs) break;
      this.#written.delete(oldest);
    }
  }
  #remember(runId, names) {
    this.#names.set(runId, names);
    const [oldest] = this.#names.keys();
    if (this.#names.size > maxNames) this.#names.delete(oldest);
  }
  async #keysOf(named, select) {
    const formats = await this.#formatsOf(placeOf(named.owner, named.key));
    return formats.flatMap((place) => select(this.#keys.ofOwner(place, named)));
  }
  /** Where names are looked for: at this place, and without one if runs of an earlier version may be left. */
  async #formatsOf(place) {
    return await this.#checkFormat() ? [place, void 0] : [place];
  }
  async #run(script, keys, values) {
    await this.#checkFormat();
    return this.#commands.run(script, keys, values);
  }
  /** Calls the script again with the keys of other runs, if it asks for them: the owner may have begun one meanwhile. */
  async #runDeclaring(script, keys, values, others = /* @__PURE__ */ new Set()) {
    for (; ; ) {
      const ids = [...others];
      const found = await this.#run(
        script,
        [...keys, ...ids.flatMap((id) => this.#keys.ofRun(id))],
        [...values, ...ids]
      );
      const [status, ...undeclared] = found;
      if (status !== "declare") return found;
      for (const id of undeclared) others.add(id);
    }
  }
  /** Once per store; again after a failure. @returns whether runs of an earlier version may be left. */
  #checkFormat() {
    this.#hasEarlierRuns ??= this.#readFormat().catch((error) => {
      this.#hasEarlierRuns = void 0;
      throw error;
    });
    return this.#hasEarlierRuns;
  }
  async #readFormat() {
    const read = await this.#commands.run("format", this.#keys.format, [formatNumber]);
    const [found, hasEarlierRuns] = read;
    if (Number(found) <= formatNumber) return hasEarlierRuns === 1;
    throw new Error(
      `The runs in Redis under ${JSON.stringify(this.#prefix)} have format ${found}, of a newer version of @kortyx/server; this version knows format ${formatNumber}. Update this process, or give its store another prefix.`
    );
  }
};
var producerLostJson = stringifyChunk(producerLost);
var isMemoryFull = (error) => /\bOOM command not allowed\b/.test(String(error));
var toRecord = (runId, [owner, session, seq, terminal]) => ({
  runId,
  owner,
  sessionId: session === "" ? void 0 : session,
  lastSeq: Number(seq),
  terminal: terminal === null || terminal === void 0 ? void 0 : JSON.parse(terminal)
});
export {
  createRedisRunStore
};
